"""What waits for the provider: caches, single flights, and the HTTP client."""
