"""Clients that authenticate by a TLS certificate, from the login to the last call."""
