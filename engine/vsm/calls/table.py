"""Which hypercalls there are, by code."""

from engine.vsm.call import Call
from engine.vsm.calls import get_vp_index_from_apic_id
from engine.vsm.calls.check_sparse_gpa_page_vtl_access import CHECK_SPARSE_GPA_PAGE_VTL_ACCESS
from engine.vsm.calls.enable_partition_vtl import ENABLE_PARTITION_VTL
from engine.vsm.calls.enable_vp_vtl import ENABLE_VP_VTL
from engine.vsm.calls.modify_protection_mask import MODIFY_VTL_PROTECTION_MASK
from engine.vsm.calls.post_message import POST_MESSAGE
from engine.vsm.calls.send_synthetic_cluster_ipi import SEND_SYNTHETIC_CLUSTER_IPI
from engine.vsm.calls.signal_event import SIGNAL_EVENT
from engine.vsm.calls.start_virtual_processor import START_VIRTUAL_PROCESSOR
from engine.vsm.calls.translate import TRANSLATE_VIRTUAL_ADDRESS
from engine.vsm.calls.vp_registers import GET_VP_REGISTERS, SET_VP_REGISTERS
from engine.vsm.profile import Profile


def calls(profile: Profile) -> dict[int, Call]:
    """Those of the profile: one call has its elements of another size."""
    padded = profile.padded_index
    found = (
        SEND_SYNTHETIC_CLUSTER_IPI,
        MODIFY_VTL_PROTECTION_MASK,
        ENABLE_PARTITION_VTL,
        ENABLE_VP_VTL,
        GET_VP_REGISTERS,
        SET_VP_REGISTERS,
        TRANSLATE_VIRTUAL_ADDRESS,
        START_VIRTUAL_PROCESSOR,
        get_vp_index_from_apic_id.PADDED if padded else get_vp_index_from_apic_id.UNPADDED,
        CHECK_SPARSE_GPA_PAGE_VTL_ACCESS,
        POST_MESSAGE,
        SIGNAL_EVENT,
    )
    return {call.code: call for call in found}
