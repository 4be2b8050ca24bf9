"""The conversation with the provider, as values: each check passes what is good and refuses what is not."""
