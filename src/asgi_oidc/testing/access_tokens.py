"""The access tokens of a fake provider: JWT or opaque, for a user or a machine, in the shape of a real provider."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import EllipsisType
from typing import Any

from . import faults as fault_tables
from .access_token_styles import FULL_STYLES, STYLES, AccessTokenFacts, AccessTokenStyle, check_style
from .accounts import Persona
from .authorization_details import with_details
from .client_certificates import ClientCertificate
from .dpop import DPoPKey
from .faults import Draft
from .grants import Grant, SignIn, Token, overridden
from .keys import json_bytes
from .provider_state import ProviderState

DEFAULT_SCOPES = ("openid", "profile", "email")


class AccessTokens(ProviderState):
    """The part of the fake provider that makes access tokens."""

    access_token_style: AccessTokenStyle = "rfc9068"
    """The shape of JWT access tokens: that of RFC 9068, or of a well-known provider."""

    def access_token(
        self,
        sub: str = "alice",
        *,
        audience: str | Sequence[str] | None,
        scopes: Sequence[str] = DEFAULT_SCOPES,
        client_id: str = "web",
        lifetime: int | None = None,
        opaque: bool = False,
        style: AccessTokenStyle | None = None,
        dpop_key: DPoPKey | None = None,
        client_certificate: ClientCertificate | None = None,
        header: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """Return an access token of a user without a login, changed by the active faults.

            token = provider.access_token("alice", audience="https://api.example.com", scopes=["orders:read"])

        The provider knows it: it can be introspected, revoked and exchanged.

        Args:
            sub: The persona.
            audience: The API that it is for; `None` for a token without `aud`.
            scopes: What it grants; `profile` and `email` add the user's claims.
            client_id: The client that it was issued to.
            lifetime: Seconds; by default `access_token_lifetime`.
            opaque: True returns random text, which tells nothing without introspection.
            style: The shape of the claims; by default `access_token_style`.
            dpop_key: The key whose proofs must come with the token (RFC 9449 §6).
            client_certificate: The certificate with which the token must be used (RFC 8705 §3).
            header: Members that replace those of the header; the value `...` removes one.
            claims: The same for the claims.

        Raises:
            ValueError: There is no such persona or style.
        """
        if sub not in self.personas:
            raise ValueError(f"no persona is named {sub!r}; expected one of: {', '.join(sorted(self.personas))}")
        grant = Grant(SignIn(self.personas[sub], self.now()), client_id, tuple(scopes), made_at=self.now())
        return self._minted(
            grant,
            audience,
            lifetime=lifetime,
            is_opaque=opaque,
            style=style or self.access_token_style,
            header=header or {},
            cnf=_confirmation(dpop_key, client_certificate),
            further=claims or {},
        )

    def machine_token(
        self,
        client_id: str = "web",
        *,
        audience: str | Sequence[str] | None,
        scopes: Sequence[str] = (),
        lifetime: int | None = None,
        opaque: bool = False,
        style: AccessTokenStyle | None = None,
        dpop_key: DPoPKey | None = None,
        client_certificate: ClientCertificate | None = None,
        header: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """Return an access token that a client got for itself (`client_credentials`, RFC 6749 §4.4).

        The arguments are those of `access_token`.
        """
        grant = self.machine_grant(client_id, tuple(scopes))
        return self._minted(
            grant,
            audience,
            lifetime=lifetime,
            is_opaque=opaque,
            style=style or self.access_token_style,
            header=header or {},
            cnf=_confirmation(dpop_key, client_certificate),
            further=claims or {},
        )

    def machine_grant(self, client_id: str, scopes: tuple[str, ...]) -> Grant:
        """Return the grant of a client that acts for itself."""
        machine = Persona(client_id, client_id, "")
        return Grant(SignIn(machine, self.now()), client_id, scopes, made_at=self.now(), is_machine=True)

    def _minted(
        self,
        grant: Grant,
        audience: str | Sequence[str] | None,
        *,
        lifetime: int | None,
        is_opaque: bool,
        style: AccessTokenStyle,
        header: Mapping[str, Any],
        cnf: Mapping[str, str],
        further: Mapping[str, Any],
    ) -> str:
        named = (audience,) if isinstance(audience, str) else tuple(audience or ())
        expires_at = self.now() + (self.access_token_lifetime if lifetime is None else lifetime)
        token = Token(grant, grant.scopes, named, expires_at, cnf=cnf)
        overrides = {**_details_of(token), **self.access_token_overrides, **_bound_to(token), **further}
        shown, known = self._claims_of(token, audience, style, overrides)
        return self._remembered(
            _opaque_text() if is_opaque else self._signed(shown, _typ_of(style), header, grant), token, known
        )

    def new_access_token(self, token: Token) -> str:
        """Issue the access token of a grant, as the token endpoint does, with the lifetime of the setting."""
        token = replace(token, expires_at=self.now() + self.access_token_lifetime)
        audience = list(token.audience) or token.grant.client_id
        style, typ = self.access_token_style, self.access_token_typ
        overrides = {**_details_of(token), **_bound_to(token), **self.access_token_overrides}
        shown, known = self._claims_of(token, audience, style, overrides)
        if not self.jwt_access_tokens:
            return self._remembered(_opaque_text(), token, known)
        signed = self._signed(shown, _typ_of(style) if isinstance(typ, EllipsisType) else typ, {}, token.grant)
        return self._remembered(signed, token, known)

    def _claims_of(
        self,
        token: Token,
        audience: str | Sequence[str] | None,
        style: AccessTokenStyle,
        overrides: Mapping[str, Any],
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the claims that a JWT of this style has, and those that introspection tells, both with the faults."""
        check_style(style)
        facts = self._facts_of(token, audience)
        full_style = FULL_STYLES.get(style, style)
        shown, known = STYLES[style][1](facts), STYLES[full_style][1](facts)
        return self._changed(overridden(shown, overrides)), self._changed(overridden(known, overrides))

    def _changed(self, claims: dict[str, Any]) -> dict[str, Any]:
        return dict(self.faults.change(fault_tables.ACCESS_TOKEN_CLAIMS, claims, self.setting()))

    def _facts_of(self, token: Token, audience: str | Sequence[str] | None) -> AccessTokenFacts:
        grant = token.grant
        persona = grant.sign_in.persona
        return AccessTokenFacts(
            issuer=self.issuer,
            sub=persona.sub,
            client_id=grant.client_id,
            is_machine=grant.is_machine,
            scopes=token.scopes,
            audience=audience,
            issued_at=self.now(),
            expires_at=token.expires_at or self.now(),
            jti=secrets.token_urlsafe(12),
            auth_time=grant.sign_in.auth_time,
            sid=grant.sign_in.sid,
            acr=grant.acr,
            profile={} if grant.is_machine else persona.claims_for(token.scopes),
        )

    def _signed(self, claims: dict[str, Any], typ: str | None, header: Mapping[str, Any], grant: Grant) -> str:
        """Sign the claims, with the active faults of that."""
        key = self._key_of(grant)
        full_header = overridden({"alg": self.alg, "kid": key.kid, "typ": ... if typ is None else typ}, header)
        return self.faults.sign(Draft(full_header, json_bytes(claims), key), fault_tables.ACCESS_TOKEN_SIGNING)

    def _remembered(self, name: str, token: Token, claims: Mapping[str, Any]) -> str:
        is_forged = name.count(".") > 0 and any(fault in fault_tables.ACCESS_TOKEN_SIGNING for fault in self.faults)
        self.memory.access_tokens[name] = replace(token, claims=claims, is_forged=is_forged)
        return name


def _opaque_text() -> str:
    return "at-" + secrets.token_urlsafe(24)


def _typ_of(style: AccessTokenStyle) -> str | None:
    check_style(style)
    return STYLES[style][0]


def _confirmation(dpop_key: DPoPKey | None, certificate: ClientCertificate | None) -> dict[str, str]:
    """Return the claim `cnf` for a key (RFC 9449 §6.1) or a certificate (RFC 8705 §3.1)."""
    cnf = {} if dpop_key is None else {"jkt": dpop_key.thumbprint}
    if certificate is not None:
        cnf["x5t#S256"] = certificate.thumbprint
    return cnf


def _details_of(token: Token) -> dict[str, Any]:
    """Return the claim about what was granted in detail (RFC 9396 §9); nothing without."""
    return with_details({}, token.grant.authorization_details)


def _bound_to(token: Token) -> dict[str, Any]:
    """Return the claim about what the token is bound to; nothing for a bearer token."""
    return {"cnf": dict(token.cnf)} if token.cnf else {}
