"""Every hypervisor passes every check, or says why it cannot be asked."""

from collections import Counter

import pytest

from engine.conformance.catalogue import BY_ID, CHECKS
from engine.conformance.examine import examine
from engine.hypervisor.choose import choose
from engine.hypervisor.contract.capabilities import Capabilities
from engine.hypervisor.contract.errors import HypervisorMissing
from engine.model.rights import Rights, is_valid_mask, rights_text

EXTENSIONS = {
    "proposals.permission-bitmap": "PermissionBitmap",
    "proposals.memory-attributes": "MemoryAttributes",
    "proposals.kick-all": "KickAll",
    "proposals.region-list": "AtomicRegions",
    "proposals.log-and-delete": "AtomicHarvest",
    "proposals.snapshots": "Snapshots",
}


def impossible(host: Capabilities) -> set[str]:
    """Checks that a host with these capabilities need not answer."""
    valid = {rights_text(mask) for mask in map(Rights, range(16)) if is_valid_mask(mask, mbec=True)}
    enforced = {f"masks.{text}" for text in host.mask_texts()}
    masks = {f"masks.{text}" for text in valid} | {f"masks.{text}-with-MBEC" for text in valid}
    enforced |= {f"{mask}-with-MBEC" for mask in enforced} if host.mbec else set[str]()
    rings = {"ring.soft-limit-heeded"} if host.ring_reason else set[str]()
    proposals = {check for check, extension in EXTENSIONS.items() if extension not in host.extensions}
    modified = {"exceptions.locked-store-not-mapped"} if host.denies_whole else set[str]()
    steps = set[str]() if host.counts_instructions or host.single_step else {"exceptions.single-step"}
    return steps | modified | (masks - enforced) | rings | {"ring.size-4096"} | proposals


@pytest.mark.parametrize("id", list(BY_ID))
@pytest.mark.parametrize("name", ["sim", "kvm"])
def test_a_hypervisor_passes_or_says_why_not(id: str, name: str) -> None:
    try:
        hypervisor, _ = choose(name)
    except HypervisorMissing as missing:
        pytest.skip(f"NO {name.upper()} ON THIS HOST: {missing.reason}")
    result = examine(hypervisor, BY_ID[id])
    assert result.verdict != "fail", result.reason
    if result.verdict == "not possible":
        assert id in impossible(hypervisor.capabilities)
        assert result.reason


def test_each_check_has_a_name_of_its_own_a_sentence_and_a_source() -> None:
    assert [id for id, times in Counter(check.id for check in CHECKS).items() if times > 1] == []
    assert [check.id for check in CHECKS if not check.says or not check.source or " " in check.id] == []
