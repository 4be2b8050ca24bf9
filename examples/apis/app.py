"""An orders API: for programs with access tokens and for people with a session, under the same rules."""

from fastapi import FastAPI
from pydantic import BaseModel

from asgi_oidc import OIDCMiddleware, Rule
from asgi_oidc.integrations.fastapi import CurrentUser


class Order(BaseModel):
    """An order."""

    item: str
    ordered_by: str | None = None


api = FastAPI(title="Orders")
orders = [Order(item="A lamp", ordered_by="bob")]


@api.get("/orders")
async def list_orders() -> list[Order]:
    """List all orders: needs the scope `orders:read`."""
    return orders


@api.post("/orders", status_code=201)
async def add_order(order: Order, user: CurrentUser) -> Order:
    """Add an order: needs the scope `orders:write`."""
    orders.append(Order(item=order.item, ordered_by=user.sub))
    return orders[-1]


@api.get("/whoami")
async def whoami(user: CurrentUser) -> dict[str, str | bool | None]:
    """Say who calls, and with what: a session or an access token."""
    return {
        "sub": user.sub,
        "credential": user.credential,
        "client_id": user.client_id,
        "is_machine": user.is_machine,
    }


@api.post("/jobs/clean-up", status_code=204)
async def clean_up() -> None:
    """Delete all orders: only for machines."""
    orders.clear()


app = OIDCMiddleware.from_env(
    api,
    rules=[
        Rule("/orders/*", methods=["GET"], scopes=["orders:read"]),
        Rule("/orders/*", methods=["POST"], scopes=["orders:write"]),
        Rule("/jobs/*", credentials=["bearer"], machines=True),
    ],
)
