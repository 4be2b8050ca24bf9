"""The modules of the FAPI 2.0 plans for relying parties: what each one does wrong, and how the login must end."""

from dataclasses import dataclass

from tests.conformance.strong_site import Variant

DISCOVERY = "/.well-known/openid-configuration"
PREFIX = "fapi2-security-profile-final-client-test-"


@dataclass(frozen=True)
class Refused:
    """A module whose login must end without any further call to the provider.

    Attributes:
        name: The public name, without `PREFIX`.
        fault: What is wrong at the fake provider.
        code: The code in the log.
        last: The path of the last call that the provider may get.
    """

    name: str
    fault: str
    code: str
    last: str


@dataclass(frozen=True)
class Accepted:
    """A module whose login must succeed, and the call of the API after it.

    Attributes:
        needs_dpop: Whether it is about DPoP, and left out of plans with tokens that are bound to a certificate.
    """

    name: str
    fault: str | None = None
    needs_dpop: bool = False


ACCEPTED = (
    Accepted("happy-path"),
    Accepted("valid-aud-as-array", "id_token_aud_list"),
    Accepted("token-endpoint-response-without-expires_in", "token_no_expires_in"),
    Accepted("token-type-case-insensitivity", "token_type_other_case"),
    Accepted("rs-dpop-auth-scheme-case-insensitivity", needs_dpop=True),
    Accepted("happy-path-no-dpop-nonce", needs_dpop=True),
)
METADATA = (
    Refused(
        "discovery-issuer-mismatch", "discovery_issuer_mismatch", "metadata_issuer", "/.well-known/openid-configuration"
    ),
)
ID_TOKEN = (
    Refused("invalid-iss", "id_token_wrong_iss", "claim_iss", "/token"),
    Refused("invalid-aud", "id_token_wrong_aud", "claim_aud", "/token"),
    Refused("invalid-secondary-aud", "id_token_extra_aud", "claim_aud", "/token"),
    Refused("invalid-null-alg", "id_token_alg_none", "alg_not_allowed", "/token"),
    Refused("invalid-alternate-alg", "id_token_another_alg", "alg_not_allowed", "/token"),
    Refused("invalid-expired-exp", "id_token_expired", "claim_exp", "/token"),
    Refused("invalid-missing-exp", "id_token_no_exp", "claim_exp", "/token"),
    Refused("invalid-missing-aud", "id_token_no_aud", "claim_aud", "/token"),
    Refused("invalid-missing-iss", "id_token_no_iss", "claim_iss", "/token"),
    Refused("invalid-nonce", "id_token_wrong_nonce", "claim_nonce", "/token"),
    Refused("invalid-missing-nonce", "id_token_no_nonce", "claim_nonce", "/token"),
)
STATE = (
    Refused(
        "ensure-authorization-response-with-invalid-state-fails",
        "callback_wrong_state",
        "transaction_missing",
        "/authorize",
    ),
    Refused(
        "ensure-authorization-response-with-invalid-missing-state-fails",
        "callback_no_state",
        "transaction_missing",
        "/authorize",
    ),
)
PLAIN_RESPONSE = (
    Refused("invalid-authorization-response-iss", "callback_wrong_iss", "iss_mismatch", "/authorize"),
    Refused("remove-authorization-response-iss", "callback_no_iss", "iss_missing", "/authorize"),
)
SIGNED_RESPONSE = (
    Refused("ensure-jarm-without-iss-fails", "jarm_no_iss", "claim_iss", "/authorize"),
    Refused("ensure-jarm-with-invalid-iss-fails", "jarm_wrong_iss", "claim_iss", "/authorize"),
    Refused("ensure-jarm-without-aud-fails", "jarm_no_aud", "claim_aud", "/authorize"),
    Refused("ensure-jarm-with-invalid-aud-fails", "jarm_wrong_aud", "claim_aud", "/authorize"),
    Refused("ensure-jarm-without-exp-fails", "jarm_no_exp", "claim_exp", "/authorize"),
    Refused("ensure-jarm-with-expired-exp-fails", "jarm_expired", "claim_exp", "/authorize"),
    Refused("ensure-jarm-with-invalid-sig-fails", "jarm_bad_signature", "signature", "/authorize"),
    Refused("ensure-jarm-signature-is-not-none", "jarm_alg_none", "alg_not_allowed", "/authorize"),
)
COMMON = (*METADATA, *ID_TOKEN, *STATE)


def refused_modules(variant: Variant) -> tuple[Refused, ...]:
    """Return those of the plan whose login must fail."""
    return (*COMMON, *(SIGNED_RESPONSE if variant.signs else PLAIN_RESPONSE))


def accepted_modules(variant: Variant) -> tuple[Accepted, ...]:
    """Return those of the plan whose login must succeed."""
    return tuple(module for module in ACCEPTED if variant.uses_dpop or not module.needs_dpop)


def names_of(variant: Variant) -> set[str]:
    """Return the public names of all modules of the plan."""
    names = [module.name for module in accepted_modules(variant)] + [module.name for module in refused_modules(variant)]
    return {PREFIX + name for name in names}
