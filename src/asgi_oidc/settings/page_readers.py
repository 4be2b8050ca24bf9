"""Checks the settings about the pages that are functions and paths."""

import inspect
import re

from asgi_oidc.errors import describe_value
from asgi_oidc.pages.page import RenderPages

MAX_LOGO_LENGTH = 500  # characters
_PATH = re.compile(r"/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?")


def read_app_logo(value: object) -> str:
    """Read the path of the app's logo."""
    if not isinstance(value, str) or len(value) > MAX_LOGO_LENGTH or not _PATH.fullmatch(value) or "/../" in value:
        raise ValueError(
            "must be a path on the app's own origin, such as '/static/logo.svg', because pages load nothing from "
            f"elsewhere; got {describe_value(value)}"
        )
    return value


def read_pages(value: object) -> RenderPages:
    """Accept the app's function for pages."""
    if inspect.isclass(value) or not callable(value):
        raise ValueError(f"must be a function of a page that returns HTML or None, got {describe_value(value)}")
    return value
