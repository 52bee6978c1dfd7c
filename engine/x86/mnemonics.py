"""Names of the instructions that guests may be written with.

Iced's list, and the other spellings of conditions. What keystone knows beyond it (`data16`, `rex64`, pseudo
instructions) is mostly prefixes, on which its parser loops for ever (measured).
"""

import iced_x86 as iced

PREFIXES = frozenset({"lock", "rep", "repe", "repz", "repne", "repnz"})
"""Stand before another mnemonic on the same line."""

_CONDITIONS = ("z", "nz", "c", "nae", "nc", "nb", "na", "nbe", "pe", "po", "nge", "nl", "ng", "nle")
_OTHER_SPELLINGS = frozenset({"movabs", "sal", "xlatb", "loopz", "loopnz"})


def _known() -> frozenset[str]:
    names = {name.lower() for name in vars(iced.Mnemonic) if name[0].isalpha() and name != "INVALID"}
    conditional = {stem + condition for stem in ("j", "set", "cmov") for condition in _CONDITIONS}
    return frozenset(names | conditional | _OTHER_SPELLINGS)


KNOWN = _known()
