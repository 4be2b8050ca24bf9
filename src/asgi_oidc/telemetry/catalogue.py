"""Every span, metric and attribute that is recorded: names, units, buckets.

Names follow the semantic conventions of OpenTelemetry where those have one, and begin with `asgi_oidc.` otherwise. The
tables in `examples/telemetry` are compared with this file.
"""

from collections.abc import Sequence
from typing import NamedTuple

# Attributes. Their values are bounded in number, so that a metric stays small whatever clients and providers send.
PROVIDER = "asgi_oidc.provider"
ENDPOINT = "asgi_oidc.endpoint"
OUTCOME = "asgi_oidc.outcome"
CODE = "asgi_oidc.code"
BY = "asgi_oidc.by"
ERROR_TYPE = "error.type"
METHOD = "http.request.method"
STATUS = "http.response.status_code"
ADDRESS = "server.address"
PORT = "server.port"
URL = "url.full"
STORE = "db.system.name"
OPERATION = "db.operation.name"

# Seconds; the first two are those of the semantic conventions.
HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
STORE_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
LOGIN_BUCKETS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)  # users have ten minutes


class Counter(NamedTuple):
    """A metric that counts."""

    name: str
    unit: str
    description: str
    attributes: tuple[str, ...]


class Histogram(NamedTuple):
    """A metric of durations, in seconds."""

    name: str
    description: str
    attributes: tuple[str, ...]
    buckets: Sequence[float]


class Span(NamedTuple):
    """A span around one of our own operations.

    Attributes:
        counter: counts the operations when they end.
        histogram: of their durations.
    """

    name: str
    description: str
    counter: Counter | None = None
    histogram: Histogram | None = None


LOGINS_STARTED = Counter(
    "asgi_oidc.logins.started", "{login}", "Logins that were started at a provider", (PROVIDER, OUTCOME, CODE)
)
LOGINS = Counter("asgi_oidc.logins", "{login}", "Logins that came back from a provider", (PROVIDER, OUTCOME, CODE))
REFRESHES = Counter(
    "asgi_oidc.refreshes", "{refresh}", "Refreshes of the tokens of a session", (PROVIDER, OUTCOME, CODE)
)
LOGOUTS = Counter(
    "asgi_oidc.logouts", "{logout}", "Sign-outs, by the `user`, the `provider` or the `app`", (BY, OUTCOME, CODE)
)
TOKENS = Counter(
    "asgi_oidc.tokens",
    "{token}",
    "Access tokens of requests that were verified, or refused; those that are known to be valid are not counted again",
    (PROVIDER, OUTCOME, CODE),
)
DENIALS = Counter(
    "asgi_oidc.denials",
    "{request}",
    "Requests that were denied, or failed",
    (STATUS, CODE),
)
COUNTERS = (LOGINS_STARTED, LOGINS, REFRESHES, LOGOUTS, TOKENS, DENIALS)

PROVIDER_CALLS = Histogram(
    "http.client.request.duration",
    "Duration of calls to a provider",
    (PROVIDER, ENDPOINT, METHOD, ADDRESS, PORT, STATUS, ERROR_TYPE),
    HTTP_BUCKETS,
)
STORE_CALLS = Histogram(
    "db.client.operation.duration", "Duration of calls to the store", (STORE, OPERATION, ERROR_TYPE), STORE_BUCKETS
)
CALLBACK_DURATION = Histogram(
    "asgi_oidc.callback.duration",
    "Duration of the last step of a login, when the browser comes back",
    (PROVIDER, OUTCOME),
    HTTP_BUCKETS,
)
LOGIN_DURATION = Histogram(
    "asgi_oidc.login.duration",
    "Time from the redirect to the provider until the user is signed in",
    (PROVIDER,),
    LOGIN_BUCKETS,
)
HISTOGRAMS = (PROVIDER_CALLS, STORE_CALLS, CALLBACK_DURATION, LOGIN_DURATION)

LOGIN = Span("asgi_oidc.login", "starts a login: the browser is sent to the provider", LOGINS_STARTED)
CALLBACK = Span("asgi_oidc.callback", "finishes a login", LOGINS, CALLBACK_DURATION)
REFRESH = Span("asgi_oidc.refresh", "refreshes the tokens of a session", REFRESHES)
LOGOUT = Span("asgi_oidc.logout", "ends a session, here and at the provider", LOGOUTS)
SPANS = (LOGIN, CALLBACK, REFRESH, LOGOUT)
