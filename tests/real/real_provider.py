"""The certified provider from npm, as a process that the tests can change."""

import contextlib
import json
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.real import programs
from tests.real.certificates import Certificate
from tests.real.processes import running

CLIENT_SECRET = "spaces, 100%, +, & and: a colon; all to be encoded"  # RFC 6749 §2.3.1


@dataclass(frozen=True)
class RealProvider:
    """A certified OpenID Provider (oidc-provider, run by Node) that knows alice and bob.

    Attributes:
        issuer: its URL; on 127.0.0.1, so that an app on localhost is another site for a browser.
        ca: PEM file to trust when it speaks https.
    """

    issuer: str
    ca: str | None = None

    def register(
        self, *clients: dict[str, Any], claims_in_id_token: bool = False, access_token_lifetime: int = 300
    ) -> None:
        """Know these clients from now on, and forget all calls.

        Args:
            claims_in_id_token: True leaves userinfo with nothing new to say, for all clients.
            access_token_lifetime: Seconds, for all clients.
        """
        self._control(
            {
                "clients": clients,
                "conformIdTokenClaims": not claims_in_id_token,
                "accessTokenLifetime": access_token_lifetime,
            }
        )

    def change_lifetime(self, access_token: int) -> None:
        """Let access tokens live for so many seconds from now on, and forget all calls."""
        self._control({"accessTokenLifetime": access_token})

    def protect(self, url: str, scopes: Sequence[str], *, opaque: bool = False) -> None:
        """Issue access tokens for this API alone (RFC 8707), JWTs (RFC 9068) or opaque ones, and forget all calls.

        Args:
            scopes: those that the API has; everybody grants what is asked.
        """
        token_format = "opaque" if opaque else "jwt"
        self._control({"resources": {url: {"scope": " ".join(scopes), "format": token_format}}})

    def rotate_keys(self) -> None:
        """Sign with a new key from now on, and publish it alone."""
        self._control({"rotate": True})

    @property
    def calls(self) -> Sequence[str]:
        """What was asked since the last change: `POST /token`."""
        return self._recorded("calls")

    @property
    def grants(self) -> Sequence[str]:
        """What the token endpoint was asked for since then: `refresh_token`, or `refresh_token invalid_grant`."""
        return self._recorded("grants")

    @property
    def logouts(self) -> Sequence[str]:
        """Which clients took a logout token since then: `web`, or `web Error: ...` with what it answered."""
        return self._recorded("logouts")

    @property
    def revoked(self) -> Sequence[str]:
        """Where grants were ended since then: `token` (a refresh token came twice), `revocation`, `end_session_...`."""
        return self._recorded("revoked")

    def _recorded(self, what: str) -> Sequence[str]:
        found: list[str] = self._control(None)[what]
        return found

    def _control(self, changes: dict[str, Any] | None) -> dict[str, Any]:
        verify = ssl.create_default_context(cafile=self.ca)
        with httpx.Client(base_url=self.issuer, verify=verify, timeout=60, trust_env=False) as caller:
            method = "GET" if changes is None else "POST"
            answer: dict[str, Any] = caller.request(method, "/__control", json=changes).json()
            return answer


@contextlib.contextmanager
def real_provider(certificate: Certificate | None = None, *, client_authority: str = "") -> Iterator[RealProvider]:
    """Run the provider while the block lasts: https with a certificate, else http.

    Args:
        client_authority: PEM file of the authority of its clients' certificates; with it, the provider follows the FAPI
            2.0 Security Profile.
    """
    files = {"certificate": certificate.chain, "key": certificate.key} if certificate else {}
    files |= {"clientAuthority": client_authority} if client_authority else {}
    environ = {"NODE_EXTRA_CA_CERTS": certificate.ca} if certificate else {}
    with running([*programs.provider_command(), json.dumps(files)], environ) as process:
        process.wait_until(lambda: process.said.endswith("\n"), "the provider says its issuer")
        issuer = json.loads(process.said.splitlines()[-1])["issuer"]
        yield RealProvider(issuer, certificate.ca if certificate else None)


REFRESHING = {"grant_types": ["authorization_code", "refresh_token"]}  # makes the client one that gets refresh tokens


def client(origin: str, **changes: Any) -> dict[str, Any]:
    """Describe a client whose app is at this origin (OpenID Connect Registration §2); `None` leaves a member out."""
    members = {
        "client_id": "web",
        "client_secret": CLIENT_SECRET,
        "token_endpoint_auth_method": "client_secret_basic",
        "redirect_uris": [f"{origin}/auth/callback"],
        "post_logout_redirect_uris": [f"{origin}/"],
        **changes,
    }
    return {name: value for name, value in members.items() if value is not None}
