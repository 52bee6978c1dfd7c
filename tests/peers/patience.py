"""A drawn example that takes long, on a busy machine or an emulated one, is no failure."""

from hypothesis import settings

settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")
