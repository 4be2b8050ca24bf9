"""The pytest plugin: the fixture `oidc`, which signs anybody in. pytest loads it by itself (entry point `pytest11`)."""
