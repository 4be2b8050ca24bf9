"""Finds out why a connection failed: one error code for each cause, and what to do about it.

HTTP libraries raise the same class for a missing DNS name, an untrusted certificate and an unreachable proxy; the cause
is in the exceptions that led to it. Their classes are recognized by name, because httpx and httpx2 have none in common.
"""

import errno
import socket
import ssl
import traceback
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

TRUST = "set SSL_CERT_FILE to a file that contains this CA, or http_client to a client that trusts it"
CLOCK = "check this server's clock; if it is right, the provider has to renew the certificate"
PROXY = "check HTTPS_PROXY, ALL_PROXY and NO_PROXY, or the proxy of http_client"

# OpenSSL, X509_verify_cert_error_string(3)
NOT_TRUSTED = (2, 18, 19, 20, 21)  # the certificate's issuer is unknown, or it is self-signed
NOT_YET_VALID, EXPIRED = 9, 10
OTHER_NAME = (62, 64)  # host name or IP address
# OpenSSL, reasons of the SSL library
NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "RECORD_LAYER_FAILURE")
OTHER_VERSION = (
    "UNSUPPORTED_PROTOCOL",
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "NO_PROTOCOLS_AVAILABLE",
    "NO_SHARED_CIPHER",
    "DH_KEY_TOO_SMALL",
)
# Despite its name, of all TLS versions; the cause may be a cipher or a missing client certificate.
HANDSHAKE = "SSLV3_ALERT_HANDSHAKE_FAILURE"
CLIENT_CERTIFICATE = (
    "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "SSLV3_ALERT_BAD_CERTIFICATE",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "SSLV3_ALERT_CERTIFICATE_REVOKED",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    "TLSV1_ALERT_UNKNOWN_CA",
)
OWN_CERTIFICATE = "set client_certificate to one that the provider accepts, or give it to http_client"
PROXY_FILES = ("http_proxy.py", "socks_proxy.py")  # modules of httpcore and httpcore2 that connect through a proxy


class Cause(NamedTuple):
    """Why a connection failed: a stable code, and a text with the fix."""

    code: str
    text: str


def find_cause(error: BaseException, *, before: BaseException | None = None) -> Cause | None:
    """Find out why a connection failed; None if the cause is unknown.

    Args:
        before: an exception that was already being handled when the call was made; it is not the cause.
    """
    chain = list(_chain(error, before))
    cause = next((found for link in chain if (found := _cause_in(link))), None)
    # TLS errors are between us and the provider, even if the connection goes through a proxy.
    is_of_tls = cause is not None and cause.code.startswith("connect_tls")
    if cause is None or is_of_tls or not any(_is_by_proxy(link) for link in chain):
        return cause
    return Cause("connect_proxy", f"the proxy could not be reached or did not connect ({cause.code}): {PROXY}")


def is_timeout(error: BaseException) -> bool:
    """Whether this is the timeout error of an HTTP library."""
    return "TimeoutException" in [kind.__name__ for kind in type(error).__mro__]


def url_without_secrets(url: str) -> str:
    """Return a URL without user name, password, query and fragment, which may contain secrets."""
    try:
        split = urlsplit(url)
        return f"{split.scheme}://{split.netloc.rpartition('@')[2]}{split.path}"
    except ValueError:
        return "an invalid URL"


def _chain(error: BaseException, before: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, its causes, contexts and members of groups, each once; the outermost first."""
    visited = {id(before)}
    waiting = [error]
    while waiting:
        link = waiting.pop(0)
        if id(link) not in visited:
            visited.add(id(link))
            yield link
            inner = (link.__cause__, link.__context__, *getattr(link, "exceptions", ()))
            waiting += [exception for exception in inner if exception is not None]


def _cause_in(error: BaseException) -> Cause | None:
    match error:
        case ssl.SSLCertVerificationError():
            return _certificate(error)
        case ssl.SSLWantReadError() | ssl.SSLWantWriteError():  # non-blocking TLS waits for data: not a failure
            return None
        case ssl.SSLError():
            return _tls(error)
        case socket.gaierror():
            return Cause("connect_dns", "the host name is not found: check its spelling, and DNS on this machine")
        case ConnectionRefusedError():
            return Cause("connect_refused", "nothing listens there: is the server running, and is the port right?")
        case OSError(errno=errno.ENETUNREACH | errno.EHOSTUNREACH | errno.ENETDOWN):
            return Cause("connect_network", "the network is unreachable: check routes and firewalls")
    names = [kind.__name__ for kind in type(error).__mro__]
    if "ProxyError" in names:
        return Cause("connect_proxy", f"the proxy refused the connection: {PROXY}")
    if "ConnectTimeout" in names:
        return Cause("connect_timeout", "connecting timed out: check the host, the port and any firewalls in between")
    return None


def _certificate(error: ssl.SSLCertVerificationError) -> Cause:
    code = error.verify_code
    if code in NOT_TRUSTED:
        return Cause("connect_tls_untrusted", f"its certificate is from a CA that is not trusted here: {TRUST}")
    if code in OTHER_NAME:
        return Cause("connect_tls_name", "its certificate is for other host names: check the host in the URL")
    if code == EXPIRED:
        return Cause("connect_tls_expired", f"its certificate has expired: {CLOCK}")
    if code == NOT_YET_VALID:
        return Cause("connect_tls_not_yet_valid", f"its certificate is not valid yet: {CLOCK}")
    return Cause("connect_tls_certificate", f"its certificate was rejected: {error.verify_message}")


def _tls(error: ssl.SSLError) -> Cause:
    reason = getattr(error, "reason", None) or "no reason given"  # not all of them have one
    if reason in NOT_TLS:
        text = "the server does not use TLS: check the port, and whether the URL should be http"
        return Cause("connect_tls_protocol", text)
    if reason in OTHER_VERSION:
        return Cause("connect_tls_version", f"no TLS version or cipher in common ({reason}): the provider must update")
    if reason == HANDSHAKE:
        return Cause(
            "connect_tls_handshake",
            f"the server requires another cipher or TLS version, or a client certificate: {OWN_CERTIFICATE}",
        )
    if reason in CLIENT_CERTIFICATE:
        return Cause(
            "connect_tls_client_certificate",
            f"the server requires a client certificate that it accepts ({reason}): {OWN_CERTIFICATE}",
        )
    return Cause("connect_tls", f"TLS failed ({reason})")


def _is_by_proxy(error: BaseException) -> bool:
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(frame.f_code.co_filename.endswith(PROXY_FILES) for frame in frames)
