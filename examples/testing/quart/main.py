"""A Quart app behind sign-in; run it with `hypercorn main:app`."""

# mypy: disable-error-code="assignment, arg-type"
# (Quart's types for ASGI leave no room for what a middleware adds.)

from quart import Quart

from asgi_oidc import OIDCMiddleware, Rule
from asgi_oidc.integrations.quart import current_user

app = Quart(__name__)


@app.get("/")
async def home() -> str:
    return f"Hello, {current_user.display_name}"


@app.post("/reports")
async def reports() -> str:
    return "Saved"


app.asgi_app = OIDCMiddleware.from_env(app.asgi_app, rules=[Rule("/reports", claims={"roles": "admin"})])
