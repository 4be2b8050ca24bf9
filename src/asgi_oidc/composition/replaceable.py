"""The objects of one middleware that can get new values of settings while the app runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asgi_oidc.audit.reporting import Reporter
from asgi_oidc.endpoints.jwks import PublishedKeys
from asgi_oidc.provider.directory import ProviderDirectory
from asgi_oidc.sessions.record_names import RecordNames
from asgi_oidc.sessions.repository import SessionRepository
from asgi_oidc.sessions.revocations import Revocations
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.stores.guarded_store import GuardedStore


@dataclass(frozen=True, slots=True, repr=False)
class SecretUsers:
    """Whatever seals, opens or names with a secret, and what remembers the results.

    Attributes:
        sealers, repositories: those of each host.
    """

    sealers: Sequence[Sealer]
    record_names: RecordNames
    revocations: Revocations
    repositories: Sequence[SessionRepository]

    def replace_secrets(self, secrets: Sequence[bytes]) -> None:
        """Use other secrets from now on; nothing that only an old one opens stays valid.

        Args:
            secrets: the first one seals, all of them open.
        """
        for sealer in self.sealers:
            sealer.replace_secrets(secrets)
        self.record_names.replace_secrets(secrets)
        self.revocations.rename()
        for repository in self.repositories:
            repository.forget_opened()


@dataclass(frozen=True, slots=True, repr=False)
class Replaceable:
    """The objects of one middleware that can get new values.

    Attributes:
        stores: by the name of the setting.
        reporter: of the audit trail, which tells of new values; None without one.
    """

    secret_users: SecretUsers
    directory: ProviderDirectory
    stores: Mapping[str, GuardedStore]
    published_keys: PublishedKeys
    reporter: Reporter | None = None
