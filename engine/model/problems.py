"""What is wrong with an input, as values: all of it at once, each naming the field, its value and the rule."""

import msgspec


class Problem(msgspec.Struct, frozen=True):
    path: str
    """Where, e.g. `slots[1].base`."""
    value: str
    """What was written there, shortened."""
    rule: str
    """What would be right."""

    def __str__(self) -> str:
        return f"{self.path}: {self.value}: {self.rule}" if self.value else f"{self.path}: {self.rule}"


class ScenarioProblems(ValueError):
    """A scenario, or a command against one, cannot be taken; `problems` has every reason."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems
