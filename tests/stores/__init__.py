"""The session stores, and what each of them has to do."""
