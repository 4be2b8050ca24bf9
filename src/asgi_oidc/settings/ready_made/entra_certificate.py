"""The certificate of an app at Microsoft Entra, whose key signs client assertions; it is not presented in TLS.

Source: Microsoft identity platform, "Application authentication certificate credentials".
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from asgi_oidc.protocol.certificate_pair import CertificatePair, read_certificate_pair
from asgi_oidc.protocol.jose_signing import read_signing_key
from asgi_oidc.settings.certificate_checks import read_pem
from asgi_oidc.settings.ready_made.preset import read_argument

ALGORITHM = "PS256"
METHOD = "private_key_jwt"


class EntraCertificate(NamedTuple):
    """What follows from the settings of a certificate.

    Attributes:
        settings: those that take their place.
        thumbprint: of the certificate; None if there is none, or none that can be used.
    """

    settings: Mapping[str, Any]
    thumbprint: str | None = None

    def __repr__(self) -> str:
        return f"EntraCertificate(thumbprint={self.thumbprint!r})"


def entra_certificate(given: Mapping[str, Any], problems: list[str]) -> EntraCertificate:
    """Read `client_certificate` and `client_certificate_key`; add what is wrong to the problems.

    Args:
        given: the settings of the app, not checked yet.
    """
    if given.get("client_certificate") is None:
        return EntraCertificate({})
    found = len(problems)
    pair = read_argument("client_certificate", _read_pair, given, problems)
    if given.get("client_auth") not in (None, METHOD):
        problems.append(f"client_auth: Entra knows certificates with {METHOD} only; leave it out")
    if given.get("client_assertion_file") is not None:
        problems.append("client_assertion_file: client_certificate already signs the assertions: remove one of them")
    replaced: dict[str, Any] = {"client_certificate": None, "client_certificate_key": None, "client_auth": None}
    if pair is None or len(problems) > found:
        return EntraCertificate(replaced)
    signing = {"client_key": pair.key, "token_endpoint_auth_signing_alg": ALGORITHM, "client_auth": METHOD}
    return EntraCertificate({**replaced, **signing}, pair.thumbprint)


def _read_pair(given: Any) -> CertificatePair:
    key = given.get("client_certificate_key")
    pair = read_certificate_pair(read_pem(given["client_certificate"]), None if key is None else read_pem(key))
    kind = read_signing_key(pair.key).private.kty
    if kind != "RSA":
        raise ValueError(f"Entra needs a certificate with an RSA key, for {ALGORITHM}; got a key of type {kind}")
    return pair
