"""What only some hosts can do: each extension is had as the capabilities say, or refused with their reason."""

import pytest

from engine.hypervisor.contract.errors import Unsupported
from engine.hypervisor.contract.extensions import EXTENSIONS
from tests.engine.hypervisor.guest import Guest


@pytest.mark.parametrize("kind", EXTENSIONS, ids=lambda kind: kind.__name__)
def test_an_extension_is_had_or_refused_as_the_capabilities_say(guest: Guest, kind: type) -> None:
    host = guest.vm.capabilities
    if kind.__name__ in host.extensions:
        assert guest.vm.extension(kind) is guest.vm.extension(kind)
        assert kind.__name__ not in host.lacks
    else:
        with pytest.raises(Unsupported) as refused:
            guest.vm.extension(kind)
        assert refused.value.ability == kind.__name__
        assert refused.value.reason == host.lacks.get(kind.__name__, refused.value.reason) != ""


def test_what_is_in_no_kernel_is_the_simulators(guest: Guest) -> None:
    proposed = {"PermissionBitmap", "MemoryAttributes", "KickAll", "AtomicRegions", "AtomicHarvest"}
    assert proposed & set(guest.vm.capabilities.extensions) == (set() if guest.is_real() else proposed)
    host = guest.vm.capabilities
    assert {*host.extensions, *host.lacks} <= {one.__name__ for one in EXTENSIONS}
