"""Tokens: refreshing them, access tokens for other APIs, sending them with httpx, and revoking them."""
