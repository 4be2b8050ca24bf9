"""Logs at start-up what an app that accepts access tokens should know: risks it has taken, and what is left to do."""

from collections.abc import Sequence
from dataclasses import dataclass

from asgi_oidc import events
from asgi_oidc.asgi.resource_metadata_app import ResourceMetadataApp
from asgi_oidc.asgi.worker_processes import is_one_of_several


@dataclass(slots=True, kw_only=True, repr=False)
class BearerNotices:
    """The notices of one middleware with the setting `bearer`.

    Attributes:
        allows_missing_audience: whether tokens without `aud` are accepted.
        client_ids: those of this app that are accepted as audiences.
        is_shared: whether ids of DPoP proofs are in a store, where other processes find them.
        is_below_a_path: whether the app is mounted below a path, so that it cannot serve the root of the site.
        metadata_app: what the outer app has to serve then.
    """

    allows_missing_audience: bool
    client_ids: Sequence[str]
    is_shared: bool
    is_below_a_path: bool
    metadata_app: ResourceMetadataApp | None = None

    def log(self) -> None:
        """Log them."""
        if self.allows_missing_audience:
            events.log(
                events.TOKENS_WITHOUT_AUDIENCE,
                what="access tokens without aud are accepted, so every other API that gets one can use it here",
                fix="have the provider add the audience of this API to its tokens, and remove allow_missing_audience",
            )
        for client_id in self.client_ids:
            events.log(
                events.AUDIENCE_IS_CLIENT_ID,
                client_id=client_id,
                what="the audience is the client_id, as in ID Tokens: an access token counts only if it has a scope, "
                "the type at+jwt or another mark that no ID Token has",
                fix="register the API at the provider under an identifier of its own",
            )
        if not self.is_shared and is_one_of_several():
            events.log(
                events.PROOFS_NOT_SHARED,
                what="each process remembers the DPoP proofs that it has seen: a copied proof works once in each",
                fix="set store or logout_store to a RedisStore or PostgresStore",
            )
        if self.is_below_a_path and self.metadata_app is not None and not self.metadata_app.is_routed:
            events.log(
                events.METADATA_NOT_ROUTED,
                paths=" ".join(self.metadata_app.paths),
                what="clients look for the metadata of the API at the root of the site, which this app does not serve",
                fix="route these paths to middleware.protected_resource_metadata in the outer app",
            )
