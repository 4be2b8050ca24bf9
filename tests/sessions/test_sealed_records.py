"""A record opens for the id and the secret together, whole, and for nothing less."""

import os
import re
from collections.abc import Sequence

import msgspec
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from hypothesis import given
from hypothesis import strategies as st

from asgi_oidc.errors import SessionTooLarge, StoreUnavailable
from asgi_oidc.sessions.lifetimes import Limits
from asgi_oidc.sessions.record_names import KEY_ID, RecordNames, is_session_id
from asgi_oidc.sessions.sealed_records import HEADER, LENGTH, MAGIC, MAX_RECORD_SIZE, VERSION, SealedRecords, Summary
from asgi_oidc.sessions.sealing import NONCE, bound_to, derive
from asgi_oidc.sessions.session import Session, write_claims
from asgi_oidc.sessions.session_format import encode_session
from tests.sessions.test_session import ID, ISSUER, LOGIN, SESSION, with_tokens
from tests.sessions.test_session_cookies import OTHER_ID, another

ONE, TWO = b"1" * 32, b"2" * 32
CONTEXT = (ISSUER, "web", "https://app.example.com")
LIMITS = Limits(idle=600, lifetime=3600)


def names_with(secrets: Sequence[bytes] = (ONE,)) -> RecordNames:
    return RecordNames(secrets, context=CONTEXT, default_issuer=ISSUER)


def records_with(secrets: Sequence[bytes]) -> SealedRecords:
    return SealedRecords(names_with(secrets))


NAMES = names_with()
RECORDS = SealedRecords(NAMES)
HANDLE = NAMES.handle(ID)
KEY_ID_AT = len(MAGIC + VERSION)


def outcome(record: bytes, *, session_id: str = ID, records: SealedRecords = RECORDS) -> Session | str | None:
    """Open a record; an error is told by its code."""
    try:
        return records.open(session_id, record)
    except StoreUnavailable as error:
        return error.code


def summary_of(record: bytes, *, handle: str = HANDLE, records: SealedRecords = RECORDS) -> Summary | str | None:
    try:
        return records.summary(handle, record)
    except StoreUnavailable as error:
        return error.code


def body_of(record: bytes) -> bytes:
    start = HEADER + LENGTH
    return record[start + int.from_bytes(record[HEADER:start], "big") :]


def head_of(record: bytes) -> bytes:
    return record[: len(record) - len(body_of(record))]


def sealed(key: bytes, data: bytes, part: str, head: bytes = b"") -> bytes:
    """Seal a part of a record by hand."""
    nonce = os.urandom(NONCE)
    return nonce + AESGCMSIV(key).encrypt(nonce, data, bound_to("record", part, HANDLE, *CONTEXT) + head)


def head_with(summary: bytes) -> bytes:
    """Write all that stands before the session, by hand."""
    part = sealed(derive(ONE, "record summary"), summary, "summary")
    return MAGIC + VERSION + derive(ONE, "record key id", length=KEY_ID) + len(part).to_bytes(LENGTH, "big") + part


def opens(record: bytes, key: bytes) -> bool:
    """Say whether a key opens the session of a record, for one who knows everything else."""
    body, bound = body_of(record), bound_to("record", "session", HANDLE, *CONTEXT) + head_of(record)
    try:
        AESGCMSIV(key).decrypt(body[:NONCE], body[NONCE:], bound)
    except InvalidTag:
        return False
    return True


def test_sealed_values_round_trip():
    """With the id of the browser and our secret."""
    record = RECORDS.seal(SESSION, LIMITS)

    assert RECORDS.open(ID, record) == SESSION
    assert RECORDS.summary(HANDLE, record) == Summary(created_at=1000, seen_at=1000, expires_at=1600)


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=50), max_size=5), st.integers(0, 10**10))
def test_whatever_a_session_holds_comes_out(claims, seen_at):
    """Records have no format of their own for what is in them."""
    session = msgspec.structs.replace(with_tokens(written_claims=write_claims(claims)), seen_at=seen_at)

    assert RECORDS.open(ID, RECORDS.seal(session, LIMITS)) == session


def test_the_same_session_is_never_sealed_alike():
    """Else a dump would tell which sessions did not change."""
    assert RECORDS.seal(SESSION, LIMITS) != RECORDS.seal(SESSION, LIMITS)


@pytest.mark.parametrize("bit", range(8))
def test_every_byte_of_a_record_counts(bit):
    """A byte that does not count is a byte that whoever writes to the store may choose."""
    record = RECORDS.seal(SESSION, LIMITS)

    outcomes = {
        place: outcome(record[:place] + bytes([byte ^ (1 << bit)]) + record[place + 1 :])
        for place, byte in enumerate(record)
    }

    # Another version, or another secret, is no session of ours; anything else is a broken store.
    ours = {*range(len(MAGIC), HEADER)}
    assert [place for place, came in outcomes.items() if came != (None if place in ours else "store_garbage")] == []


@pytest.mark.parametrize("bit", range(8))
def test_every_byte_of_the_summary_counts(bit):
    """A list of sessions must not be made to lie either."""
    record = RECORDS.seal(SESSION, LIMITS)
    places = range(HEADER + LENGTH, len(head_of(record)))

    outcomes = [
        summary_of(record[:place] + bytes([record[place] ^ (1 << bit)]) + record[place + 1 :]) for place in places
    ]

    assert set(outcomes) == {"store_garbage"}


def test_a_record_cut_anywhere_is_garbage():
    """Half a value is what a full disk leaves."""
    record = RECORDS.seal(SESSION, LIMITS)

    assert {outcome(record[:end]) for end in range(len(record))} == {"store_garbage"}
    assert {outcome(record[start:]) for start in range(1, len(record))} == {"store_garbage"}


@pytest.mark.parametrize("more", [b"\x00", b"x" * 100, RECORDS.seal(SESSION, LIMITS)], ids=len)
def test_a_record_with_more_behind_it_is_garbage(more):
    """Nothing is passed over."""
    assert outcome(RECORDS.seal(SESSION, LIMITS) + more) == "store_garbage"


@pytest.mark.parametrize(
    "record", [b"", b"x", MAGIC, MAGIC + VERSION, b"{}" * 50, b"\x80\x04" + b"x" * 90, b"oidc_session_" + b"x" * 90]
)
def test_what_we_did_not_write_is_garbage(record):
    """The store is broken, and nobody is signed out by that."""
    assert (outcome(record), summary_of(record)) == ("store_garbage", "store_garbage")


@pytest.mark.parametrize("version", [b"0", b"2", b"\x00"])
def test_a_record_of_another_version_is_no_session(version):
    """It was ours, and the user signs in again."""
    record = RECORDS.seal(SESSION, LIMITS)
    other = MAGIC + version + record[KEY_ID_AT:]

    assert (outcome(other), summary_of(other)) == (None, None)


def test_a_record_of_another_format_is_no_session():
    """Sealed by us, with fields that mean something else."""
    head, key = head_with(b"[1,2,3]"), derive(ONE, "record", salt=ID.encode())

    assert outcome(head + sealed(key, b"\x05" + encode_session(SESSION)[1:], "session", head)) is None


def test_a_record_moved_to_another_id_is_garbage():
    """Whoever can write to the store must not give one browser another one's session."""
    record = RECORDS.seal(SESSION, LIMITS)

    assert outcome(record, session_id=OTHER_ID) == "store_garbage"
    assert summary_of(record, handle=NAMES.handle(OTHER_ID)) == "store_garbage"


@pytest.mark.parametrize("index", range(3))
def test_a_record_of_another_middleware_is_garbage(index):
    """Two deployments may share a store and a secret."""
    context = [f"{part}x" if place == index else part for place, part in enumerate(CONTEXT)]
    other = RecordNames([ONE], context=context, default_issuer=context[0])
    record = SealedRecords(other).seal(SESSION, LIMITS)

    assert (outcome(record), summary_of(record)) == ("store_garbage", "store_garbage")
    assert other.key(HANDLE) != NAMES.key(HANDLE)
    assert other.lock_key(HANDLE) != NAMES.lock_key(HANDLE)
    assert not set(other.index_keys("sub", "i", "alice")) & set(NAMES.index_keys("sub", "i", "alice"))


def test_a_record_of_another_secret_is_no_session():
    """A secret that was taken off the list opens nothing, and is no fault of the store."""
    record = records_with([TWO]).seal(SESSION, LIMITS)

    assert (outcome(record), summary_of(record)) == (None, None)


def test_the_first_secret_seals_and_all_open():
    """So that a secret can be changed while people are signed in."""
    rotated, new = (
        records_with([TWO, ONE]),
        records_with([TWO]),
    )

    assert outcome(RECORDS.seal(SESSION, LIMITS), records=rotated) == SESSION
    assert outcome(rotated.seal(SESSION, LIMITS), records=new) == SESSION
    assert outcome(rotated.seal(SESSION, LIMITS)) is None
    assert summary_of(RECORDS.seal(SESSION, LIMITS), records=rotated) == Summary(1000, 1000, 1600)


def test_a_record_relabelled_for_another_secret_is_garbage():
    """The name of the secret is no proof of it."""
    both = records_with([TWO, ONE])
    record, theirs = both.seal(SESSION, LIMITS), RECORDS.seal(SESSION, LIMITS)
    relabelled = record[:KEY_ID_AT] + theirs[KEY_ID_AT:HEADER] + record[HEADER:]

    assert (outcome(relabelled, records=both), summary_of(relabelled, records=both)) == ("store_garbage",) * 2


def test_halves_of_two_records_do_not_combine():
    """The summary and the session belong together."""
    old = RECORDS.seal(SESSION, LIMITS)
    new = RECORDS.seal(msgspec.structs.replace(SESSION, seen_at=1060), LIMITS)
    mixed = head_of(new) + body_of(old)

    assert outcome(mixed) == "store_garbage"


def test_a_dump_and_the_secret_without_the_id_open_no_session():
    """The store's operator and a thief of the secret together still lack what only the browser has."""
    record = RECORDS.seal(SESSION, LIMITS)
    # What a thief can derive: without a salt, and with all that a dump shows in its place.
    salts = [None, b"", HANDLE.encode(), NAMES.key(HANDLE).encode(), record[KEY_ID_AT:HEADER], b"alice"]
    purposes = ["record", "record summary", "record index", "session", "tokens"]

    opened = [
        (purpose, salt) for purpose in purposes for salt in salts if opens(record, derive(ONE, purpose, salt=salt))
    ]

    assert opened == []
    assert opens(record, derive(ONE, "record", salt=ID.encode()))


def test_a_dump_and_the_id_without_the_secret_open_no_session():
    """Who steals a cookie and a dump has not got the tokens."""
    record = RECORDS.seal(SESSION, LIMITS)
    guesses = (b"", ID.encode(), b"\x00" * 32, TWO, record[KEY_ID_AT:HEADER])

    opened = [guess for guess in guesses if opens(record, derive(guess, "record", salt=ID.encode()))]

    assert opened == []


def test_neither_the_record_nor_its_names_tell_who_it_is():
    """A dump gives no user, no token and no id away."""
    names = [NAMES.key(HANDLE), NAMES.lock_key(HANDLE), *NAMES.index_keys("sub", LOGIN.issuer, LOGIN.sub)]
    dump = RECORDS.seal(SESSION, LIMITS) + " ".join(names).encode()

    assert [word for word in (ID, "alice", "Alice", "an-access-token", "example.com") if word.encode() in dump] == []


def test_names_are_plain_short_and_different():
    """Any store can keep them (`SessionStore`)."""
    names = [
        NAMES.key(HANDLE),
        NAMES.lock_key(HANDLE),
        NAMES.key(NAMES.handle(OTHER_ID)),
        *NAMES.index_keys("sub", "issuer", "name"),
        *NAMES.index_keys("sid", "issuer", "name"),
        *NAMES.index_keys("sub", "issuern", "ame"),
        *NAMES.index_keys("sub", "issuer", "x" * 255),
    ]

    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[A-Za-z0-9:_-]{1,200}", name)] == []


def test_an_index_is_read_under_every_secret_and_written_under_the_first():
    """Sessions of before a change of the secret are found and ended as well."""
    rotated = names_with([TWO, ONE])

    new, old = rotated.index_keys("sub", "issuer", "alice")

    assert names_with([TWO]).index_keys("sub", "issuer", "alice") == [new]
    assert NAMES.index_keys("sub", "issuer", "alice") == [old]


def test_a_record_that_is_too_large_is_refused():
    """No store should be asked to keep that much."""
    with pytest.raises(SessionTooLarge) as caught:
        RECORDS.seal(with_tokens(access_token="!" * MAX_RECORD_SIZE), LIMITS)

    assert "request fewer claims" in caught.value.detail
    assert RECORDS.open(ID, RECORDS.seal(with_tokens(access_token="!" * (MAX_RECORD_SIZE - 1000)), LIMITS)) is not None


def test_a_record_that_is_too_large_with_all_that_belongs_to_it_is_refused():
    """Claims and tokens are not all of it."""
    rest = with_tokens(access_token="").tokens.texts.size
    session = with_tokens(access_token="!" * (MAX_RECORD_SIZE - rest))
    with pytest.raises(SessionTooLarge) as caught:
        RECORDS.seal(session, LIMITS)

    assert session.tokens.texts.size == MAX_RECORD_SIZE
    assert f"at most {MAX_RECORD_SIZE}" in caught.value.detail


@pytest.mark.parametrize("data", [b"", b"[]", b"[1,2]", b"{}", b"\xff", b'["1",2,3]'])
def test_a_summary_of_another_format_is_none(data):
    """Sealed by us, and by another release."""
    assert summary_of(head_with(data)) is None


def test_a_record_whose_session_has_another_id_does_not_open():
    """Only our own fault could write one, and it must not be taken for somebody else's."""
    head, key = head_with(b"[1,2,3]"), derive(ONE, "record", salt=ID.encode())

    assert outcome(head + sealed(key, encode_session(SESSION), "session", head)) == SESSION
    assert outcome(head + sealed(key, encode_session(another(SESSION)), "session", head)) is None


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (ID, True),
        ("_" * 42 + "8", True),
        ("-" * 42 + "w", True),
        ("A" * 42, False),
        ("A" * 44, False),
        ("A" * 42 + "B", False),
        ("A" * 42 + "=", False),
        ("A" * 42 + "\n", False),
        ("A" * 43 + "\n", False),
        ("\u00c0" * 43, False),
        ("\u0661" * 43, False),
        ("A" * 42 + ":", False),
        ("", False),
        ("1." + "A" * 41, False),
    ],
)
def test_only_ids_in_their_one_spelling_are_looked_up(text, is_one):
    """Nothing else of what a browser sends reaches the store."""
    assert is_session_id(text) is is_one
