"""A FastAPI app behind sign-in; run it with `uvicorn main:app`."""

import os
from typing import Annotated

from fastapi import FastAPI

from asgi_oidc import OIDCMiddleware, User
from asgi_oidc.integrations.fastapi import CurrentUser, require

app = FastAPI()
app.add_middleware(
    OIDCMiddleware,
    issuer=os.environ["OIDC_ISSUER"],
    client_id=os.environ["OIDC_CLIENT_ID"],
    base_url=os.environ["OIDC_BASE_URL"],
    secret=os.environ["OIDC_SECRET"],
    public=["/health"],
)


@app.get("/health")
async def health() -> str:
    return "fine"


@app.get("/me")
async def me(user: CurrentUser) -> dict[str, str | None]:
    return {"sub": user.sub, "email": user.email}


@app.get("/reports")
async def reports(user: Annotated[User, require(claims={"roles": "admin"})]) -> dict[str, str]:
    return {"for": user.sub}
