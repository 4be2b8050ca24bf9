"""Logins: everything from the request that needs a user to the new session."""
