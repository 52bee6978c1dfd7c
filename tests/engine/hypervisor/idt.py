"""The conformance checks' exception handlers, for tests."""

from engine.conformance.handlers import HANDLER_SIZE, HANDLERS, IDT, IDTR, TAKE_FRAME, handle, handler_of

__all__ = ["HANDLERS", "HANDLER_SIZE", "IDT", "IDTR", "TAKE_FRAME", "handle", "handler_of"]
