"""A sample of a normal distribution."""

from collections.abc import Sequence

import torch

from paramfit.data.base import EstimationDataModule
from paramfit.data.columns import Labels
from paramfit.errors import InputError
from paramfit.observations import Observations
from paramfit.parameters import dtype_named

__all__ = ["GaussianDataModule"]


class GaussianDataModule(EstimationDataModule):
    """``n_obs`` independent draws from ``Normal(true_location, scale)``, the same for the same seed.

    Args:
        n_obs: number of observations, at least 1.
        true_location: the location that the sample is drawn around.
        scale: standard deviation, above 0.
        seed: seed of the sample, and of split and order.
        validation_fraction: share of the observations held out for validation, in [0, 1).
        validation_rows: the rows held out instead, by their numbers from 0: ``[1, 9]``.
        batch_size: observations in a training batch; all where it is not given.
        shuffle: whether mini-batches are drawn in a new order each epoch.
        dtype: precision; the sample is drawn in float64 and rounded, so that both precisions see the same draws.
        validation_indices: the older name of ``validation_rows``.

    Raises:
        InputError: for an option outside its range.
    """

    def __init__(
        self,
        n_obs: int = 10_000,
        true_location: float = 0.0,
        scale: float = 1.0,
        seed: int = 0,
        validation_fraction: float = 0.0,
        validation_rows: Sequence[int] | None = None,
        batch_size: int | None = None,
        shuffle: bool = False,
        dtype: str = "float64",
        validation_indices: Sequence[int] | None = None,
    ) -> None:
        super().__init__(
            validation_fraction,
            validation_rows,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            validation_indices=validation_indices,
        )
        if n_obs < 1:
            raise InputError(f"n_obs: a sample has at least one observation, but got {n_obs}")
        if not scale > 0:
            raise InputError(f"scale: a standard deviation is above 0, but got {scale}")
        self.n_obs = n_obs
        self.true_location = true_location
        self.scale = scale
        self.dtype = dtype_named(dtype)

    def read(self) -> Observations:
        """Draw the sample."""
        generator = torch.Generator().manual_seed(self.seed)
        draws = torch.randn(self.n_obs, generator=generator, dtype=torch.float64)
        return Observations((), (self.true_location + self.scale * draws).to(self.dtype))

    @property
    def truth(self) -> dict[str, float]:
        """What the sample was drawn around."""
        return {"location": self.true_location}

    @property
    def labels(self) -> Labels:
        """An observation has no unit here."""
        return Labels("observation", "density")
