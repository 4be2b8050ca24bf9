"""Session stores: the interface, a store in memory, a store in Redis or Valkey, and a guard around each."""
