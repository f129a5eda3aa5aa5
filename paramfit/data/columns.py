"""What the data call their columns, and observations with all that is to be said of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from paramfit.observations import Observations

__all__ = ["Columns", "DescribedData", "Labels", "normalised"]


class Columns(NamedTuple):
    """Names of the columns that observations were made of.

    Attributes:
        inputs: one name for each input column; empty for a plain sample.
        target: name of what was measured.
        sigma: name of the known errors, where there are any.
    """

    inputs: tuple[str, ...]
    target: str
    sigma: str | None = None

    @classmethod
    def unnamed(cls, n_inputs: int, *, has_sigma: bool = False) -> "Columns":
        """Names for columns that came without: ``input`` or ``input_0``, ``input_1``, ..., ``target`` and ``sigma``.

        Example:
            >>> Columns.unnamed(2).inputs
            ('input_0', 'input_1')
        """
        inputs = ("input",) if n_inputs == 1 else tuple(f"input_{number}" for number in range(n_inputs))
        return cls(inputs, "target", "sigma" if has_sigma else None)


class Labels(NamedTuple):
    """What the axes of a figure are called, with units."""

    input: str = "input"
    target: str = "target"


@dataclass(frozen=True)
class DescribedData:
    """All observations of a fit, as figures need them.

    Attributes:
        raw: in the data's own units, in the order of the table.
        columns: what the columns are called.
        labels: what the axes are called, with units.
        statistics: shift and scale of each input, where they were normalised; empty where they were left alone.
        held_out: ``(n,)``, True for rows that did not train.
    """

    raw: Observations
    columns: Columns
    labels: Labels
    statistics: tuple[tuple[float, float], ...]
    held_out: Tensor

    @property
    def every(self) -> Observations:
        """All observations as the model takes them: normalised."""
        return normalised(self.raw, self.statistics) if self.statistics else self.raw


def normalised(observations: Observations, statistics: Sequence[tuple[float, float]]) -> Observations:
    """The observations with each input column ``(column - shift) * scale``."""
    inputs = tuple(
        (column - shift) * scale for column, (shift, scale) in zip(observations.inputs, statistics, strict=True)
    )
    return observations._replace(inputs=inputs)
