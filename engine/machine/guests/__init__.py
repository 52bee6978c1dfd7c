"""Built-in guests, by name."""

from engine.machine.guests.call import CALL
from engine.machine.guests.faults import FAULTS
from engine.machine.guests.guest import Guest, Parameter
from engine.machine.guests.kernel import KERNEL
from engine.machine.guests.lockinc import LOCKINC
from engine.machine.guests.monitor import MONITOR
from engine.machine.guests.read import READ
from engine.machine.guests.scatter import SCATTER
from engine.machine.guests.spin import SPIN
from engine.machine.guests.touch import TOUCH

_ALL = (SPIN, TOUCH, SCATTER, READ, CALL, LOCKINC, FAULTS, KERNEL, MONITOR)
GUESTS: dict[str, Guest] = {guest.name: guest for guest in _ALL}

__all__ = ["GUESTS", "Guest", "Parameter"]
