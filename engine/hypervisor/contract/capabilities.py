"""What a host's hypervisor can do, as values to ask before trying."""

import msgspec

from engine.model.rights import Rights, rights_text


class Capabilities(msgspec.Struct, frozen=True):
    """Abilities of one hypervisor on this host."""

    name: str
    """Shown to people: `kvm` or `sim`. Nothing above hypervisor/ compares it."""
    label: str
    """In words, e.g. `real KVM (kvm_pvm, kernel 6.18)` or `simulator (Unicorn 2.1.4)`."""
    real: bool
    clock: str
    """`host ns` or `guest instructions`."""
    concurrent: bool
    """True: each vCPU wants a thread of its own and calls are allowed while they run. False: one executor, seeded
    slices, and calls only between slices; runs repeat exactly."""
    counts_instructions: bool
    max_slots: int
    masks: tuple[int, ...]
    """Every Rights value that set_mask can enforce."""
    denies_whole: bool
    """Of a denied instruction nothing has happened while its exit is open, and every exit of a store tells its bytes.
    False: the part of a store that lies on another page may be in memory already, and a store whose instruction's
    fetch was denied as well may tell none."""
    logs_loads: bool
    """The dirty log may also hold pages that were loaded from for the first time and never written."""
    mask_reason: str = ""
    """Why the TLFS-valid masks that are missing from `masks` cannot be had here."""
    single_step: bool = False
    """Vcpu.run(1) executes one instruction, where instructions are not counted (KVM_GUESTDBG_SINGLESTEP)."""
    step_reason: str = ""
    """Why it does not."""
    extensions: tuple[str, ...] = ()
    """Names of the extensions that a vm has here, e.g. `Snapshots` (contract/extensions.py)."""
    lacks: dict[str, str] = {}
    """Why not, by name, of those that a vm does not have."""
    address_spaces: int = 1
    """What bits 31 to 16 of a slot number choose from (KVM_CAP_MULTI_ADDRESS_SPACE): with SMM, two. Guests run in 0."""
    ring_bytes: int = 0
    """The largest dirty ring a vCPU can have; 0: none."""
    ring_reason: str = ""
    """Why a dirty ring can lose pages here (RingHarvest.lost); empty where it never does."""

    @property
    def mbec(self) -> bool:
        """Ring 3 may be given another execute right than ring 0 (contract/extensions.py)."""
        return "ModeBasedExecution" in self.extensions

    def enforces(self, rights: Rights) -> bool:
        return int(rights) in self.masks

    def mask_texts(self) -> list[str]:
        return [rights_text(Rights(mask)) for mask in self.masks]
