"""A login from the redirect to the session: its cookies, its limits and what can interrupt it."""
