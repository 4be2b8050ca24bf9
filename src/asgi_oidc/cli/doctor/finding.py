"""What a check finds: a stable name, what is wrong, and the fix."""

from dataclasses import dataclass

from asgi_oidc.cli.doctor.catalogue import KINDS, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        name: stable; a member of `KINDS`.
        problem: what is wrong, with what was expected and what was seen; for information, the information.
        fix: what to do.
        where: the provider, the store or the setting; empty for the whole app.
    """

    name: str
    problem: str
    fix: str = ""
    where: str = ""

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return KINDS[self.name].severity

    @property
    def subject(self) -> str:
        """Which group it belongs to."""
        return KINDS[self.name].subject
