"""Access tokens and refresh tokens: refresh, calls to other APIs, revocation."""
