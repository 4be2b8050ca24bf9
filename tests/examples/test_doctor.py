"""The guide to `doctor`: it lists every finding, and shows what the command prints."""

from asgi_oidc.cli.doctor.catalogue import KINDS
from tests.examples.doctor_guide import GUIDE, written
from tests.examples.guides import section

TEXT = GUIDE.read_text(encoding="utf-8")


def test_the_guide_is_what_the_code_says():
    """If it fails: `uv run python -m tests.examples.doctor_guide`."""
    assert written(TEXT) == TEXT


def test_the_list_of_symptoms_names_twenty_mistakes_by_their_findings():
    """People look for what they see."""
    rows = [line for line in section(TEXT, "From a symptom to a finding").splitlines() if line.startswith("| ")][1:]
    named = [name for row in rows for name in row.split("`")[1::2]]

    assert len(rows) >= 20
    assert [row for row in rows if not any(name in KINDS for name in row.split("`")[1::2])] == []
    assert [name for name in named if name not in KINDS and name not in LOGGED] == []


LOGGED = {"metadata_issuer", "invalid_client", "claim_iat", "claim_exp", "alg_not_allowed", "signature"}
