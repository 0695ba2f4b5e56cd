"""What all unit tests share."""

from hypothesis import settings

# A shared machine is slow at times: no property fails because of the clock.
settings.register_profile("oxlo", deadline=None)
settings.load_profile("oxlo")
