"""Puts a DPoP proof on a request of httpx or httpx2, in such a way that no redirect carries it on.

A proof is for one URL of one server. Both clients follow redirects below the auth, and copy all headers to the new
request but `Authorization`, so a proof among them would reach other origins.
"""

from collections.abc import Hashable
from functools import cache
from typing import Any

PROOF_HEADER = "DPoP"


def set_proof(request: Any, proof: str) -> None:
    """Set the proof of a request; it replaces an earlier one."""
    headers = request.headers
    if not hasattr(headers, "dpop_proof"):
        headers.pop(PROOF_HEADER, None)
        request.headers = headers = _class_for(headers.__class__)(headers)
    headers.dpop_proof = proof


@cache  # one class for each of the two libraries
def _class_for(headers_class: Hashable) -> Any:
    """Return headers of a library that send a proof, but do not copy it: it is not among those of the base class."""

    class ProvenHeaders(headers_class):  # type: ignore[valid-type, misc]  # one of two classes, known at run time only
        dpop_proof = ""

        @property
        def raw(self) -> Any:
            """What is sent."""
            return [*super().raw, (PROOF_HEADER.encode(), self.dpop_proof.encode())]

        def __getitem__(self, key: str) -> Any:
            return self.dpop_proof if key.lower() == PROOF_HEADER.lower() else super().__getitem__(key)

        def __contains__(self, key: object) -> bool:
            is_proof = isinstance(key, str) and key.lower() == PROOF_HEADER.lower()
            return is_proof or super().__contains__(key)

    return ProvenHeaders
