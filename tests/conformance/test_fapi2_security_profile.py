"""The conformance plan of FAPI 2.0 for relying parties: the Security Profile (Final).

Only clients of OpenID Connect are tried (`fapi_client_type=openid_connect`): an app signs its users in.
"""

import pytest

from tests.conformance.modules import PREFIX, names_of
from tests.conformance.running import accepted_cases, last_call, refused_cases, run_accepted, run_refused
from tests.conformance.strong_site import variants_of

VARIANTS = variants_of("fapi2")


def test_every_module_of_the_plan_is_here():
    """The plan has 22 of them."""
    names = names_of(VARIANTS[0])

    assert len(names) == 22
    assert all(name.startswith(PREFIX) for name in names)


@pytest.mark.parametrize(("module", "variant"), accepted_cases(VARIANTS))
async def test_the_user_is_signed_in_and_the_api_called(module, variant):
    """Nothing is wrong, and each call is as the profile demands."""
    site = await run_accepted(module, variant)

    assert site.api_statuses == [200]


@pytest.mark.parametrize(("module", "variant"), refused_cases(VARIANTS))
async def test_the_login_ends_and_no_endpoint_is_called_again(module, variant, caplog):
    """The user gets a page with an error, and the log says what was wrong."""
    site, status = await run_refused(module, variant)

    assert status in (400, 403, 502)
    assert f"code={module.code}" in caplog.text
    assert last_call(site) == module.last
    assert site.api_statuses == []
