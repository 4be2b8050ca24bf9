"""The ASGI edge: connections come in, the app gets its scope, and responses go out."""
