"""The URL of a PostgreSQL store is libpq's, with three options of ours; a wrong one says how to fix it."""

from typing import Any

import pytest

from asgi_oidc import PostgresStore

PASSWORD = "s3cret"

GOOD = {
    "postgresql://user:s3cret@db.example.com:6432/app": "PostgresStore(db.example.com/app asgi_oidc)",
    "postgres://user@db/app": "PostgresStore(db/app asgi_oidc)",
    "POSTGRESQL://db/app": "PostgresStore(db/app asgi_oidc)",
    "postgresql://": "PostgresStore(default host/ asgi_oidc)",
    "postgresql:///app?host=/run/postgresql": "PostgresStore(/run/postgresql/app asgi_oidc)",
    "postgresql://h1,h2:5433/app": "PostgresStore(h1,h2/app asgi_oidc)",
    "postgresql://us%40er:s3%2Fcret@db/app?sslmode=verify-full&tables=auth.oidc&pool_size=2&prepare=no": (
        "PostgresStore(db/app auth.oidc)"
    ),
}
BAD = {
    "host:5432": "must be a URL such as",
    "mysql://:s3cret@db": "must be a URL such as",
    "postgresql+asyncpg://:s3cret@db": "without +asyncpg",
    "postgresql://:s3cret#x@db": "write %23",
    "postgresql://db?s3cret": "options such as",
    "postgresql://:s3cret@db/app?sslmod=require": "libpq knows",
    "postgresql://:s3cret@[db/app": "libpq knows",
    "postgresql://:s3cret@db?pool_size=0": "pool_size must be a number from 1 to 100",
    "postgresql://:s3cret@db?pool_size=many": "pool_size must be",
    "postgresql://:s3cret@db?prepare=s3cret": "prepare must be yes, no or auto",
    "postgresql://:s3cret@db?tables=Sessions": "lower-case letters",
    "postgresql://:s3cret@db?tables=a.b.c": "lower-case letters",
    "postgresql://:s3cret@db?tables=x;drop": "lower-case letters",
}


@pytest.mark.parametrize("url", GOOD)
def test_a_url_of_libpq_is_taken_and_its_password_is_not_shown(url):
    """The repr ends in logs and error pages."""
    store = PostgresStore(url)

    assert repr(store) == str(store) == GOOD[url]


@pytest.mark.parametrize("url", BAD)
def test_a_wrong_url_is_refused_with_the_fix_and_without_the_password(url):
    """The error is shown at start-up, perhaps to many."""
    with pytest.raises(ValueError, match=r".") as caught:
        PostgresStore(url)

    assert BAD[url] in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "options", [{"pool_size": True}, {"pool_size": 2.0}, {"prepare": "maybe"}, {"prepare": []}, {"tables": ""}]
)
def test_a_wrong_option_is_refused(options: dict[str, Any]):
    """As in the URL."""
    with pytest.raises(ValueError, match=next(iter(options))):
        PostgresStore("postgresql://db", **options)


def test_with_several_hosts_the_store_uses_the_one_that_writes():
    """A standby answers reads, and refuses every sign-in."""
    options = [
        dict(PostgresStore(url)._address.options)
        for url in ("postgresql://h1,h2/app", "postgresql://h1,h2/app?target_session_attrs=any", "postgresql://h1/app")
    ]

    assert [one.get("target_session_attrs") for one in options] == ["read-write", "any", None]
