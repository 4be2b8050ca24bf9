"""What a login asks of the provider beyond the settings, and whether it was done (RFC 9470)."""

from collections.abc import Iterable

import msgspec

from asgi_oidc.errors import describe_value

MAX_MAX_AGE = 366 * 86_400  # seconds
MAX_ACR_VALUES_LENGTH = 512  # characters
ANOTHER_ACCOUNT = "select_account"  # as `prompt`: the word that a provider has for it is found out with the login


class AuthenticationRequest(msgspec.Struct, frozen=True, array_like=True):
    """How a user has to sign in.

    Attributes:
        acr_values: authentication contexts of which one has to be reached, the best first; empty for any.
        max_age: seconds since the user signed in at the provider; None for any.
        prompt: what the provider shall ask the user (OIDC Core §3.1.2.1).
    """

    acr_values: tuple[str, ...] = ()
    max_age: int | None = None
    prompt: str | None = None

    @property
    def parameters(self) -> dict[str, str]:
        """The same as parameters of an authorization request, or of a challenge."""
        asked: dict[str, str] = {}
        if self.acr_values:
            asked["acr_values"] = " ".join(self.acr_values)
        if self.max_age is not None:
            asked["max_age"] = str(self.max_age)
        if self.prompt is not None:
            asked["prompt"] = self.prompt
        return asked


ANY_LOGIN = AuthenticationRequest()


def read_authentication(acr_values: object, max_age: object) -> AuthenticationRequest:
    """Check what a rule or an app asks for; None is left out.

    Raises:
        ValueError: with what is wrong, for the developer.
    """
    values = acr_values if isinstance(acr_values, list | tuple) else () if acr_values is None else (None,)
    if acr_values is not None and not values:
        raise ValueError("acr_values: is empty: leave it out, or list what is needed")
    if not all(isinstance(value, str) and value and value.isprintable() and " " not in value for value in values):
        raise ValueError("acr_values: must be a list of words, such as ['urn:example:mfa']")
    if len(" ".join(values)) > MAX_ACR_VALUES_LENGTH:
        raise ValueError(
            f"acr_values: must have at most {MAX_ACR_VALUES_LENGTH} characters in all: they travel in a cookie"
        )
    if max_age is not None and (type(max_age) is not int or not 0 <= max_age <= MAX_MAX_AGE):
        raise ValueError(
            f"max_age: must be a whole number of seconds from 0 to {MAX_MAX_AGE}, got {describe_value(max_age)}"
        )
    return AuthenticationRequest(tuple(values), max_age)


def joint(requests: Iterable[AuthenticationRequest]) -> AuthenticationRequest | None:
    """Ask for all at once; None where no single login could do."""
    requests = list(requests)
    lists = [authentication.acr_values for authentication in requests if authentication.acr_values]
    both = [acr for acr in (lists[0] if lists else ()) if all(acr in values for values in lists)]
    if lists and not both:
        return None
    ages = [authentication.max_age for authentication in requests if authentication.max_age is not None]
    return AuthenticationRequest(tuple(both), min(ages, default=None))


def is_met(authentication: AuthenticationRequest, *, acr: object, auth_time: object, now: int, leeway: int) -> bool:
    """Say whether a login was as strong and is as fresh as asked.

    Args:
        acr: claim of the ID Token of the login, None where it had none.
        auth_time: the same, in seconds since the epoch.
        leeway: seconds of clock skew allowed.
    """
    if authentication.acr_values and acr not in authentication.acr_values:
        return False
    if authentication.max_age is None:
        return True
    if not isinstance(auth_time, int | float):
        return False
    return -leeway <= now - auth_time <= authentication.max_age + leeway
