"""Tests with real parts: a certified provider, a browser, the servers in front."""
