"""The process that examines one hypervisor for app.conformance.examiner: whatever it crashes takes nobody along."""

import os
import socket
import sys

from app.conformance.messages import Examined, Opened, to_examiner
from engine import wire
from engine.conformance.catalogue import BY_ID
from engine.conformance.examine import examine
from engine.hypervisor.choose import choose
from engine.hypervisor.contract.errors import HypervisorMissing


def main() -> None:
    # Machines that people watch meanwhile come first.
    os.nice(10)
    with socket.socket(fileno=int(sys.argv[1])) as server:
        asked = wire.receive_blocking(server, to_examiner)
        if asked is None:
            return
        try:
            hypervisor, _ = choose(asked.hypervisor)
        except HypervisorMissing as missing:
            server.sendall(wire.pack(Opened("", missing.reason)))
            return
        server.sendall(wire.pack(Opened(hypervisor.capabilities.label)))
        for id in asked.checks:
            server.sendall(wire.pack(Examined(examine(hypervisor, BY_ID[id]))))


if __name__ == "__main__":
    main()
