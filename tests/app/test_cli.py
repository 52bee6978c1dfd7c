"""The command line as a script uses it: exit status, one JSON object, errors that name field and value."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

SCENARIO = """
name: two stores
ram: 4MiB
slots:
  - {slot: 0, base: 0x0, size: 2MiB}
  - {slot: 1, base: 0x200000, size: 2MiB, flags: [log]}
vcpus:
  - asm: |
      mov rdi, 0x210000
      inc qword ptr [rdi]
      inc qword ptr [rdi + 0x1000]
      hlt
masks:
  - {vtl: 0, base: 0x210000, pages: 1, mask: R}
"""
OUTCOME = {
    "type": "object",
    "additionalProperties": False,
    "required": ["hypervisor", "stopped", "exits", "protection", "hypercalls", "intercepts", "vtl_switches", "dirty",
                 "dirty_system", "dirty_lost", "memory_sha256", "instructions", "seconds"],
    "properties": {
        "hypervisor": {"enum": ["kvm", "sim"]},
        "stopped": {"type": "string"},
        "exits": {"type": "object", "additionalProperties": {"type": "integer"}},
        "protection": {"type": "array", "items": {"type": "object", "required": ["vcpu", "vtl", "gpa", "access"]}},
        "hypercalls": {"type": "array", "items": {"type": "object", "required": ["code", "status", "reps"]}},
        "intercepts": {"type": "array", "items": {"type": "object", "required": ["gpa", "access", "rip", "message"]}},
        "vtl_switches": {"type": "integer", "minimum": 0},
        "dirty": {"type": "array", "items": {"type": "string", "pattern": r"^0x[0-9a-f]+\+\d+$"}},
        "dirty_system": {"type": "array"},
        "dirty_lost": {"const": False},
        "memory_sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "instructions": {"type": ["integer", "null"]},
        "seconds": {"type": "number", "minimum": 0},
    },
}  # fmt: skip


def ringfence(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("ringfence")), *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)


def test_run_prints_one_json_object(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(SCENARIO)
    done = ringfence("run", str(tmp_path / "two.yaml"), "--hypervisor", "sim", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    jsonschema.validate(found, OUTCOME)
    assert found["stopped"] == "hlt"
    assert found["exits"] == {"protection": 1, "hlt": 1}
    assert found["protection"] == [
        {"vcpu": 0, "vtl": 0, "gpa": "0x210000", "gva": "0x210000", "access": "write", "rip": "0x10007",
         "text": "inc qword ptr [rdi]"},
    ]  # fmt: skip
    assert (found["hypercalls"], found["intercepts"], found["vtl_switches"]) == ([], [], 0)
    assert found["dirty"] == ["0x210000+2"]
    assert found["instructions"] == 4


def test_a_guest_that_fences_itself_tells_its_hypercalls_intercepts_and_switches() -> None:
    lab = Path("labs/kernel-3-break-in/scenario.yaml")
    done = ringfence("run", str(lab), "--hypervisor", "sim", "--json")
    found = json.loads(done.stdout)
    jsonschema.validate(found, OUTCOME)
    fence = {"vcpu": 0, "vtl": 1, "code": "ModifyVtlProtectionMask", "status": "SUCCESS", "reps": 4}
    assert fence in found["hypercalls"]
    assert [(told["gpa"], told["access"]) for told in found["intercepts"]][:2] == [("0x214000", "read")] * 2
    assert found["vtl_switches"] == 13
    told = ringfence("run", str(lab), "--hypervisor", "sim").stdout
    assert "hypercalls  9 SUCCESS, 1 ACCESS_DENIED; 13 VTL switches\n" in told


def test_a_limit_is_a_good_end() -> None:
    endless = SCENARIO.replace("hlt", "self: jmp self") + "limits: {instructions: 5000}\n"
    done = ringfence("run", "-", "--hypervisor", "sim", "--json", given=endless)
    found = json.loads(done.stdout)
    assert (done.returncode, found["stopped"], found["instructions"]) == (0, "limit:instructions", 5000)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("ram: 4MiB", "ram: 4MiB\ncolour: red"), "colour: 'red': unknown field"),
        (("base: 0x200000", "base: 0x200800"), "slots[1].base"),
        (("base: 0x200000", "base: 0x100000"), "slots[1].base: 0x100000: overlaps slot 0"),
        (("mask: R", "mask: W"), "masks[0].mask: 'W'"),
        (("ram: 4MiB", "ram: 64GiB"), "ram: '64GiB'"),
        (("size: 2MiB, flags", "size: 4MiB, flags"), "slots[1].base: 0x200000: ends at 0x600000, beyond RAM"),
        (("inc qword ptr [rdi]\n", "inc qword pointer [rdi]\n"), "line 2"),
        (("vcpus:", "vcpus: &v"), None),
    ],
)
def test_bad_input_names_the_field_and_the_value(change: tuple[str, str], told: str | None) -> None:
    done = ringfence("run", "-", given=SCENARIO.replace(*change))
    if told is None:
        assert done.returncode == 0
        return
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there_is_bad_input() -> None:
    done = ringfence("run", "/nowhere/at/all.yaml")
    assert done.returncode == 2
    assert "/nowhere/at/all.yaml" in done.stderr


def test_a_mask_the_host_cannot_enforce_is_refused_and_auto_goes_to_the_simulator() -> None:
    wanted = SCENARIO.replace("mask: R", "mask: RW")
    if ringfence("run", "-", "--hypervisor", "kvm", given=SCENARIO).returncode == 3:
        pytest.skip("NO KVM ON THIS HOST: nothing to refuse")
    refused = ringfence("run", "-", "--hypervisor", "kvm", given=wanted)
    assert refused.returncode == 2
    assert "RW" in refused.stderr
    assert json.loads(ringfence("run", "-", "--json", given=wanted).stdout)["hypervisor"] == "sim"


def test_doctor_says_what_this_host_can_do() -> None:
    done = ringfence("doctor", "--json")
    found = json.loads(done.stdout)
    by_name = {finding["hypervisor"]: finding for finding in found["findings"]}
    assert by_name["sim"]["usable"]
    assert by_name["kvm"]["usable"] or by_name["kvm"]["problem"]
    assert "AtomicRegions" in by_name["sim"]["extensions"]
    assert not by_name["kvm"]["usable"] or "in no kernel" in by_name["kvm"]["lacks"]["AtomicRegions"]
    assert done.returncode == (0 if by_name["kvm"]["usable"] else 3)


def test_doctor_says_in_words_what_each_hypervisor_has_besides() -> None:
    told = ringfence("doctor").stdout
    assert "has PermissionBitmap, MemoryAttributes, KickAll, AtomicRegions, AtomicHarvest" in told


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("RINGFENCE_PORT", "99999", "RINGFENCE_PORT: '99999'"),
        ("RINGFENCE_HYPERVISORS", "sim", "hypervisors"),
        ("RINGFENCE_DATABASE_URL", "mysql://u@h/d", "RINGFENCE_DATABASE_URL: 'mysql://u@h/d'"),
        ("RINGFENCE_VAR", "/proc/nothing/here", "/proc/nothing"),
        ("RINGFENCE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", "127.0.0.1"),
    ],
)
def test_a_server_that_cannot_start_says_why(
    variable: str, value: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGFENCE_VAR", str(tmp_path))
    monkeypatch.setenv("RINGFENCE_PORT", "0")
    monkeypatch.setenv(variable, value)
    done = ringfence("serve")
    assert done.returncode in (1, 2)
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGFENCE_VAR", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = ringfence("serve", "--port", port)
    assert done.returncode == 1
    assert port in done.stderr
    assert "Traceback" not in done.stderr


REPORT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["state", "kernel", "failed", "hypervisors", "checks"],
    "properties": {
        "state": {"const": "done"},
        "kernel": {"type": "string"},
        "failed": {"const": 0},
        "hypervisors": {"type": "array", "items": {"required": ["hypervisor", "label", "problem", "counts"]}},
        "checks": {
            "type": "array",
            "items": {
                "required": ["id", "subject", "says", "source", "answers"],
                "properties": {
                    "answers": {
                        "additionalProperties": {
                            "required": ["verdict", "reason", "seconds"],
                            "properties": {"verdict": {"enum": ["pass", "not possible"]}},
                        }
                    }
                },
            },
        },
    },
}


def test_conformance_is_one_json_object_with_an_answer_from_each() -> None:
    done = ringfence("conformance", "--json")
    report = json.loads(done.stdout)
    jsonschema.validate(report, REPORT)
    assert done.returncode == 0
    assert [one["hypervisor"] for one in report["hypervisors"]] == ["kvm", "sim"]
    assert all(set(check["answers"]) == {"kvm", "sim"} for check in report["checks"])


def test_conformance_says_in_words_what_was_not_possible() -> None:
    done = ringfence("conformance", "--hypervisor", "sim")
    assert done.returncode == 0
    assert done.stdout.startswith("sim: simulator")
    assert "kvm" not in done.stdout.split("\n")[0]
