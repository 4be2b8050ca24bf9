"""The setting `health_path`: the URLs of the health checks."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from asgi_oidc.bearer.resource_metadata import WELL_KNOWN_PATH
from asgi_oidc.endpoints.health import LIVE, LIVENESS, READINESS
from asgi_oidc.errors import describe_value
from asgi_oidc.policy.endpoint_paths import OwnUrl
from asgi_oidc.safe_urls import check_url

MAX_HEALTH_PATH_LENGTH = 256  # characters

# The one spelling that every server and framework reads in the same way.
_PATH = re.compile(r"(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._~-]+)+")


def read_health_path(value: object) -> str:
    """Read the path of the readiness check."""
    if not isinstance(value, str) or len(value) > MAX_HEALTH_PATH_LENGTH or not _PATH.fullmatch(value):
        raise ValueError(
            "must be a path below base_url of plain segments, without a trailing '/', such as '/healthz', "
            f"got {describe_value(value)}"
        )
    return value


def health_urls(path: str | None) -> Mapping[str, OwnUrl]:
    """Return our URLs of the setting, by path below `base_url`; none if it is not set."""
    return {} if path is None else {path: OwnUrl(READINESS), f"{path}{LIVE}": OwnUrl(LIVENESS)}


def health_problems(values: Mapping[str, Any], callback_paths: Iterable[str | None]) -> list[str]:
    """Report a path that is in use already, by the app as far as the settings tell, or by another one of our URLs.

    Args:
        values: checked values of all settings, `base_url` and `auth_path` among them.
        callback_paths: the setting `callback_path` of each provider.
    """
    path = values.get("health_path")
    if path is None:
        return []
    base_path = check_url(values["base_url"]).path.rstrip("/")
    if base_path and f"{path}/".startswith(f"{base_path}/"):
        return [f"health_path: is below base_url already: write {path.removeprefix(base_path) or '/healthz'!r}"]
    paths = list(health_urls(path))
    callbacks = {callback.rstrip("/") for callback in callback_paths if callback is not None}
    folders = (values["auth_path"], *((WELL_KNOWN_PATH,) if values.get("bearer") is not None else ()))
    return [
        *(
            f"health_path: {each} is a URL of asgi-oidc: use another path, such as '/healthz'"
            for each in paths
            if each in callbacks or any(_is_below(each, folder) for folder in folders)
        ),
        *_pattern_problems(paths, values),
        *_landing_problems(paths, values),
    ]


def _is_below(path: str, other: str) -> bool:
    return f"{path}/".startswith(f"{other}/")


def _pattern_problems(paths: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """Report patterns that name these paths: the app no longer gets requests for them."""
    return [
        *(
            f"health_path: public names {str(pattern)!r}, but asgi-oidc answers {pattern.stem} itself, without a user: "
            "remove it from public, or use another path"
            for pattern in values.get("public", ())
            if pattern.stem in paths
        ),
        *(
            f"health_path: {rule!r} is for the app, but asgi-oidc answers {rule.pattern.stem} itself: remove the rule, "
            "or use another path"
            for rule in values.get("rules", ())
            if rule.pattern.stem in paths
        ),
    ]


def _landing_problems(paths: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    landing = (values.get("post_logout_redirect_uri") or "").partition("?")[0].rstrip("/")
    if landing not in {f"{base_url.rstrip('/')}{path}" for base_url in values["base_urls"] for path in paths}:
        return []
    return ["post_logout_redirect_uri: must be a page of the app, not the health_path"]
