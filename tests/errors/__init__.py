"""Errors and log events: what a reader of the log learns, and what stays secret."""
