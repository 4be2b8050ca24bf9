"""Signing out: here, at the provider, and the way back from there."""
