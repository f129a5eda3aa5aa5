"""Bringing inputs to a common size, which decides how fast gradient descent can go."""

from abc import ABC, abstractmethod

from torch import Tensor

from paramfit.errors import InputError

__all__ = ["FixedScale", "Normalization", "Standardize"]


class Normalization(ABC):
    """A linear map of each input column, ``z = (x - shift) * scale``, fitted on the training part alone."""

    @abstractmethod
    def fit(self, column: Tensor) -> tuple[float, float]:
        """Shift and scale for one training column ``(n,)``.

        Raises:
            InputError: if the column cannot be normalised.
        """


class FixedScale(Normalization):
    """Every input times one number, ``z = scale * x``.

    Args:
        scale: the factor, finite and not 0.

    Raises:
        InputError: for a factor of 0.
    """

    def __init__(self, scale: float) -> None:
        if not 0 < abs(scale) < float("inf"):
            raise InputError(f"scale: expected a finite number other than 0, but got {scale}")
        self.scale = scale

    def fit(self, column: Tensor) -> tuple[float, float]:
        """Shift 0 and the given scale, whatever the data."""
        del column
        return 0.0, self.scale


class Standardize(Normalization):
    """Mean 0 and standard deviation 1, ``z = (x - mean) / std``, with the population's standard deviation (over n)."""

    def fit(self, column: Tensor) -> tuple[float, float]:
        """The training column's mean, and one over its standard deviation."""
        deviation = column.double().std(correction=0).item()
        if not deviation > 0:
            raise InputError("normalization: Standardize needs an input that varies, but all training values are equal")
        return column.double().mean().item(), 1.0 / deviation
