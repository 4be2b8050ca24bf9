"""What is registered of a client certificate: its subject, or its public key with the certificate itself (RFC 8705 §2).

Source: RFC 4514 (subjects), RFC 7517 §4.7 (`x5c`), RFC 7518 §6 (keys).
"""

from base64 import b64encode, urlsafe_b64encode

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from asgi_oidc.protocol.certificate_pair import CertificatePair

_CURVES = {"secp256r1": ("P-256", 32), "secp384r1": ("P-384", 48), "secp521r1": ("P-521", 66)}  # name, bytes


def subject_of(pair: CertificatePair) -> str:
    """Return the subject of the client's certificate, as `tls_client_auth_subject_dn` has it."""
    return _first(pair).subject.rfc4514_string()


def is_self_signed(pair: CertificatePair) -> bool:
    """Return whether no authority has issued the certificate."""
    certificate = _first(pair)
    return certificate.issuer == certificate.subject


def certificate_jwk(pair: CertificatePair) -> dict[str, object]:
    """Return the public key of the client's certificate as a JWK, with the certificate in `x5c`."""
    certificate = _first(pair)
    x5c = [b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii")]
    return {**_public_members(certificate), "kid": pair.thumbprint, "use": "sig", "x5c": x5c}


def _first(pair: CertificatePair) -> x509.Certificate:
    return x509.load_pem_x509_certificates(pair.chain.encode())[0]


def _public_members(certificate: x509.Certificate) -> dict[str, object]:
    key = certificate.public_key()
    if isinstance(key, RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    if isinstance(key, EllipticCurvePublicKey):
        curve, size = _CURVES[key.curve.name]
        point = key.public_numbers()
        return {"kty": "EC", "crv": curve, "x": _number(point.x, size), "y": _number(point.y, size)}
    name = {32: "Ed25519", 57: "Ed448"}[len(raw := key.public_bytes_raw())]  # type: ignore[union-attr]  # the only others that `read_certificate_pair` accepts
    return {"kty": "OKP", "crv": name, "x": _text(raw)}


def _number(value: int, size: int = 0) -> str:
    return _text(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
