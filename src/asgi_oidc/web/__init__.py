"""The conversation with the browser: requests and responses as values; no await, no clock, no randomness."""
