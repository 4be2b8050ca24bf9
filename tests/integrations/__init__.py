"""The integrations with frameworks."""
