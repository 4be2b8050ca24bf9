"""Pushed authorization requests: the call and its answer (RFC 9126)."""

import re
from dataclasses import replace

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.authorization_endpoint import Params
from asgi_oidc.protocol.client_auth import authenticated_call
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.messages import Answer, Call, read_json_answer
from asgi_oidc.protocol.metadata import ServerMetadata

MAX_REQUEST_URI_LENGTH = 2048  # characters; those of real providers have about 100, and a URL carries it
SECRET_PARAMETERS = ("state", "nonce", "id_token_hint", "request")  # must not be logged if the answer repeats them

# An absolute URI, such as a URN (RFC 3986 §4.3).
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?@!$&'()*+,;=%\[\]-]+")


def par_call(metadata: ServerMetadata, client: Client, parameters: Params) -> Call:
    """Return the call that pushes an authorization request.

    Args:
        parameters: those of the authorization request; the client authenticates as at the token endpoint (§2).

    Raises:
        AnswerRejected: no client authentication method that both sides support; `par_unsupported` if the provider has
            no such endpoint.
    """
    if metadata.pushed_authorization_request_endpoint is None:
        raise AnswerRejected("par_unsupported", "the metadata has no pushed_authorization_request_endpoint")
    call = authenticated_call(metadata, client, metadata.pushed_authorization_request_endpoint, parameters)
    secrets = [str(parameters[name]) for name in SECRET_PARAMETERS if name in parameters]
    return replace(call, secrets=(*call.secrets, *secrets))


def read_par_answer(answer: Answer) -> str:
    """Read the answer to `par_call`; return its `request_uri`.

    The status must be 201 (§2.2). The browser is redirected at once, so `expires_in` is only checked for its form.

    Raises:
        ProviderError: an OAuth error, an outage, or an answer that cannot be used.
    """
    members = read_json_answer(answer, endpoint="par", expected_status=201)
    request_uri, expires_in = members.get("request_uri"), members.get("expires_in")
    if not isinstance(request_uri, str) or not _URI.fullmatch(request_uri):
        raise _malformed("request_uri: expected an absolute URI", answer)
    if len(request_uri) > MAX_REQUEST_URI_LENGTH:
        raise _malformed(f"request_uri: expected at most {MAX_REQUEST_URI_LENGTH} characters", answer)
    if type(expires_in) is not int or expires_in <= 0:
        raise _malformed("expires_in: expected a positive whole number of seconds", answer)
    return request_uri


def _malformed(detail: str, answer: Answer) -> AnswerRejected:
    return AnswerRejected("par_malformed", f"{detail} (RFC 9126 section 2.2)", answer_status=answer.status)
