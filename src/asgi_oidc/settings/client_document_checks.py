"""Checks a `client_id` that is the URL of our client id metadata document, or seems to be meant as such."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.safe_urls import origin_of, split_url

PATH = "/client-metadata.json"  # below `auth_path`
METHODS = (None, "none", "private_key_jwt")  # of `client_auth`


def client_document_problems(values: Mapping[str, Any]) -> list[str]:
    """Return the problems of all clients; settings that could not be read are missing."""
    base_urls = values.get("base_urls")
    if not base_urls or "auth_path" not in values:
        return []
    urls = [f"{base_url.rstrip('/')}{values['auth_path']}{PATH}" for base_url in base_urls]
    providers = values.get("providers")
    if isinstance(providers, Mapping):
        clients = [(f"providers: {name}: client_id", provider.client) for name, provider in providers.items()]
    else:
        client = Client(values.get("client_id") or "", values.get("client_secret"), values.get("client_auth"))
        clients = [("client_id", client)]
    problems = [problem for label, client in clients for problem in _problems(label, client, urls)]
    return problems or [*_contradictions(clients, urls)]


def document_method(client: Client) -> str:
    """Return the method of client authentication that the document states: a provider accepts no other."""
    return client.auth_method or ("private_key_jwt" if client.has_assertion else "none")


def _contradictions(clients: Sequence[tuple[str, Client]], urls: Sequence[str]) -> Iterator[str]:
    """Report clients that share a document, but not the method: with `none` there, the provider asks for no key."""
    first: dict[str, tuple[str, str]] = {}
    for label, client in clients:
        method = document_method(client)
        other_label, other_method = first.setdefault(client.client_id, (label, method))
        if client.client_id in urls and method != other_method:
            yield (
                f"{label}: the client's document can state one method only, but it is {method} here and {other_method} "
                f"in {other_label}: set client_key for both or for neither, or another client_id"
            )


def _problems(label: str, client: Client, urls: Sequence[str]) -> Iterator[str]:
    if client.client_id in urls:
        if client.has_secret or client.auth_method not in METHODS:
            yield (
                f"{label}: the client's document at {client.client_id} is public, so the client cannot have a shared "
                "secret or a registered certificate: use client_key, or no credential at all (a public client)"
            )
    elif _is_misspelt(client.client_id, urls):
        yield f"{label}: this URL of the app has no document of the client: set it to {urls[0]}, or to a registered id"


def _is_misspelt(client_id: str, urls: Sequence[str]) -> bool:
    """Whether an id seems to be meant for our document; any other URL of the app may be a registered id."""
    below = tuple(f"{url.removesuffix(PATH)}/" for url in urls)
    if client_id.startswith(below):
        return True
    return client_id.rstrip("/").endswith(PATH) and _origin(client_id) in {_origin(url) for url in urls}


def _origin(url: str) -> str | None:
    """Return the origin of a URL; None for an id that is none."""
    try:
        return origin_of(split_url(url))
    except ValueError:
        return None
