"""Signing out: here and at the provider, and what the browser sees when it returns from there."""
