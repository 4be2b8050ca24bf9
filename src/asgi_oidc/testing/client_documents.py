"""Client id metadata documents: the `client_id` is the URL of what the client says about itself.

Source: draft-ietf-oauth-client-id-metadata-document.
"""

import json
import urllib.parse

import httpx

from .accounts import Client
from .registrations import SECRET_METHODS, client_of, is_loopback, registered_metadata, why_metadata_refused

MAX_DOCUMENT = 5_000  # bytes; the draft recommends 5 kB


def is_document_url(client_id: str) -> bool:
    """Whether a `client_id` is the URL of a document: https (or http on loopback), with a path, and nothing else."""
    try:
        split = urllib.parse.urlsplit(client_id)
        host = split.hostname or ""
    except ValueError:
        return False
    is_safe = split.scheme == "https" or (split.scheme == "http" and is_loopback(host))
    is_plain = not split.fragment and not split.username and not split.password and "#" not in client_id
    has_path = split.path not in ("", "/") and not {".", ".."} & set(split.path.split("/"))
    return bool(host) and is_safe and is_plain and has_path


def client_from(client_id: str, answer: httpx.Response) -> Client:
    """Return the client that describes itself in this answer.

    Raises:
        ValueError: The answer is not a document of this client; the message says why.
    """
    if answer.status_code != 200:
        raise ValueError(f"the answer has the status {answer.status_code}")
    if "json" not in answer.headers.get("content-type", ""):
        raise ValueError("the answer is not JSON")
    if len(answer.content) > MAX_DOCUMENT:
        raise ValueError(f"the document is larger than {MAX_DOCUMENT} bytes")
    document = json.loads(answer.content)
    if not isinstance(document, dict) or document.get("client_id") != client_id:
        raise ValueError("client_id in the document is not its URL")
    if "client_secret" in document or document.get("token_endpoint_auth_method") in SECRET_METHODS:
        raise ValueError("a document that anybody can read must not rest on a secret")
    metadata = registered_metadata({"token_endpoint_auth_method": "none", **document})
    refusal = why_metadata_refused(metadata)
    if refusal is not None:
        raise ValueError(refusal[1])
    return client_of(client_id, None, metadata)
