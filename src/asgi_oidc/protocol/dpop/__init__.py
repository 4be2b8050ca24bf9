"""DPoP (RFC 9449): `check_proof` for callers of our own APIs; `make_proof` and `server_nonces` for our own calls."""
