"""Prevents the replay of DPoP proofs: each is accepted once, in all processes that share a store (RFC 9449 §11.1)."""

from collections import Counter, OrderedDict
from collections.abc import Callable

from asgi_oidc.errors import StoreUnavailable
from asgi_oidc.protocol.dpop.check_proof import PROOF_LIFETIME, DPoPProof
from asgi_oidc.sessions.lifetimes import MAX_SKEW
from asgi_oidc.sessions.record_names import RecordNames
from asgi_oidc.sessions.session import UserId
from asgi_oidc.stores.guarded_store import GuardedStore

MAX_PROOFS = 200_000  # in this process, about 60 MB; many times what its signature checks allow on average
MAX_PROOFS_PER_USER = 50_000  # one user's flood leaves room for others
ALWAYS_ACCEPTED = 200  # proofs of one user, even if others have filled the cache
MAX_FORGOTTEN_AT_ONCE = 64  # per proof, so that expired ones cannot pile up, and no request pays for many


class UsedProofs:
    """Remembers used proofs for as long as they would be accepted.

    A used proof is never forgotten early to make room, because it could be replayed then. Instead, the proofs of a user
    who has sent too many are refused until older ones have expired.
    """

    __slots__ = ("_lifetime", "_names", "_now", "_seen", "_shared")

    def __init__(
        self,
        shared: GuardedStore | None,
        names: RecordNames,
        seen: "SeenProofs",
        *,
        leeway: int,
        now: Callable[[], int],
    ) -> None:
        """Remember proofs in this process (`seen`), and in the store that processes share (`shared`).

        Args:
            leeway: seconds of clock skew that a proof is allowed, in the past and in the future.
        """
        self._shared = shared
        self._names = names
        self._seen = seen
        self._lifetime = PROOF_LIFETIME + 2 * leeway + 1
        self._now = now

    async def add(self, proof: DPoPProof, user: UserId) -> bool:
        """Remember a proof; return False if it was used before.

        Args:
            proof: good, and of the key that the user's valid token is bound to.

        Raises:
            StoreUnavailable: it cannot be told, or the user has sent too many proofs.
        """
        name = self._names.proof_key(proof.jkt, proof.jti)
        if not self._seen.add(name, user, now=self._now(), lifetime=self._lifetime):
            return False
        if self._shared is None:
            return True
        try:
            # The clock of another process may be behind, and accept the proof for longer.
            return await self._shared.add(name, b"1", lifetime=self._lifetime + MAX_SKEW)
        except BaseException:
            self._seen.discard(name)  # it was not used, so the client may send the request again
            raise


class SeenProofs:
    """The proofs that this process has accepted, bounded for all users together and for each of them."""

    __slots__ = ("_always_accepted", "_by_user", "_max_per_user", "_max_proofs", "_names")

    def __init__(
        self,
        *,
        max_proofs: int = MAX_PROOFS,
        max_per_user: int = MAX_PROOFS_PER_USER,
        always_accepted: int = ALWAYS_ACCEPTED,
    ) -> None:
        self._max_proofs = max_proofs
        self._max_per_user = max_per_user
        self._always_accepted = always_accepted
        self._names: OrderedDict[str, tuple[int, UserId]] = OrderedDict()  # until when, and whose; the oldest first
        self._by_user: Counter[UserId] = Counter()

    def __len__(self) -> int:
        return len(self._names)

    def add(self, name: str, user: UserId, *, now: int, lifetime: int) -> bool:
        """Remember a proof; return False if it is remembered already.

        Raises:
            StoreUnavailable: the user has sent too many proofs.
        """
        self._forget_expired(now)
        if name in self._names:
            return False
        count = self._by_user[user]
        if count >= self._max_per_user or (len(self._names) >= self._max_proofs and count >= self._always_accepted):
            raise StoreUnavailable("dpop_too_many_proofs", f"one user has sent {count} proofs within {lifetime} s")
        self._names[name] = now + lifetime, user
        self._by_user[user] = count + 1
        return True

    def discard(self, name: str) -> None:
        """Forget a proof that was not used in the end."""
        _, user = self._names.pop(name)
        self._by_user[user] -= 1
        if not self._by_user[user]:
            del self._by_user[user]

    def _forget_expired(self, now: int) -> None:
        for _ in range(MAX_FORGOTTEN_AT_ONCE):
            oldest = next(iter(self._names), None)
            if oldest is None or self._names[oldest][0] > now:
                return
            self.discard(oldest)
