"""The providers that `init` knows: the question for their address, their variables, and where to register."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from asgi_oidc.cli.arguments import DEVELOPMENT_SECRET
from asgi_oidc.settings.value_checks import read_issuer

GUIDES = "https://github.com/asgi-oidc/asgi-oidc/blob/main/examples/providers/"
# The client of `asgi-oidc provider`.
LOCAL_CLIENT = {"OIDC_CLIENT_ID": "web", "OIDC_CLIENT_SECRET": DEVELOPMENT_SECRET}

_HOST = re.compile(r"([a-z0-9-]+\.)+[a-z]{2,}", re.IGNORECASE)
_TENANT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|([a-z0-9-]+\.)+[a-z]{2,}", re.IGNORECASE)
_POOL = re.compile(r"([a-z]{2}(?:-[a-z]+)+-[0-9])_[A-Za-z0-9]+")


class KnownProvider(NamedTuple):
    """A provider.

    Attributes:
        title: its name.
        question: what to ask for its address; empty if that is known.
        example: of an answer.
        variables: makes the variables from the answer. It raises ValueError if the answer cannot be right.
        guide: where to read how to register; empty if there is nothing to register.
        name: that of `OIDC_PROVIDERS`; empty for the one provider of the flat settings.
        has_logout: whether users can be sent there to sign out.
        has_backchannel: whether it can call the app when a user signs out there.
    """

    title: str
    variables: Callable[[str], dict[str, str]]
    question: str = ""
    example: str = ""
    guide: str = GUIDES + "README.md"
    name: str = ""
    has_logout: bool = True
    has_backchannel: bool = False


def _issuer(url: str, **further: str) -> dict[str, str]:
    return {"OIDC_ISSUER": read_issuer(url), "OIDC_CLIENT_ID": "", "OIDC_CLIENT_SECRET": "", **further}


def _host_of(text: str) -> str:
    host = text.strip().removeprefix("https://").rstrip("/")
    if not _HOST.fullmatch(host):
        raise ValueError("must be a host name, without a path")
    return host


def _entra(tenant: str) -> dict[str, str]:
    if not _TENANT.fullmatch(tenant):
        raise ValueError("must be the tenant ID or a domain of the tenant; for several tenants, see the guide")
    if "." in tenant:
        raise ValueError("must be the tenant ID (Overview page): the issuer has it, whatever the domain")
    return _issuer(f"https://login.microsoftonline.com/{tenant.lower()}/v2.0")


def _cognito(pool: str) -> dict[str, str]:
    found = _POOL.fullmatch(pool)
    if found is None:
        raise ValueError("must be the ID of a user pool")
    url = f"https://cognito-idp.{found[1]}.amazonaws.com/{pool}"
    return _issuer(url, OIDC_END_SESSION_PARAMETERS="cognito")


def _github(_: str) -> dict[str, str]:
    return {"OIDC_PROVIDERS": "github", "OIDC_GITHUB_CLIENT_ID": "", "OIDC_GITHUB_CLIENT_SECRET": ""}


PROVIDERS: Mapping[str, KnownProvider] = {
    "local": KnownProvider(
        "a fake one on this machine, to begin with (asgi-oidc provider)",
        lambda url: {**_issuer(url or "http://127.0.0.1:9400"), **LOCAL_CLIENT},
        guide="",
    ),
    "google": KnownProvider(
        "Google",
        lambda _: _issuer("https://accounts.google.com"),
        guide=GUIDES + "google.md",
        has_logout=False,
    ),
    "entra": KnownProvider(
        "Microsoft Entra", _entra, "Tenant ID", "8eaef023-2b34-4da1-9baa-8bc8c9d6a490", GUIDES + "entra.md"
    ),
    "okta": KnownProvider(
        "Okta",
        lambda host: _issuer(f"https://{_host_of(host)}"),
        "Domain of the organization",
        "acme.okta.com",
        GUIDES + "okta.md",
    ),
    "auth0": KnownProvider(
        "Auth0",
        lambda host: _issuer(f"https://{_host_of(host)}/"),
        "Domain of the tenant",
        "acme.eu.auth0.com",
        GUIDES + "auth0.md",
        has_backchannel=True,
    ),
    "keycloak": KnownProvider(
        "Keycloak",
        lambda url: _issuer(url.rstrip("/"), OIDC_CLAIMS_FROM_ACCESS_TOKEN="true"),  # noqa: S106  # a switch
        "URL of the realm",
        "https://id.example.com/realms/shop",
        GUIDES + "keycloak.md",
        has_backchannel=True,
    ),
    "cognito": KnownProvider(
        "Amazon Cognito", _cognito, "ID of the user pool", "eu-central-1_AbCdEf123", GUIDES + "cognito.md"
    ),
    "gitlab": KnownProvider(
        "GitLab",
        lambda url: _issuer(url.rstrip("/")),
        "URL of GitLab",
        "https://gitlab.com",
        GUIDES + "gitlab.md",
        has_logout=False,
    ),
    "github": KnownProvider("GitHub", _github, guide=GUIDES + "github.md", name="github", has_logout=False),
    "other": KnownProvider(
        "another OpenID provider", _issuer, "Issuer", "https://id.example.com", has_backchannel=True
    ),
}
