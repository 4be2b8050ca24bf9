"""The TLS contexts of our own HTTP clients: what they accept, and the certificate with which they authenticate."""

import os
import ssl
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio

from asgi_oidc.protocol.certificate_pair import CertificatePair

# The TLS 1.2 ciphers that BCP 195 recommends (RFC 9325 §4.2), in OpenSSL's spelling; FAPI 2.0 Security Profile §5.2.2
# permits no others. Those of TLS 1.3 are all permitted, and not affected by this list.
RECOMMENDED_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
MAX_CONTEXTS = 64  # one takes 0.8 MB, for the CA certificates, and 35 ms to make


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """How our own client behaves in the TLS handshake with one provider.

    Attributes:
        certificate: with which it authenticates; None for none.
        only_recommended_ciphers: whether it refuses all but `RECOMMENDED_CIPHERS`.
    """

    certificate: CertificatePair | None = None
    only_recommended_ciphers: bool = False


DEFAULT_TLS = TlsOptions()


class TlsContexts:
    """Makes a context once for each kind of options, and keeps the most recently used ones."""

    def __init__(self, make_default: Callable[[], ssl.SSLContext], *, most: int = MAX_CONTEXTS) -> None:
        """Prepare.

        Args:
            make_default: makes a context that checks certificates and host names.
            most: how many are kept.
        """
        self._make_default = make_default
        self._most = most
        self._kept: OrderedDict[TlsOptions, ssl.SSLContext] = OrderedDict()

    def __repr__(self) -> str:
        return f"TlsContexts({len(self._kept)})"

    def context(self, options: TlsOptions) -> ssl.SSLContext:
        """Return the context; if it has to be made, that takes 35 ms. Errors as in `make_context`."""
        kept = self._kept.get(options)
        return self._keep(options, self._make(options)) if kept is None else self._used(options, kept)

    async def prepared_context(self, options: TlsOptions) -> ssl.SSLContext:
        """Return the context; if it has to be made, a thread does so, and nobody else waits. Errors as in `context`."""
        kept = self._kept.get(options)
        if kept is not None:
            return self._used(options, kept)
        # A limiter of its own: the app's blocking work may have taken all threads of the common one.
        made = await anyio.to_thread.run_sync(self._make, options, limiter=anyio.CapacityLimiter(1))
        return self._keep(options, made)

    def forget(self, options: TlsOptions) -> None:
        """Drop the context, whose certificate was replaced: it holds the private key, and takes memory."""
        self._kept.pop(options, None)

    def _make(self, options: TlsOptions) -> ssl.SSLContext:
        return make_context(options, self._make_default)

    def _keep(self, options: TlsOptions, made: ssl.SSLContext) -> ssl.SSLContext:
        context = self._used(options, self._kept.setdefault(options, made))  # another call may have been faster
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return context

    def _used(self, options: TlsOptions, context: ssl.SSLContext) -> ssl.SSLContext:
        self._kept.move_to_end(options)
        return context


def make_context(options: TlsOptions, make_default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Make a context for TLS 1.2 and better.

    Raises:
        ValueError: the certificate cannot be used; the text says why.
        Exception: what `make_default` raises.
    """
    context = make_default()
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # whatever the machine's openssl.cnf says
    if options.only_recommended_ciphers:
        context.set_ciphers(":".join(RECOMMENDED_CIPHERS))
    if options.certificate is not None:
        load_certificate(context, options.certificate)
    return context


def load_certificate(context: ssl.SSLContext, pair: CertificatePair) -> None:
    """Let a context authenticate with a certificate.

    Raises:
        ValueError: OpenSSL refuses it, or there is no place for the file that it needs.
    """
    problem = _load(context, pair)
    if problem:
        raise ValueError(problem)  # raised here, where no cause has the key in its frames


def _load(context: ssl.SSLContext, pair: CertificatePair) -> str:
    """Load the pair; return why that is not possible, empty if it is."""
    try:
        with _private_file(pair.chain + pair.key) as path:
            context.load_cert_chain(path, password=_no_passphrase)
    except ssl.SSLError as error:
        return f"TLS cannot use it ({getattr(error, 'reason', None) or 'no reason given'})"
    except OSError as error:
        return f"it cannot be handed to OpenSSL, which needs a temporary file ({type(error).__name__})"
    return ""


def _no_passphrase() -> str:
    return ""  # otherwise, OpenSSL would ask for one in the terminal


@contextmanager
def _private_file(text: str) -> Iterator[str]:
    """Write a file that only we can read, for as long as OpenSSL reads it; return its path.

    Python's ssl module loads keys from files only. On Linux the file is in memory, and has no name; elsewhere it is a
    temporary file that is deleted at once.
    """
    descriptor, path, is_named = _create_file()
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", closefd=False) as file:
            file.write(text)
        yield path
    finally:
        os.close(descriptor)
        if is_named:
            with suppress(OSError):
                Path(path).unlink()


def _create_file() -> tuple[int, str, bool]:
    """Create it; return its descriptor, its path, and whether that has to be deleted."""
    if hasattr(os, "memfd_create"):
        with suppress(OSError):  # a sandbox may forbid it
            descriptor = os.memfd_create("asgi-oidc", os.MFD_CLOEXEC)
            path = f"/proc/self/fd/{descriptor}"
            if os.access(path, os.R_OK):
                return descriptor, path, False
            os.close(descriptor)
    return *tempfile.mkstemp(prefix="asgi-oidc-"), True  # mode 0600
