"""The conversation with the browser, as values."""
