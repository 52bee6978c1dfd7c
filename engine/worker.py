"""The engine process of one session: moves messages between a socket and a Session. `python -m engine.worker FD`."""

import ctypes
import os
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path

from engine.hypervisor.contract.errors import HypervisorError, HypervisorMissing, Unsupported
from engine.model.commands import Reset, SetSpeed
from engine.model.problems import ScenarioProblems
from engine.model.text import from_canonical
from engine.session.frame import KEYFRAME
from engine.session.host import host_for
from engine.session.session import Session
from engine.wire import (
    WIRE_VERSION,
    Do,
    FrameReady,
    Hello,
    Look,
    Message,
    Refused,
    Reply,
    Seen,
    Start,
    Started,
    WantKeyframe,
    pack,
    receive_blocking,
    to_engine,
)

TICK = 1 / 30
"""Seconds between frames while the run is running."""
IDLE_TICKS = 15
"""Ticks between frames while nothing happens."""
FIRST_SPEED = 1000.0
"""Exits a second that a live session starts with: fast enough to look live, slow enough to read."""
_PR_SET_PDEATHSIG = 1
EX_SOFTWARE = 70
"""sysexits.h: internal software error."""


class Worker:
    """One reader (this thread), one sampler thread, one lock for the writers."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._writing = threading.Lock()
        self._want_keyframe = threading.Event()
        self._wake = threading.Event()

    def serve(self) -> None:
        """Until Quit or the end of the stream."""
        self._send(Hello(WIRE_VERSION, os.getpid()))
        start = receive_blocking(self._socket, to_engine)
        session = self._start(start) if isinstance(start, Start) else None
        if session is None:
            return
        session.handle(SetSpeed(FIRST_SPEED), by="clock")
        threading.Thread(target=self._sample_or_die, args=(session,), name="sampler", daemon=True).start()
        self._obey(session)

    def _start(self, start: Start) -> Session | None:
        """The session, or None after saying why there is none."""
        try:
            scenario = from_canonical(start.scenario)
            host = host_for(scenario, start.hypervisor)
            session = Session(scenario, host, Path(start.log_path) if start.log_path else None)
        except HypervisorMissing as missing:
            return self._refuse("missing", missing)
        except (Unsupported, ScenarioProblems) as problem:
            return self._refuse("scenario", problem)
        except (HypervisorError, OSError) as error:
            return self._refuse("error", error)
        self._send(Started(host.hypervisor.capabilities, host.why_not_kvm))
        return session

    def _refuse(self, kind: str, reason: Exception) -> None:
        self._send(Refused(kind, str(reason)))

    def _obey(self, session: Session) -> None:
        while (message := receive_blocking(self._socket, to_engine)) is not None:
            match message:
                case Do():
                    self._send(Reply(message.id, self._handle(session, message)))
                    self._wake.set()
                case Look():
                    self._send(self._look(session, message))
                case WantKeyframe():
                    self._want_keyframe.set()
                    self._wake.set()
                case _:
                    return

    def _handle(self, session: Session, message: Do) -> str:
        if isinstance(message.command, Reset):
            self._want_keyframe.set()
        try:
            return session.handle(message.command)
        except (HypervisorError, Unsupported, TimeoutError) as error:
            if isinstance(message.command, Reset):
                # Half of the old machine is left: say so, and end.
                self._send(Reply(message.id, str(error)))
                raise
            return str(error)

    def _look(self, session: Session, message: Look) -> Seen:
        try:
            return Seen(message.id, session.look(message.gpa, message.size))
        except HypervisorError as error:
            return Seen(message.id, b"", str(error))

    def _sample_or_die(self, session: Session) -> None:
        """A session that cannot be shown any more must end loudly, not freeze."""
        try:
            self._sample(session)
        except BaseException:
            traceback.print_exc()
            os._exit(EX_SOFTWARE)

    def _sample(self, session: Session) -> None:
        """Frames at a fixed tick; a slow reader slows the frames, never the guest."""
        idle = 0
        shown = -1
        while True:
            due = time.monotonic() + TICK
            session.harvest()
            keyframe = self._want_keyframe.is_set()
            if keyframe or session.view.last_seq != shown or idle >= IDLE_TICKS:
                self._want_keyframe.clear()
                shown, idle = session.view.last_seq, 0
                self._frame(session, keyframe)
                session.flush()
            idle += 1
            self._wake.wait(max(0.0, due - time.monotonic()))
            if self._wake.is_set():
                self._wake.clear()
                time.sleep(max(0.0, due - TICK / 2 - time.monotonic()))

    def _frame(self, session: Session, keyframe: bool) -> None:
        data = session.frame(keyframe)
        self._send(FrameReady(int.from_bytes(data[4:8], "little"), bool(data[1] & KEYFRAME), data))

    def _send(self, message: Message) -> None:
        with self._writing:
            try:
                self._socket.sendall(pack(message))
            except OSError:
                # The web process is gone, and with it everybody who watched.
                os._exit(0)


def contain() -> None:
    """Limits and manners of an engine process: no core file, nice, the first to go without memory, never without its
    parent."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    Path("/proc/self/oom_score_adj").write_text("1000")  # proc(5): guests may fill their RAM, the server must stay
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    contain()
    # Coming out of KVM_RUN a vCPU waits for the interpreter: let the sampler give way sooner than after 5 ms.
    sys.setswitchinterval(0.0005)
    # Ctrl-C in the server's terminal reaches the whole group; the server decides when an engine ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        Worker(socket.socket(fileno=int(sys.argv[1]))).serve()
    except BaseException:
        traceback.print_exc()
        os._exit(EX_SOFTWARE)  # at once: a thread that is stuck must not keep the process
    os._exit(0)


if __name__ == "__main__":
    main()
