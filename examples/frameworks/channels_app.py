"""Django Channels: a consumer finds the signed-in user in its scope, for HTTP and for websockets."""

import json
import secrets

from channels.generic.http import AsyncHttpConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path

from asgi_oidc import OIDCMiddleware

settings.configure(SECRET_KEY=secrets.token_urlsafe(32))  # a project has these in its settings.py


class Me(AsyncHttpConsumer):  # type: ignore[misc]  # Channels has no types
    """Tells who is signed in."""

    async def handle(self, body: bytes) -> None:
        """Answer a request; only signed-in users get here."""
        text = json.dumps({"hello": self.scope["user"].display_name}).encode()
        await self.send_response(200, text, headers=[(b"content-type", b"application/json")])


class Greeting(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels has no types
    """Greets over a websocket."""

    async def connect(self) -> None:
        """Accept; without a session, or from another site's page, the connection ends before this."""
        await self.accept()
        await self.send(f"Hello, {self.scope['user'].display_name}")


routes = {
    "http": URLRouter([path("me", Me.as_asgi())]),
    "websocket": URLRouter([path("greeting", Greeting.as_asgi())]),
}
app = OIDCMiddleware.from_env(ProtocolTypeRouter(routes))
