"""All codes of the catalogue, in the order of the page."""

from asgi_oidc.errors.codes.bearer import BEARER
from asgi_oidc.errors.codes.forward_auth import FORWARD_AUTH
from asgi_oidc.errors.codes.proofs import PROOFS
from asgi_oidc.errors.codes.provider import ANSWERS, CONNECTIONS, LOOK_UPS, REQUIREMENTS
from asgi_oidc.errors.codes.requests import ACCESS, APP, REQUESTS, SESSIONS, STORES
from asgi_oidc.errors.codes.tokens import TOKENS

CODES = {
    "Requests of the browser": REQUESTS,
    "Access control": ACCESS,
    "Connections to the provider": CONNECTIONS,
    "Look-ups of providers": LOOK_UPS,
    "Answers of the provider": ANSWERS,
    "What the provider requires": REQUIREMENTS,
    "Tokens and claims": TOKENS,
    "Sessions and tokens for APIs": SESSIONS,
    "Access tokens of requests": BEARER,
    "Proofs of clients with access tokens": PROOFS,
    "Auth requests of a proxy": FORWARD_AUTH,
    "Session stores": STORES,
    "The app and its settings": APP,
}
