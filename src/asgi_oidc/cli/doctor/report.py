"""Writes what was found: a table for people, JSON for programs."""

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from asgi_oidc import __version__
from asgi_oidc.cli.doctor.catalogue import SUBJECTS, Severity
from asgi_oidc.cli.doctor.finding import Finding

FORMAT = 1  # version of the JSON; members may be added without a new one
WIDTH = 80  # columns
INDENT = " " * 11
COLOURS: Mapping[Severity, str] = {"error": "31", "warning": "33", "info": "36"}  # ANSI: red, yellow, cyan
STATUS = {"error": 1, "warning": 2}  # exit statuses; 0 if nothing worse than information was found
MIN_SECRET = 4  # characters; shorter ones are in any text
MAX_TEXT = 1000  # characters of one text, of which others may have chosen a part
TITLES = {
    "app": "App",
    "settings": "Settings",
    "discovery": "Provider: discovery, TLS, metadata",
    "keys": "Provider: keys and algorithms",
    "client": "Provider: client authentication",
    "uris": "Provider: redirect and logout URIs",
    "clock": "Clock",
    "store": "Store",
    "processes": "Processes",
    "access": "Public patterns and rules",
    "cookies": "Cookies and addresses",
    "sizes": "Sizes of headers and cookies",
    "deployed": "The app where it runs",
}


@dataclass(frozen=True, slots=True)
class Section:
    """What was found about one middleware.

    Attributes:
        base_url: empty if the settings are invalid, or there is no app.
        checked: the subjects that were checked.
        unchecked: the subjects that could not be checked, and for which providers.
    """

    base_url: str
    checked: Sequence[str]
    findings: Sequence[Finding]
    unchecked: Mapping[str, Sequence[str]] = field(default_factory=dict)


def worst_status(sections: Iterable[Section]) -> int:
    """Return the exit status: 1 if there is an error, 2 if there are warnings only, else 0."""
    severities = {finding.severity for section in sections for finding in section.findings}
    return next((STATUS[severity] for severity in STATUS if severity in severities), 0)


def json_report(sections: Sequence[Section], secrets: Iterable[str] = ()) -> str:
    """Return the report as JSON."""
    sections = _shown(sections, secrets)
    members: dict[str, Any] = {
        "version": FORMAT,
        "asgi_oidc": __version__,
        "status": {0: "ok", 1: "error", 2: "warning"}[worst_status(sections)],
        "apps": [
            {
                "base_url": section.base_url or None,
                "checked": list(section.checked),
                "unchecked": {subject: list(names) for subject, names in section.unchecked.items()},
                "findings": [_members(finding) for finding in _sorted(section.findings)],
            }
            for section in sections
        ],
    }
    return json.dumps(members, indent=2, ensure_ascii=False)


def _members(finding: Finding) -> dict[str, str]:
    return {
        "name": finding.name,
        "severity": finding.severity,
        "subject": finding.subject,
        "where": finding.where,
        "problem": finding.problem,
        "fix": finding.fix,
    }


def text_report(
    sections: Sequence[Section], secrets: Iterable[str] = (), *, has_colours: bool = False, is_offline: bool = False
) -> str:
    """Return the report as text of at most 80 columns; only long URLs make a line longer."""
    sections = _shown(sections, secrets)
    lines: list[str] = []
    for section in sections:
        lines += [f"asgi-oidc doctor: {section.base_url or _why_no_app(section)}", ""]
        for subject in SUBJECTS:
            lines += _subject_lines(subject, section, has_colours=has_colours)
        lines.append("")
    if is_offline:
        lines.append("Offline: neither the provider nor the store was checked.")
    lines.append(_summary([finding for section in sections for finding in section.findings]))
    return "\n".join(lines)


def _why_no_app(section: Section) -> str:
    return "the settings are invalid" if "settings" in section.checked else "there is no app to examine"


def _subject_lines(subject: str, section: Section, *, has_colours: bool) -> list[str]:
    findings = [finding for finding in _sorted(section.findings) if finding.subject == subject]
    unchecked = section.unchecked.get(subject, ())
    if not findings and subject not in section.checked and not unchecked:
        return []
    outcome = f": not checked for {', '.join(unchecked)}" if unchecked else ""
    if subject in section.checked and all(finding.severity == "info" for finding in findings):
        outcome = f": ok{outcome and ','}{outcome.removeprefix(':')}"
    lines = [f"{TITLES[subject]}{outcome}"]
    for finding in findings:
        lines += _finding_lines(finding, has_colours=has_colours)
    return lines


def _finding_lines(finding: Finding, *, has_colours: bool) -> list[str]:
    severity = f"{finding.severity:9}"
    if has_colours:
        severity = f"\x1b[{COLOURS[finding.severity]}m{severity}\x1b[0m"
    name = f"{finding.name}  {finding.where}" if finding.where else finding.name
    lines = [f"  {severity}{name}", *_wrapped(finding.problem)]
    return [*lines, *_wrapped(f"Fix: {finding.fix}")] if finding.fix else lines


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=INDENT,
        subsequent_indent=INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _summary(findings: Sequence[Finding]) -> str:
    errors, warnings = (sum(finding.severity == severity for finding in findings) for severity in STATUS)
    if not errors and not warnings:
        return "Nothing to fix."
    return f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    severities = list(COLOURS)
    return sorted(findings, key=lambda finding: (SUBJECTS.index(finding.subject), severities.index(finding.severity)))


def _shown(sections: Sequence[Section], secrets: Iterable[str]) -> list[Section]:
    """Return the sections as they may be shown: each text by itself, before it is broken into lines or quoted."""
    known = sorted({secret for secret in secrets if len(secret) >= MIN_SECRET}, key=len, reverse=True)

    def shown(text: str) -> str:
        return _printable(_without_secrets(text, known))

    return [
        replace(
            section,
            base_url=shown(section.base_url),
            findings=[
                replace(each, problem=shown(each.problem), fix=shown(each.fix), where=shown(each.where))
                for each in section.findings
            ],
            unchecked={subject: [shown(name) for name in names] for subject, names in section.unchecked.items()},
        )
        for section in sections
    ]


def _without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Replace secrets. No check puts one into a text; this is for texts that come from outside, and for mistakes."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _printable(text: str) -> str:
    """Cut a text, and replace what a terminal would not show but do: a server could hide findings that way."""
    cut = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."
    return "".join(character if character.isprintable() else " " for character in cut)
