"""Hyper-V's Virtual Secure Mode as pure functions: registers and guest memory in, a result and effects out."""
