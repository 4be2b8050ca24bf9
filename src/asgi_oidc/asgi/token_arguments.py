"""Checks the arguments with which an app asks for a token for another API (RFC 8693 §2.1, RFC 8707 §2)."""

from asgi_oidc.protocol.token_exchange import ExchangeTarget

MAX_ARGUMENT_LENGTH = 2048  # characters


def read_target(audience: str | None, resource: str | None, scope: str | None) -> ExchangeTarget:
    """Check the arguments of `exchange_token`.

    Raises:
        ValueError: one of them is invalid.
    """
    for name, value in (("audience", audience), ("scope", scope)):
        if value is not None and not _is_line_of_text(value):
            raise ValueError(f"{name} must be one line of text, of 1 to {MAX_ARGUMENT_LENGTH} characters")
    if resource is not None:
        check_resource(resource)
    return ExchangeTarget(resource, audience, scope)


def check_resource(resource: str) -> None:
    """Reject an invalid resource before a refresh token is spent on it (RFC 8707 §2)."""
    if not _is_line_of_text(resource) or not resource.partition(":")[1] or "#" in resource or " " in resource:
        raise ValueError("resource must be an absolute URI without a fragment, such as https://orders.example.com")


def _is_line_of_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and value.strip() != "" and len(value) <= MAX_ARGUMENT_LENGTH
