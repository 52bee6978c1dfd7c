"""The engine process from outside: messages over a socket pair, and what a kill leaves."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from engine.model.commands import Pause, Run, SetMask, SetSpeed
from engine.model.text import canonical
from engine.session.frame import KEYFRAME, decode_frame
from engine.wire import (
    Do,
    FrameReady,
    Hello,
    Look,
    Quit,
    Refused,
    Reply,
    Seen,
    Start,
    Started,
    WantKeyframe,
    from_engine,
    pack,
    receive_blocking,
)

TOUCH = {"guest": "touch", "params": {"base": 0x200000, "pages": 16}}


class Engine:
    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(20)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "engine.worker", str(theirs.fileno())], pass_fds=[theirs.fileno()]
        )
        theirs.close()

    def say(self, message) -> None:
        self.socket.sendall(pack(message))

    def hear(self, kind: type):
        """The next message of this kind; others are passed over. None at the end."""
        while (message := receive_blocking(self.socket, from_engine)) is not None:
            if isinstance(message, kind):
                return message
        return None


@pytest.fixture
def engine() -> Iterator[Engine]:
    started = Engine()
    yield started
    started.socket.close()
    if started.process.poll() is None:
        started.process.kill()
    started.process.wait(10)


def test_it_starts_obeys_and_sends_frames(engine: Engine, scenario) -> None:
    assert engine.hear(Hello).pid == engine.process.pid
    engine.say(Start(canonical(scenario(vcpus=[TOUCH])), "sim"))
    assert engine.hear(Started).capabilities.real is False
    engine.say(WantKeyframe())
    frame = engine.hear(FrameReady)
    while not frame.keyframe:
        frame = engine.hear(FrameReady)
    header, sections = decode_frame(frame.data)
    assert header.flags & KEYFRAME
    assert [section.kind for section in sections][:2] == [1, 2]
    engine.say(Do(7, Run()))
    assert engine.hear(Reply) == Reply(7, "")
    while not any(section.kind == 3 for section in decode_frame(engine.hear(FrameReady).data)[1]):
        pass
    engine.say(Do(8, SetMask(base=1, pages=1, rights=0)))
    assert "base" in engine.hear(Reply).error
    engine.say(Look(9, 0x7000, 3))
    assert engine.hear(Seen) == Seen(9, bytes.fromhex("e7e8c3"))
    engine.say(Look(10, 1 << 40, 3))
    assert engine.hear(Seen).error
    engine.say(Quit())
    assert engine.process.wait(10) == 0


def test_a_hypervisor_that_is_not_there_is_refused_with_the_reason(engine: Engine, scenario) -> None:
    engine.say(Start(b'{"not": "a scenario"}', "sim"))
    refused = engine.hear(Refused)
    assert refused.kind == "scenario"
    assert refused.reason
    assert engine.process.wait(10) == 0


def test_when_the_server_goes_the_engine_goes(engine: Engine, scenario) -> None:
    engine.say(Start(canonical(scenario(vcpus=[TOUCH])), "sim"))
    engine.hear(Started)
    engine.say(Do(1, SetSpeed(None)))
    engine.say(Do(2, Run()))
    engine.hear(Reply)
    engine.socket.close()
    assert engine.process.wait(10) == 0


def test_a_kill_ends_the_stream_and_the_status_says_how(engine: Engine, scenario) -> None:
    engine.say(Start(canonical(scenario(vcpus=[TOUCH])), "sim"))
    engine.hear(Started)
    os.kill(engine.process.pid, signal.SIGKILL)
    assert engine.hear(Pause) is None
    assert engine.process.wait(10) == -signal.SIGKILL
