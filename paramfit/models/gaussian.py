"""A normal distribution with unknown location and known scale."""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Normal

from paramfit.errors import InputError
from paramfit.models.base import ParametricModel, broadcast_parameters
from paramfit.parameters import dtype_named

__all__ = ["GaussianModel"]


class GaussianModel(ParametricModel):
    r"""A normal distribution, ``Normal(location, scale)``, whose scale is known.

    Location and scale have the unit of the observations.

    Args:
        location: the location: its start, or a mapping with start, lower, upper, fixed, unit.
        scale: the known standard deviation, above 0.
        dtype: precision, ``float64`` by default: a summed likelihood of 10 000 observations has more digits than
            ``float32`` can hold.

    Shapes:
        ``forward()`` gives a distribution of batch shape ``()``; a location of shape A gives batch shape
        ``A + (1,)``, whose log-density of a sample ``(n,)`` is ``A + (n,)``.

    Raises:
        InputError: if the scale is not positive or the location cannot be made (``ParameterSpec``).

    Example:
        >>> distribution = GaussianModel(location=1.0, scale=2.0)()
        >>> distribution.mean.item(), distribution.stddev.item()
        (1.0, 2.0)
    """

    scale: Tensor

    def __init__(self, location: float | dict[str, Any] = 1.0, scale: float = 1.0, dtype: str = "float64") -> None:
        super().__init__()
        if not scale > 0:
            raise InputError(f"scale: a standard deviation is above 0, but got {scale}")
        self.declare("location", location, dtype_named(dtype))
        self.register_buffer("scale", torch.tensor(scale, dtype=dtype_named(dtype)))

    def forward(self) -> Normal:
        """The distribution at the present location."""
        (location,) = broadcast_parameters(("location",), (self.natural("location"),))
        return Normal(location, self.scale, validate_args=False)

    def jacobian(self, *inputs: Tensor) -> dict[str, Tensor | float]:
        """``d location / d location = 1`` for every observation."""
        return self.by_unconstrained({"location": 1.0})

    def sample_estimate(self, target: Tensor) -> dict[str, Tensor] | None:
        """The location that maximises the likelihood is the empirical mean, if it is free and unbounded."""
        spec = self.specifications["location"]
        if spec.bounded or spec.fixed:
            return None
        return {"location": target.mean()}
