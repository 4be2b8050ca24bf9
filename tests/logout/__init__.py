"""Signing out: here, at the provider and in other processes."""
