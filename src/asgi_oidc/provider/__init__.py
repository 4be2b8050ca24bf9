"""Calls the provider over HTTP, and caches its metadata and keys."""
