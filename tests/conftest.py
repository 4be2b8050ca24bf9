"""For all tests."""

from hypothesis import HealthCheck, settings

# How fast examples are made says something of the machine, and not of the code.
settings.register_profile("asgi-oidc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("asgi-oidc")
