"""Observations with what is to be said of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from paramfit.data.columns import Columns, Labels
from paramfit.observations import Observations

__all__ = ["DescribedData", "normalised"]


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
