"""The ASGI edge: serves http, websocket and lifespan scopes, and wraps what the app receives and sends."""
