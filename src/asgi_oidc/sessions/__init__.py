"""Sessions: in sealed cookies or in a store, revocations, and the check of the session of a request."""
