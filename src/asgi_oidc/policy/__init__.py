"""Which requests the app gets, and what the others get instead."""
