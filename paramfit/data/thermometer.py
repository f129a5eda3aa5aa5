"""Eleven readings of a thermometer of unknown units."""

from collections.abc import Sequence
from typing import Literal

import torch

from paramfit.data.base import EstimationDataModule
from paramfit.data.columns import Labels
from paramfit.data.normalization import Normalization
from paramfit.observations import Observations
from paramfit.parameters import dtype_named

__all__ = ["ThermometerDataModule"]

_UNKNOWN_UNITS = (35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4)
_CELSIUS = (0.5, 14.0, 15.0, 28.0, 11.0, 8.0, 3.0, -4.0, 6.0, 13.0, 21.0)


class ThermometerDataModule(EstimationDataModule):
    """The eleven pairs of the thermometer lesson: readings in an unknown unit, and the temperature in °Celsius.

    The unknown unit is °Fahrenheit, so that the truth is ``t_c = 5/9 * (t_u - 32)``: weight 0.5556, bias -17.78.

    Args:
        validation_fraction: share of the rows held out for validation, in [0, 1).
        validation_rows: the rows held out instead, by their numbers from 0: ``[1, 9]``.
        normalization: ``none``, ``FixedScale`` (the lesson's 0.1) or ``Standardize``.
        batch_size: rows in a training batch; all where it is not given.
        shuffle: whether mini-batches are drawn in a new order each epoch.
        jitter: standard deviation of the noise added to the training inputs, in units of the thermometer.
        seed: seed of the split, of the order and of the jitter.
        dtype: precision; the published digits are those of ``float32``.
        validation_indices: the older name of ``validation_rows``.

    Raises:
        InputError: for an option outside its range.

    References:
        Eli Stevens, Luca Antiga, Thomas Viehmann: Deep Learning with PyTorch, chapter 5 (2020).
    """

    def __init__(
        self,
        validation_fraction: float = 0.0,
        validation_rows: Sequence[int] | None = None,
        normalization: Normalization | Literal["none"] = "none",
        batch_size: int | None = None,
        shuffle: bool = False,
        jitter: float = 0.0,
        seed: int = 0,
        dtype: str = "float32",
        validation_indices: Sequence[int] | None = None,
    ) -> None:
        super().__init__(
            validation_fraction,
            validation_rows,
            normalization,
            batch_size,
            shuffle,
            jitter,
            seed,
            validation_indices=validation_indices,
        )
        self.dtype = dtype_named(dtype)

    def read(self) -> Observations:
        """The eleven pairs."""
        return Observations((torch.tensor(_UNKNOWN_UNITS, dtype=self.dtype),), torch.tensor(_CELSIUS, dtype=self.dtype))

    @property
    def truth(self) -> dict[str, float]:
        """Fahrenheit to Celsius."""
        return {"weight": 5 / 9, "bias": -160 / 9}

    @property
    def labels(self) -> Labels:
        """Temperatures, with their units."""
        return Labels("Temperature (°Fahrenheit)", "Temperature (°Celsius)")
