"""What this machine lacks, in words that a skipped test can print; None when it is there."""

import os
import shutil
from pathlib import Path

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


def kvm_absent() -> str | None:
    """Why /dev/kvm does not open for this user."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"NO REAL KVM HERE: /dev/kvm: {error.strerror}. `ringfence doctor` says what would help."
    return None


def chromium_path() -> str | None:
    """The system's Chromium: Playwright's own download is never used."""
    found = (shutil.which(name) for name in CHROMIUM_NAMES)
    return next((path for path in found if path), None)


def chromium_absent() -> str | None:
    if chromium_path():
        return None
    return f"NO BROWSER HERE: none of {', '.join(CHROMIUM_NAMES)} on PATH. Install Debian's chromium."


def postgres_bin() -> Path | None:
    """The folder of initdb and postgres: Debian keeps it off PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    if debian:
        return debian[-1].parent
    return Path(on_path).resolve().parent if on_path else None


def postgres_absent() -> str | None:
    if postgres_bin():
        return None
    return "NO POSTGRESQL HERE: no initdb. Install Debian's postgresql."


def absences() -> dict[str, str]:
    """Everything that is missing, by the name of what cannot be tested."""
    found = {
        "real KVM": kvm_absent(),
        "the page in a browser": chromium_absent(),
        "PostgreSQL": postgres_absent(),
    }
    return {name: reason for name, reason in found.items() if reason}
