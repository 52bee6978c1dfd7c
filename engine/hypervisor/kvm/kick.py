"""Getting a thread out of KVM_RUN: a signal whose handler does nothing, sent to that thread alone."""

import ctypes
import os
import signal
import threading

from engine.hypervisor.contract.errors import Unsupported

KICK_SIGNAL = signal.SIGUSR1
# Through ctypes, for that lets go of the interpreter's lock: the thread that comes out of the guest needs it, and to
# wait for it costs as much as coming out does (measured).
_tgkill = ctypes.CDLL(None)["tgkill"]
_NUMBER = int(KICK_SIGNAL)


def _nothing(_number: int, _frame: object) -> None:
    """That KVM_RUN was interrupted is all that is wanted."""


def install_kick_signal() -> None:
    """Make the signal harmless for this process; idempotent. Unsupported outside the main thread the first time."""
    if signal.getsignal(KICK_SIGNAL) is _nothing:
        return
    if threading.current_thread() is not threading.main_thread():
        raise Unsupported("kick", "signal handlers can only be set in the main thread: make the hypervisor there")
    signal.signal(KICK_SIGNAL, _nothing)


class _Here(threading.local):
    def __init__(self) -> None:
        self.thread = threading.get_native_id()


here = _Here()
"""`here.thread`: the calling thread as the kernel knows it, without the system call that asks for it."""


def interrupt(thread: int) -> None:
    """Send the signal to native thread `thread` of this process; one that has ended is no error.

    tgkill rather than pthread_kill: with a thread that is gone the latter is undefined (pthread_kill(3)).
    """
    _tgkill(os.getpid(), thread, _NUMBER)
