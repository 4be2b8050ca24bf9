"""The conversation with the provider: calls and answers as values; no await, no clock, no randomness."""
