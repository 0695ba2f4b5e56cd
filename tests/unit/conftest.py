"""What all unit tests share."""

from hypothesis import HealthCheck, settings

# A shared machine is slow at times: no property fails because of the clock. Each run tries the
# same examples: none fails by chance.
settings.register_profile(
    "oxlo",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("oxlo")
