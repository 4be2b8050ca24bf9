"""Codes of requests whose token is bound to a key (DPoP) or a TLS client certificate, and that lack its proof."""

from asgi_oidc.errors.codes import Code

_CLIENT = "Fix the client: RFC 9449 §4.2 and §7.1 say what it has to send."
_REPLAY = "A single one may be a client that sends a request again unchanged. Frequent ones may be an attack."

PROOFS = [
    Code(
        "dpop_scheme",
        "A token that is bound to a key was sent as `Authorization: Bearer`, without a proof: it may be stolen.",
        "The client has to send `Authorization: DPoP` and a proof in the header `DPoP`.",
    ),
    Code("dpop_unbound", "A token was sent as `Authorization: DPoP`, but is bound to no key.", _CLIENT),
    Code(
        "dpop_required",
        'The token is bound to no key, and `dpop="require"` is set.',
        "Have the provider issue DPoP-bound tokens to this client.",
    ),
    Code("dpop_missing dpop_repeated", "The request has no `DPoP` header, or several.", _CLIENT),
    Code("dpop_malformed", "The proof is not a signed JWT, or too long, or has a `nonce` that is not text.", _CLIENT),
    Code("dpop_typ", "The `typ` of the proof is not `dpop+jwt`.", _CLIENT),
    Code("dpop_alg", "The proof is signed with an algorithm that is not accepted; `algs` lists those.", _CLIENT),
    Code(
        "dpop_jwk",
        "`jwk` in the header of the proof is not a public key for its algorithm, is too small, or has private members.",
        "If it has private members, the client has to replace its key at once.",
    ),
    Code("dpop_signature", "The proof was not made with the key in its header.", _CLIENT),
    Code(
        "dpop_htm dpop_htu",
        "The proof is for a request with another method (`htm`) or URL (`htu`).",
        "The client has to sign the URL that it requests, below `base_url`. If a proxy removes a part of the path, "
        "`base_url` has to contain that part.",
    ),
    Code(
        "dpop_iat",
        "The proof is older than a minute or from the future, or `iat` is not a date.",
        "Check the clocks of this server and of the client; `leeway` allows for small differences.",
    ),
    Code("dpop_ath", "`ath` is missing, or is the hash of another token than the one that was sent.", _CLIENT),
    Code("dpop_jti", "The proof has no usable `jti`.", _CLIENT),
    Code(
        "dpop_key_mismatch",
        "The proof was made with another key than the one that the token is bound to: the token may be stolen.",
        "If the client has replaced its key, it needs a new token.",
    ),
    Code("dpop_replayed", "The proof was used before, here or in another process.", _REPLAY),
    Code(
        "dpop_nonce",
        "`dpop_nonce` is set, and the proof repeats no nonce of this server, or one that has expired.",
        "The client sends the request again with the nonce in `DPoP-Nonce`; its first request always gets this 401.",
    ),
    Code(
        "dpop_too_many_proofs",
        "One user has sent more proofs within two minutes than this process remembers; other users are not affected.",
        "Find out what the user's client does. For a busy machine client, spread its requests over more processes.",
    ),
    Code(
        "client_certificate_required",
        'The token is bound to no certificate, and `mtls="require"` is set.',
        "Have the provider issue certificate-bound tokens to this client.",
    ),
    Code(
        "client_certificate_missing",
        "The token is bound to a certificate, but the request came without one that counts.",
        "The log says which part is missing. Check that the server or proxy asks clients for a certificate, and that "
        "`client_certificate_proxies` names the address from which the proxy connects.",
    ),
    Code(
        "client_certificate_mismatch",
        "The token is bound to another certificate: it may be stolen.",
        "If the client has a new certificate, it needs a new token.",
    ),
    Code(
        "client_certificate_malformed client_certificate_repeated",
        "The header in which the proxy passes the certificate on has an unknown form, or came more than once.",
        "See which forms are read in [Protect an API](../apis/README.md). The proxy has to replace what clients send "
        "in this header, not add to it.",
    ),
    Code(
        "client_certificate_unverified",
        "The server says that the client's certificate failed its verification (`client_cert_error`).",
        "Check which certificates the server accepts.",
    ),
]
