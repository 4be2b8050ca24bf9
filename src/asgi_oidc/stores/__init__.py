"""Session stores: the interface, stores in memory, in Redis or Valkey and in PostgreSQL, and a guard around each."""
