"""The options of a sign-in: what a test says about the user and the login."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from asgi_oidc.pytest_plugin.sign_ins import Wanted


class SignInOptions(TypedDict, total=False):
    """How a user signs in: keywords of `sign_in` and `follow_login`.

    Attributes:
        claims: further claims, such as `{"roles": ["admin"]}`; the value `...` removes one.
        scopes: exactly those that the provider grants; by default, all that the app requests.
        acr: how the user signed in.
        auth_time: when the user signed in, in seconds since the epoch; by default now.
        provider: a name of the setting `providers`, if there are several.
        name: by default made from `sub`, if the app requests the scope `profile`.
        email: the verified address; by default made from `sub`, if the app requests the scope `email`.
        app: the app, if the client does not tell; or the middleware itself.
        base_url: which middleware is meant, if the app has several; which host, if it is served on several.
    """

    claims: Mapping[str, Any]
    scopes: Sequence[str]
    acr: str
    auth_time: int
    provider: str
    name: str
    email: str
    app: object
    base_url: str


def read_options(sub: str, options: SignInOptions) -> Wanted:
    """Read the options of a sign-in.

    Raises:
        TypeError: an option is unknown.
    """
    unknown = options.keys() - SignInOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown option {sorted(unknown)[0]!r}; there are {', '.join(SignInOptions.__annotations__)}")
    of_the_login: dict[str, Any] = {claim: options[claim] for claim in ("acr", "auth_time") if claim in options}
    return Wanted(
        sub,
        claims={**options.get("claims", {}), **of_the_login},
        scopes=options.get("scopes"),
        provider=options.get("provider"),
        name=options.get("name"),
        email=options.get("email"),
    )
