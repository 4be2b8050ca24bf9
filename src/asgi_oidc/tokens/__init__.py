"""Access tokens: refreshed, for other APIs, and given back to the provider."""
