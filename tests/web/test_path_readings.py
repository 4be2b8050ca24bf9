"""What mounts may make of a path: every way in which one takes something off is among the readings."""

import pytest

from asgi_oidc.web.path_readings import Mounts, PathKeepingMount, all_readings

STATIC = PathKeepingMount(start="/static", of_path="", root="", own="/static")


def read(path: str, root_path: str = "", *, base_path: str = "", mounts: Mounts) -> set[str]:
    found = all_readings({path}, path, root_path, base_path=base_path, mounts=mounts)
    assert found is not None
    return found


def test_a_root_path_that_the_app_and_the_server_both_set_is_taken_off_once():
    """It is one and the same."""
    mounts = Mounts(root_paths=frozenset({"/app"}))

    assert read("/x", "/app", base_path="/app", mounts=mounts) == {"/x"}


@pytest.mark.parametrize(
    ("path", "again"), [("/static/x", "/static/static/x"), ("/other/x", None), ("/static", "/static/static")]
)
def test_an_app_that_lacks_the_root_path_may_look_at_the_whole_path_again(path, again):
    """A mount below it matches a second time, and its handler is further down than the path says."""
    found = read(path, "/app", base_path="/app", mounts=Mounts(kept=frozenset({STATIC})))

    assert found - {path} == ({again} if again else set())


def test_a_mount_that_matches_plain_text_and_keeps_the_path_hands_on_both():
    """Its app looks for whole segments, and finds them or not."""
    mounts = Mounts(prefixes=frozenset({"/static", "/a/b/c"}), kept=frozenset({STATIC}))

    assert read("/staticx", mounts=mounts) == {"/staticx", "/static/x", "/static/staticx"}
