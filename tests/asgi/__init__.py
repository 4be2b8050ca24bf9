"""The ASGI edge: requests, open responses, websockets, lifespan and what the app sees."""
