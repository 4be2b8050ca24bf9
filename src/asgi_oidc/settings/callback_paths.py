"""The setting `callback_path`: a redirect URI that a provider knew before asgi-oidc was there."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from asgi_oidc.errors import describe_value
from asgi_oidc.policy.endpoint_paths import OwnUrl
from asgi_oidc.provider.provider_settings import ProviderSettings

MAX_CALLBACK_PATH_LENGTH = 256  # characters

# The one spelling that every server and framework reads in the same way; other libraries often end it with a "/".
_PATH = re.compile(r"(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._~-]+)+/?")
# The callback of no provider: the path of one that has moved to its `callback_path`. No provider can have this name.
_NO_PROVIDER = "/"
_LOGOUTS = ("backchannel-logout", "frontchannel-logout")  # their URLs end with the name of a provider


def read_callback_path(value: object) -> str:
    """Read the path of a redirect URI."""
    if not isinstance(value, str) or len(value) > MAX_CALLBACK_PATH_LENGTH or not _PATH.fullmatch(value):
        raise ValueError(
            "must be a path below base_url of plain segments, without a query, such as '/login/oidc/return', "
            f"got {describe_value(value)}"
        )
    return value


def callback_aliases(auth_path: str, providers: Mapping[str, ProviderSettings]) -> dict[str, OwnUrl]:
    """Return the callbacks that are not where they are by default, by path."""
    moved = {name: settings.callback_path for name, settings in providers.items() if settings.callback_path}
    # Each provider has exactly one redirect URI (RFC 9700 §4.4.2.2), so none is left at the default one.
    old = {_default_path(auth_path, name): OwnUrl("callback", _NO_PROVIDER) for name in moved}
    return old | {path.rstrip("/"): OwnUrl("callback", name) for name, path in moved.items()}


def callback_problems(providers: Mapping[str, str | None], *, auth_path: str, base_path: str) -> list[str]:
    """Report paths that are in use already: by another provider, or by another one of our own URLs.

    Two providers at one redirect URI could be mixed up: as long as a provider does not send `iss`, only the path tells
    whose authorization response it is (RFC 9700 §4.4).

    Args:
        providers: the setting `callback_path` of each provider, by name; the name is empty for the flat keywords.
        base_path: the path of `base_url`, which comes before all of them.
    """
    problems: list[str] = []
    users: dict[str, str] = {}
    for name, path in providers.items():
        if path is None:
            continue
        plain, label = path.rstrip("/"), f"providers: callback_path of {name}" if name else "callback_path"
        other = users.setdefault(plain, name)
        if other != name:
            problems.append(
                f"{label}: {other} has {plain} too, so their responses could be mixed up: "
                "register another redirect URI for one of them"
            )
        elif base_path and plain.startswith(f"{base_path}/"):
            problems.append(f"{label}: is below base_url already: write {path.removeprefix(base_path)!r}")
        elif _is_taken(auth_path, plain, name, providers):
            problems.append(f"{label}: {plain} is a URL of asgi-oidc: use another path, or change auth_path")
    return problems


def landing_problems(providers: Mapping[str, str | None], *, base_url: str, landing: str | None) -> list[str]:
    """Report a sign-out that would end at a callback."""
    own = {f"{base_url.rstrip('/')}{path.rstrip('/')}" for path in providers.values() if path}
    if (landing or "").partition("?")[0].rstrip("/") not in own:
        return []
    return ["post_logout_redirect_uri: must be a page of the app, not the callback_path of a provider"]


def callback_paths_in(values: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the setting `callback_path` of each provider, by name, from checked values of all settings."""
    providers = values.get("providers")
    if providers is None:
        return {"": values.get("callback_path")}
    if not isinstance(providers, Mapping):
        return {}
    return {name: settings.callback_path for name, settings in providers.items()}


def _is_taken(auth_path: str, path: str, name: str, providers: Collection[str]) -> bool:
    """Whether a path is another one of our own URLs; the default callback of this provider is not."""
    if not path.startswith(f"{auth_path}/"):
        return False
    first, *rest = path.removeprefix(f"{auth_path}/").split("/")
    if first != "callback":
        return not rest or first in _LOGOUTS
    return rest != [name] and len(rest) == 1 and rest[0] in providers


def _default_path(auth_path: str, name: str) -> str:
    return f"{auth_path}/callback/{name}" if name else f"{auth_path}/callback"
