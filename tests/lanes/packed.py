"""What the lane's machine has on its disk: this Python with the packages the tests need, KVM's modules, the project."""

import lzma
import py_compile
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from tests.lanes.newc import Newc

ENGINE = ("msgspec", "numpy", "pyyaml", "unicorn", "keystone-engine", "iced-x86")
PACKAGES = (*ENGINE, "pytest", "pytest-asyncio", "hypothesis")
PROJECT = "/project"
FOLDERS = ("engine", "labs", "tests/engine", "tests/peers", "tests/lanes")
MODULES = ("irqbypass", "kvm", "kvm-amd")
"""In the order in which they need each other."""
_NOT_NEEDED = re.compile(
    r"(^|/)(test|tests|idlelib|ensurepip|lib2to3|tkinter|turtledemo|pydoc_data|site-packages|dist-packages"
    r"|__pycache__|config-[^/]*)/|\.(a|pyi|pyx|h|exe|lib)$"
)
_NAME = re.compile(r"[\w.-]+")
_LIBRARY = re.compile(r"(/\S+) \(0x")


def python(into: Newc) -> None:
    """The virtual environment that runs this, cut down to PACKAGES and what they require, compiled, at its own path."""
    interpreter, site = Path(sys.executable).resolve(), sysconfig.get_path("purelib")
    library = Path(sysconfig.get_path("stdlib"))
    needing = [interpreter]
    into.file(str(interpreter), interpreter.read_bytes(), executable=True)
    into.link(sys.executable, str(interpreter))
    into.file(f"{sys.prefix}/pyvenv.cfg", Path(sys.prefix, "pyvenv.cfg").read_bytes())
    for source in sorted(library.rglob("*")):
        if source.is_file() and not _NOT_NEEDED.search(str(source.relative_to(library))):
            needing += _put(into, source, str(source))
    for name in sorted(_closure(PACKAGES)):
        for source, target in _files(name):
            needing += _put(into, source, f"{site}/{target}")
    for shared in _libraries(needing):
        into.file(shared, Path(shared).read_bytes(), executable=True)


def project(into: Newc, root: Path) -> None:
    for name in FOLDERS:
        for source in sorted((root / name).rglob("*")):
            if source.is_file() and "__pycache__" not in source.parts:
                into.file(f"{PROJECT}/{source.relative_to(root)}", source.read_bytes())
    into.file(f"{PROJECT}/pyproject.toml", (root / "pyproject.toml").read_bytes())


def modules(into: Newc, tree: Path) -> None:
    for name in MODULES:
        packed = next(path for path in sorted(tree.rglob(f"{name}.ko*")))
        data = packed.read_bytes()
        into.file(f"/modules/{name}.ko", lzma.decompress(data) if packed.suffix == ".xz" else data)


def _put(into: Newc, source: Path, target: str) -> list[Path]:
    """The file, and beside a module its byte code; the file again when it is a shared library."""
    into.file(target, source.read_bytes())
    if source.suffix == ".py":
        place = Path(target)
        into.file(f"{place.parent}/__pycache__/{place.stem}.{sys.implementation.cache_tag}.pyc", _compiled(source))
    return [source] if ".so" in source.name else []


def _compiled(source: Path) -> bytes:
    # Never checked against the source: the archive keeps no times, and compiling under emulation takes minutes.
    with tempfile.NamedTemporaryFile(suffix=".pyc") as made:
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        try:
            py_compile.compile(str(source), cfile=made.name, doraise=True, invalidation_mode=mode)
        except py_compile.PyCompileError:
            return b""
        return Path(made.name).read_bytes()


def _closure(names: tuple[str, ...]) -> set[str]:
    """These and, of what they require without extras, all that is installed."""
    found: set[str] = set()
    rest = list(names)
    while rest:
        name = rest.pop()
        if name in found:
            continue
        try:
            required = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        found.add(name)
        rest += [match.group() for one in required if "extra ==" not in one and (match := _NAME.match(one))]
    return found


def _files(name: str) -> Iterator[tuple[Path, str]]:
    for file in distribution(name).files or []:
        if ".." not in file.parts and not _NOT_NEEDED.search(str(file)):
            yield Path(str(file.locate())), str(file)


def _libraries(needing: list[Path]) -> set[str]:
    command = ["ldd", *map(str, needing)]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    return {path for path in _LIBRARY.findall(listed.stdout) if not path.startswith(str(Path(sys.prefix)))}
