"""The settings that every middleware needs, and nothing else."""

from typing import Any

import pytest

from asgi_oidc.errors import SettingsError
from asgi_oidc.settings.settings import Settings, read_settings

SECRET = "u3Jx0q2gPzS8vN5kYtR1bW6mLcA9dEfHiQoZ7KsXjUw"
OTHER_SECRET = "Tq7Zb1nVx4Lw9KcYh2PsRd8MgJf3Ue6AoWi5XvBkQzE"
REQUIRED: dict[str, Any] = {
    "issuer": "https://id.example.com",
    "client_id": "web",
    "client_secret": "s3cret-of-the-client",
    "base_url": "https://app.example.com",
    "secret": SECRET,
}


def read(**changes: Any) -> Settings:
    """Read the needed settings with these changes; `...` leaves one out."""
    return read_settings({name: value for name, value in {**REQUIRED, **changes}.items() if value is not ...})


def problems(**changes: Any) -> tuple[str, ...]:
    """Say what is wrong with them."""
    with pytest.raises(SettingsError) as caught:
        read(**changes)
    assert caught.value.code == "settings"
    return caught.value.problems
