"""The client id metadata document: `client_id` is a URL of this app, where it describes itself.

No provider has to register the client then. The document is public, so it cannot rest on a shared secret.

Source: draft-ietf-oauth-client-id-metadata-document.
"""

from collections.abc import Mapping, Sequence

from asgi_oidc.settings.client_description import describe_client
from asgi_oidc.settings.client_document_checks import document_method
from asgi_oidc.settings.settings import Settings

ENDPOINT = "client-metadata.json"  # below `auth_path`


def client_document(settings: Settings) -> dict[str, object] | None:
    """Return the document of this app on one host; None if no provider knows it by that URL.

    Args:
        settings: those of the host.
    """
    url = settings.url_of(ENDPOINT)
    known = [provider for provider in settings.fixed_providers.values() if provider.client.client_id == url]
    documents = [
        describe_client(settings, provider, auth_method=document_method(provider.client)) for provider in known
    ]
    return {"client_id": url, **_joined(documents)} if documents else None


def _joined(documents: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Join the documents for several providers: each has redirect URIs of its own."""
    joined: dict[str, object] = {}
    for document in documents:
        for name, value in document.items():
            joined[name] = _both(joined.get(name, value), value)
    return joined


def _both(first: object, second: object) -> object:
    if isinstance(first, list) and isinstance(second, list):
        return [*first, *(entry for entry in second if entry not in first)]
    return first
