"""What waits for the provider: caches, single flights, and the one door to the network."""
