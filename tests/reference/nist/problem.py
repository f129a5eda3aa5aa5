"""A NIST set as a user would give it: a table, a formula, starts. Nothing that is certified goes along."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.reference.nist.dataset import Dataset, Kind, find_files, read_dataset
from tests.reference.nist.formulas import FORMULAS

__all__ = ["Problem", "problems"]


@dataclass(frozen=True)
class Problem:
    """One set, with its table.

    Attributes:
        dataset: what the file says.
        formula: the model.
        columns: the table's cells by column.
        target: the column that the formula predicts.
        inputs: the columns that the formula reads.
    """

    dataset: Dataset
    formula: str
    columns: dict[str, tuple[str, ...]]
    target: str
    inputs: tuple[str, ...]

    @classmethod
    def of(cls, dataset: Dataset) -> "Problem":
        """The problem that a file poses: all fit y, but Nelson fits log(y)."""
        columns, target = dict(dataset.columns), "y"
        if dataset.name == "Nelson":
            target = "log_y"
            columns[target] = tuple(repr(math.log(float(cell))) for cell in columns["y"])
        inputs = tuple(name for name in dataset.columns if name != "y")
        return cls(dataset, FORMULAS[dataset.name], columns, target, inputs)

    def starts(self, which: int) -> dict[str, float | None]:
        """The file's starting point, 0 or 1; None for parameters that need none."""
        parameters = self.dataset.parameters.items()
        return {name: certified.starts[which] if certified.starts else None for name, certified in parameters}

    def write(self, path: Path, order: Sequence[int] | None = None) -> None:
        """Write the table as CSV, digit for digit, its rows in the given order."""
        used = [*self.inputs, self.target]
        with path.open("w", newline="", encoding="ascii") as file:
            writer = csv.writer(file)
            writer.writerow(used)
            for row in range(self.dataset.n) if order is None else order:
                writer.writerow([self.columns[name][row] for name in used])


def problems(kind: Kind) -> list[Problem]:
    """All problems of one kind, by name."""
    return [Problem.of(read_dataset(path)) for path in find_files(kind)]
