"""Decides which requests reach the app, and makes the responses to those that do not."""
