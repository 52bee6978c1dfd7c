"""Above hypervisor/ nobody asks which hypervisor it is: abilities are asked for, names are only shown."""

import ast
from pathlib import Path

import pytest

from tests.house.tree import ROOT, python_files

NAMES = {"kvm", "sim"}


def above() -> list[Path]:
    below = ("engine/hypervisor/", "engine/abi/")
    return [path for path in python_files("engine", "app") if not str(path).startswith(below)]


def names_in(node: ast.AST) -> set[str]:
    """String constants of the node and of a tuple, list or set in it."""
    return {leaf.value for leaf in ast.walk(node) if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)}


def comparisons(tree: ast.AST) -> list[int]:
    """Lines that compare with, or match on, a hypervisor's name."""
    lines: list[int] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = (node.left, *node.comparators)
            lines += [node.lineno] if any(names_in(side) & NAMES for side in sides) else []
        if isinstance(node, ast.MatchValue) and names_in(node.value) & NAMES:
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("path", above(), ids=str)
def test_no_comparison_with_a_name(path: Path) -> None:
    tree = ast.parse((ROOT / path).read_text())
    assert comparisons(tree) == []


@pytest.mark.parametrize(
    "source",
    ['if name == "kvm": pass', 'x = "sim" in names', 'match name:\n  case "kvm": pass', 'y = name in ("kvm", "auto")'],
)
def test_the_lint_sees(source: str) -> None:
    assert comparisons(ast.parse(source)) != []


def test_the_lint_lets_a_table_be() -> None:
    assert comparisons(ast.parse('hypervisors = ("kvm", "sim")\nx = name == "auto"')) == []
