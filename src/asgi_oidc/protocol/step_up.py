"""Step-up: how strong and how recent a login must be, what to request for that, and whether it is met (RFC 9470).

What it must be granted in detail (RFC 9396) belongs to the same request.
"""

from collections.abc import Iterable, Sequence

import msgspec

from asgi_oidc.errors import describe_value
from asgi_oidc.protocol.authorization_details import Required, joined, read_required

MAX_MAX_AGE = 366 * 86_400  # seconds
MAX_ACR_VALUES_LENGTH = 512  # characters
# As `prompt`: the user wants another account. `account_prompt` replaces it by the value that the provider supports.
ANOTHER_ACCOUNT = "select_account"
# As `prompt`: the provider shows no page, and the login fails if it would have to (OIDC Core §3.1.2.1).
SILENT = "none"


class AuthenticationRequest(msgspec.Struct, frozen=True, array_like=True):
    """How a user must sign in.

    Attributes:
        acr_values: authentication contexts, one of which is required, in order of preference; empty for any.
        max_age: how many seconds ago the user may have signed in at the provider; None for any time.
        prompt: what the provider should ask the user (OIDC Core §3.1.2.1).
        providers: names of the providers at which the user may sign in; empty for any.
        params: further parameters of the authorization request, by name; each at most once.
        authorization_details: what the user has to authorize.
    """

    acr_values: tuple[str, ...] = ()
    max_age: int | None = None
    prompt: str | None = None
    providers: tuple[str, ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    authorization_details: Required = ()

    @property
    def parameters(self) -> dict[str, str]:
        """The requirements, as parameters of an authorization request or of a challenge."""
        parameters: dict[str, str] = {}
        if self.acr_values:
            parameters["acr_values"] = " ".join(self.acr_values)
        if self.max_age is not None:
            parameters["max_age"] = str(self.max_age)
        if self.prompt is not None:
            parameters["prompt"] = self.prompt
        return parameters

    @property
    def names(self) -> list[str]:
        """The names of the requirements."""
        details = ["authorization_details"] if self.authorization_details else []
        return [*self.parameters, *details]

    @property
    def problem_members(self) -> dict[str, object]:
        """The requirements, as members of problem details (RFC 9457)."""
        members: dict[str, object] = {}
        if self.acr_values:
            members["acr_values"] = list(self.acr_values)
        if self.max_age is not None:
            members["max_age"] = self.max_age
        return members


ANY_LOGIN = AuthenticationRequest()


def read_authentication(
    acr_values: object, max_age: object, authorization_details: object = None
) -> AuthenticationRequest:
    """Check and read what a rule or an app requires; None means no requirement.

    Raises:
        ValueError: the text tells the developer what is wrong.
    """
    values = acr_values if isinstance(acr_values, list | tuple) else () if acr_values is None else (None,)
    if acr_values is not None and not values:
        raise ValueError("acr_values: must not be empty: leave it out, or list at least one value")
    if not all(isinstance(value, str) and value and value.isprintable() and " " not in value for value in values):
        raise ValueError("acr_values: must be a list of texts without spaces, such as ['urn:example:mfa']")
    if len(" ".join(values)) > MAX_ACR_VALUES_LENGTH:
        raise ValueError(
            f"acr_values: must have at most {MAX_ACR_VALUES_LENGTH} characters in all, because a cookie carries them"
        )
    if max_age is not None and (type(max_age) is not int or not 0 <= max_age <= MAX_MAX_AGE):
        raise ValueError(
            f"max_age: must be a whole number of seconds from 0 to {MAX_MAX_AGE}, got {describe_value(max_age)}"
        )
    if authorization_details is not None and not authorization_details:
        raise ValueError("authorization_details: must not be empty: leave it out, or list at least one object")
    try:
        details = read_required(authorization_details)
    except ValueError as exc:
        raise ValueError(f"authorization_details: {exc}") from None
    return AuthenticationRequest(tuple(values), max_age, authorization_details=details)


def combined_request(requests: Iterable[AuthenticationRequest]) -> AuthenticationRequest | None:
    """Return the request whose login meets all of these; None if no single login can."""
    requests = list(requests)
    acr_values = _in_all([authentication.acr_values for authentication in requests])
    providers = _in_all([authentication.providers for authentication in requests])
    if acr_values is None or providers is None:
        return None
    ages = [authentication.max_age for authentication in requests if authentication.max_age is not None]
    details = joined(*(authentication.authorization_details for authentication in requests))
    return AuthenticationRequest(
        acr_values, min(ages, default=None), providers=providers, authorization_details=details
    )


def strongest_of_both(sealed: AuthenticationRequest, asked: AuthenticationRequest) -> AuthenticationRequest | None:
    """Return the request whose login meets both; None if no single login can.

    Args:
        sealed: its `params` take precedence, because only this site can have written them.
    """
    both = combined_request((sealed, asked))
    if both is None:
        return None
    params = tuple({**dict(asked.params), **dict(sealed.params)}.items())
    prompt = joined_prompt(sealed.prompt or "", asked.prompt or "") or None
    return msgspec.structs.replace(both, prompt=prompt, params=params)


def joined_prompt(*prompts: str) -> str:
    """Return a `prompt` that asks all that these ask; `none` only if nothing else asks anything."""
    words = dict.fromkeys(word for prompt in prompts for word in prompt.split())
    return " ".join([word for word in words if word != SILENT] or words)


def _in_all(lists: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
    """Return what all lists have in common; an empty list allows everything. None if nothing satisfies all of them."""
    demanding = [values for values in lists if values]
    common = tuple(value for value in (demanding[0] if demanding else ()) if all(value in other for other in demanding))
    return None if demanding and not common else common


def is_met(authentication: AuthenticationRequest, *, acr: object, auth_time: object, now: int, leeway: int) -> bool:
    """Whether a login is as strong and as recent as required.

    Args:
        acr: claim of the login's ID Token; None if it had none.
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
