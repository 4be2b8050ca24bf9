"""What stand-ins for OpenID providers share: their metadata."""

from collections.abc import Sequence
from typing import Any, ClassVar

from .stand_in import StandIn


class OpenIDStandIn(StandIn):
    """An OpenID provider that differs from the specifications here and there.

    It may support what its metadata does not announce, such as PKCE.
    """

    code_challenge_methods: ClassVar[Sequence[str]] = ()
    """Those that the metadata announces."""
    subject_type: ClassVar[str] = "public"
    scopes_supported: ClassVar[Sequence[str]] = ("openid", "profile", "email")

    def _own_metadata(self) -> dict[str, Any]:
        announced = self.code_challenge_methods
        return {
            **super()._own_metadata(),
            "response_types_supported": ["code"],
            "subject_types_supported": [self.subject_type],
            "id_token_signing_alg_values_supported": [self.alg],
            "scopes_supported": list(self.scopes_supported),
            "token_endpoint_auth_methods_supported": list(self.client_auth_methods),
            **({"code_challenge_methods_supported": list(announced)} if announced else {}),
        }
