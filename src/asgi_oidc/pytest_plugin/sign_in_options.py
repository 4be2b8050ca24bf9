"""The options of a sign-in: what a test says about the user and the login."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from asgi_oidc.pytest_plugin.sign_ins import Wanted


class SignInOptions(TypedDict, total=False):
    """How a user signs in: keywords of `sign_in` and `follow_login`."""

    claims: Mapping[str, Any]
    """Further claims, such as `{"roles": ["admin"]}`; the value `...` removes one."""

    scopes: Sequence[str]
    """Exactly those that the provider grants; by default, all that the app requests."""

    acr: str
    """How the user signed in."""

    auth_time: int
    """When the user signed in, in seconds since the epoch; by default now."""

    provider: str
    """A name of the setting `providers`, if there are several."""

    name: str
    """By default made from `sub`, if the app requests the scope `profile`."""

    email: str
    """The verified address; by default made from `sub`, if the app requests the scope `email`."""

    app: object
    """The app, if the client does not tell; or the middleware itself."""

    base_url: str
    """Which middleware is meant, if the app has several; which host, if it is served on several."""


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
