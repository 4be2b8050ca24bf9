"""What waits for the provider: calls over HTTP, metadata and keys with their caches."""
