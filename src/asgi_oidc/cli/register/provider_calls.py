"""Makes the calls of a registration to one provider."""

from collections.abc import Mapping

from asgi_oidc.cli.register.differences import why_not_called
from asgi_oidc.cli.register.find_settings import CannotRegister, RegisteredApp
from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.back_channel import BackChannel
from asgi_oidc.protocol.dynamic_registration import (
    Registration,
    RegistrationAccess,
    check_deletion_answer,
    delete_call,
    read_call,
    read_registration_answer,
    registration_call,
    update_call,
)
from asgi_oidc.protocol.messages import read_json_answer
from asgi_oidc.protocol.metadata import ProviderMetadata, metadata_call, read_metadata_answer
from asgi_oidc.provider.http import Http
from asgi_oidc.settings.client_description import choose_registered_method, describe_client

MEMBER = "registration_endpoint"


class ProviderCalls:
    """Calls one provider.

    Attributes:
        registration_endpoint: None until the metadata is known.
    """

    def __init__(self, app: RegisteredApp, *, initial_access_token: str | None) -> None:
        """Prepare; `initial_access_token` is None if anybody may register."""
        settings, self._provider = app
        self._settings = settings
        self._initial_access_token = initial_access_token
        self._http = Http(self._provider.http_client or settings.http_client, tls=self._provider.tls)
        exceptions = self._provider.exceptions
        self._back_channel = BackChannel(exceptions.internal_url, exceptions.allow_http_hosts)
        self._metadata: ProviderMetadata | None = None
        self.registration_endpoint: str | None = None

    async def client_metadata(self, *, keys_by_value: bool) -> dict[str, object]:
        """Return what to register.

        Raises:
            ProviderError: the provider's metadata cannot be fetched, or fits no method of the settings.
        """
        metadata = await self._fetch_metadata()
        method = choose_registered_method(self._provider.client, metadata.auth_methods)
        return describe_client(
            self._settings, self._provider, auth_method=method, metadata=metadata, keys_by_value=keys_by_value
        )

    async def register(self, asked: Mapping[str, object]) -> Registration:
        """Register a client.

        Raises:
            CannotRegister: the provider has no registration.
            ProviderError: it refuses, is down, or its answer cannot be used.
        """
        await self._fetch_metadata()
        if self.registration_endpoint is None:
            raise CannotRegister(
                f"the provider's metadata has no {MEMBER}: register the client at its website, with the values that "
                "--dry-run prints"
            )
        call = registration_call(self.registration_endpoint, asked, initial_access_token=self._initial_access_token)
        return read_registration_answer(await self._http.send(call, endpoint="registration"), is_new=True)

    async def read(self, access: RegistrationAccess | None) -> Registration:
        """Read the registration. Errors as in `register`."""
        call = read_call(await self._checked(access))
        return read_registration_answer(await self._http.send(call, endpoint="registration"), is_new=False)

    async def update(
        self, access: RegistrationAccess | None, current: Registration, asked: Mapping[str, object]
    ) -> Registration:
        """Replace the metadata of the client; `current` is what `read` has returned. Errors as in `register`."""
        access = await self._checked(access)
        latest = RegistrationAccess(access.uri, current.access_token or access.access_token)
        call = update_call(latest, current, asked)
        return read_registration_answer(await self._http.send(call, endpoint="registration"), is_new=False)

    async def delete(self, access: RegistrationAccess | None) -> None:
        """Remove the client. Errors as in `register`."""
        check_deletion_answer(await self._http.send(delete_call(await self._checked(access)), endpoint="registration"))

    async def _checked(self, access: RegistrationAccess | None) -> RegistrationAccess:
        """Refuse to send the token to another host than the provider's."""
        await self._fetch_metadata()
        if access is None:
            raise CannotRegister("there is no registration to manage")
        issuer = self._provider.issuer
        if why := why_not_called(access.uri, {issuer, self.registration_endpoint or issuer}):
            raise CannotRegister(f"the saved registration_client_uri: {why}")
        return access

    async def _fetch_metadata(self) -> ProviderMetadata:
        if self._metadata is not None:
            return self._metadata
        settings = self._provider
        call = metadata_call(settings.issuer, url=settings.metadata_url, back_channel=self._back_channel)
        answer = await self._http.send(call, endpoint="metadata")
        self._metadata = read_metadata_answer(
            answer,
            issuer=settings.issuer,
            configured=settings.metadata,
            back_channel=self._back_channel,
            url=call.url,
            uses_aliases=settings.client.presents_certificate,
        )
        published = {**read_json_answer(answer, endpoint="metadata", url=call.url), **settings.metadata}
        self.registration_endpoint = self._read_endpoint(published.get(MEMBER))
        return self._metadata

    def _read_endpoint(self, value: object) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise AnswerRejected("metadata_endpoint", f"{MEMBER}: must be a URL")
        try:
            return self._back_channel.url(value, issuer=self._provider.issuer)
        except ValueError as error:
            raise AnswerRejected("metadata_endpoint", f"{MEMBER}: {error}") from error
