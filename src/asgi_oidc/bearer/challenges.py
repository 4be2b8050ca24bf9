"""The challenges of an API: values of `WWW-Authenticate` that tell a client which token it needs, and where to get it.

Source: RFC 9110 §11.6.1 (syntax), RFC 6750 §3 (Bearer), RFC 9449 §7.1 (DPoP), RFC 9470 §3 (step-up), RFC 9728 §5.1
(`resource_metadata`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from asgi_oidc.protocol.step_up import AuthenticationRequest

Scheme = Literal["Bearer", "DPoP"]
Header = tuple[bytes, bytes]

BEARER: Scheme = "Bearer"
DPOP: Scheme = "DPoP"
# The errors of a challenge; each comes with its own status: 401, except for `insufficient_scope`, which is a 403.
INVALID_TOKEN = "invalid_token"  # noqa: S105  # a code of an error
INVALID_DPOP_PROOF = "invalid_dpop_proof"
USE_DPOP_NONCE = "use_dpop_nonce"
INSUFFICIENT_SCOPE = "insufficient_scope"
INSUFFICIENT_USER_AUTHENTICATION = "insufficient_user_authentication"

MAX_VALUE_LENGTH = 1024  # characters; proxies refuse responses with headers of more than 4 to 8 kB in all


@dataclass(frozen=True, slots=True)
class Challenges:
    """Makes the challenges of one API.

    Attributes:
        resource_metadata: URL of its metadata, where clients find the authorization server.
        dpop_algorithms: the algorithms of DPoP proofs that it accepts.
        requires_dpop: whether it accepts only tokens that are bound to a key by DPoP.
        narrower: the challenges of other APIs of the same app, by their paths below `base_url`, the longest first.
    """

    resource_metadata: str
    dpop_algorithms: Sequence[str]
    requires_dpop: bool = False
    narrower: Mapping[str, "Challenges"] = field(default_factory=dict)

    def at(self, paths: Collection[str]) -> "Challenges":
        """Return the challenges of the API at a path; clients compare its metadata with the URL of their request.

        Args:
            paths: the readings of the path, below `base_url`.
        """
        for start, challenges in self.narrower.items():
            if any(f"{path}/".startswith(f"{start}/") for path in paths):
                return challenges
        return self

    def token_missing(self, scopes: Sequence[str] = ()) -> Header:
        """Return the challenge to a client that has sent no token; it has no `error` (RFC 6750 §3.1).

        Args:
            scopes: those that the token needs.
        """
        return self._challenge(BEARER, ("scope", " ".join(scopes)))

    def token_refused(self, description: str, *, scheme: Scheme, error: str = INVALID_TOKEN) -> Header:
        """Return the challenge to a client whose token or proof is refused.

        Args:
            description: a fixed text for the developer of the client; never text from the token.
            scheme: under which a token like this one has to be sent.
        """
        return self._challenge(scheme, ("error", error), ("error_description", description))

    def dpop_offered(self) -> Header:
        """Return the challenge that tells a client with which algorithms it can make DPoP proofs (RFC 9449 §7.2)."""
        return self._challenge(DPOP)

    def scope_missing(self, scopes: Sequence[str], *, scheme: Scheme) -> Header:
        """Return the challenge to a client whose token lacks a scope.

        Args:
            scopes: all that the request needs, so that the client can ask for all of them at once.
            scheme: of the token.
        """
        error, description = INSUFFICIENT_SCOPE, "The token lacks a scope that this request needs"
        return self._challenge(
            scheme, ("error", error), ("error_description", description), ("scope", " ".join(scopes))
        )

    def step_up(self, authentication: AuthenticationRequest, *, scheme: Scheme) -> Header:
        """Return the challenge to a client whose user has to sign in again, in a stronger way or more recently.

        Args:
            scheme: of the token.
        """
        needed = authentication.parameters
        return self._challenge(
            scheme,
            ("error", INSUFFICIENT_USER_AUTHENTICATION),
            ("error_description", "The user has to sign in again, in a stronger way or more recently"),
            ("acr_values", needed.get("acr_values", "")),
            ("max_age", needed.get("max_age", "")),
        )

    def _challenge(self, scheme: Scheme, *parameters: tuple[str, str]) -> Header:
        """Return a header; parameters without a value are left out."""
        scheme = DPOP if self.requires_dpop else scheme
        algorithms = (("algs", " ".join(self.dpop_algorithms)),) if scheme == DPOP else ()
        listed = _listed((("resource_metadata", self.resource_metadata), *parameters, *algorithms))
        return (b"www-authenticate", f"{scheme} {listed}".encode("ascii"))


def _listed(parameters: Iterable[tuple[str, str]]) -> str:
    # One that is too long is left out: what is cut in the middle would mean something else.
    return ", ".join(f'{name}="{_quoted(value)}"' for name, value in parameters if 0 < len(value) <= MAX_VALUE_LENGTH)


def _quoted(value: str) -> str:
    """Return the inside of a quoted string; what would end it, or the header, never gets in."""
    printable = "".join(character if " " <= character <= "~" else "?" for character in value)
    return printable.replace("\\", "\\\\").replace('"', '\\"')
