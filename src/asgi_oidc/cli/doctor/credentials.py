"""Checks what the client authenticates with besides a secret: files of keys, certificates, an assertion file."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import anyio

from asgi_oidc.cli.doctor.examined_app import ExaminedApp, name_setting
from asgi_oidc.cli.doctor.finding import Finding
from asgi_oidc.errors import ProviderUnavailable
from asgi_oidc.protocol.certificate_pair import CertificatePair
from asgi_oidc.provider.assertion_file import AssertionFile
from asgi_oidc.settings.environment import meanings_of
from asgi_oidc.settings.variable_values import names_file

# A certificate is public, but its file has the key as well, unless that has a file of its own.
PRIVATE = ("client_key", "client_certificate", "client_certificate_key", "decryption_key")
READABLE = stat.S_IRGRP | stat.S_IROTH
EXPIRES_SOON = 30 * 86_400  # seconds: enough for a renewal by hand
# Of the lifetime, for certificates that live shorter: what renews them does so when a third or half is left.
REMAINING_SHARE = 3


def check_credentials(site: ExaminedApp) -> Iterator[Finding]:
    """Check them; nothing that a file contains is shown."""
    yield from _readable_files(site.environ)
    for name, provider in site.settings.fixed_providers.items():
        client = provider.client
        if client.certificate is not None:
            where = name_setting("client_certificate", name)
            yield from _certificate_findings(client.certificate, now=site.clock(), where=where)
        if client.assertion_file is not None:
            where = name_setting("client_assertion_file", name)
            yield from _assertion_findings(AssertionFile(client.assertion_file, site.clock), where)


def _readable_files(environ: Mapping[str, str]) -> Iterator[Finding]:
    if os.name != "posix":
        return  # the mode of a file says nothing about who may read it
    meanings = meanings_of(environ)
    apart = {owner for owner, setting in meanings.values() if setting == "client_certificate_key"}
    for variable, (owner, setting) in meanings.items():
        has_key = setting in PRIVATE and not (setting == "client_certificate" and owner in apart)
        if not has_key or not names_file(variable):
            continue
        try:
            mode = Path(environ[variable]).stat().st_mode
        except OSError:
            continue  # replaced at this moment
        if mode & READABLE:
            who = "everybody" if mode & stat.S_IROTH else "its group"
            problem = f"{environ[variable]} has a private key, and {who} on this machine can read it"
            fix = (
                "chmod 400 it (defaultMode: 0400 for a volume of Kubernetes); if only the app runs as that user or "
                "group, add --ignore key_file_readable"
            )
            yield Finding("key_file_readable", problem, fix, where=variable)


def _certificate_findings(pair: CertificatePair, *, now: float, where: str) -> Iterator[Finding]:
    left, lifetime = pair.expires_at - now, pair.expires_at - pair.begins_at
    if now < pair.begins_at:
        problem = f"the certificate becomes valid in {_span(pair.begins_at - now)}"
        yield Finding("certificate_not_yet_valid", problem, "check this machine's clock, or wait until then", where)
    if left <= 0:
        problem = f"the certificate expired {_span(-left)} ago: the provider refuses it"
        yield Finding("certificate_expired", problem, "renew it", where)
    elif left < min(EXPIRES_SOON, lifetime / REMAINING_SHARE):
        fix = "renew it; a file of OIDC_CLIENT_CERTIFICATE_FILE may change while the app runs"
        yield Finding("certificate_expires_soon", f"the certificate expires in {_span(left)}", fix, where)
    if not pair.is_for_clients:
        problem = "the certificate's extended key usage lacks clientAuth, so most providers refuse it"
        yield Finding("certificate_not_for_clients", problem, "have one issued with clientAuth", where)


def _assertion_findings(file: AssertionFile, where: str) -> Iterator[Finding]:
    try:
        anyio.run(file.read)
    except ProviderUnavailable as error:
        path, _, text = error.detail.partition(": ")
        problem, _, fix = text.partition(": ")
        yield Finding("assertion_unusable", f"{path}: {problem}", fix or "let this user read the file", where)


def _span(seconds: float) -> str:
    """Write seconds as days or hours."""
    return f"{seconds / 86_400:.0f} days" if seconds >= 2 * 86_400 else f"{seconds / 3600:.0f} hours"
