"""A polynomial of any degree: too stiff at degree 0, too supple at degree 9."""

from collections.abc import Mapping
from math import comb
from typing import Any

import torch
from torch import Tensor

from paramfit.errors import InputError
from paramfit.models.base import ParametricModel, broadcast_parameters
from paramfit.parameters import dtype_named

__all__ = ["PolynomialModel"]


class PolynomialModel(ParametricModel):
    r"""A polynomial, ``prediction = sum_k coefficient_k * x**k`` for k from 0 to ``degree``.

    Its parameters are the scalars ``coefficient_0`` to ``coefficient_<degree>``, starting at 0 unless said otherwise;
    ``coefficient_k`` has the unit of the target over that of the input to the power k.

    Args:
        degree: the highest power, at least 0.
        parameters: for any ``coefficient_k`` its start, or a mapping with start, lower, upper, fixed, unit.
        dtype: precision of the coefficients, ``float32`` or ``float64``.

    Shapes:
        x ``(n,)`` gives ``(n,)``; coefficients with leading dimensions broadcast, as in ``LinearModel``.

    Raises:
        InputError: if the degree is negative, a parameter cannot be made or is not one of its own, or if the shapes
            of the coefficients do not broadcast.

    Example:
        >>> model = PolynomialModel(degree=2)
        >>> [name for name, _ in model.named_parameters()]
        ['coefficient_0', 'coefficient_1', 'coefficient_2']
    """

    linear_in_parameters = True

    def __init__(self, degree: int, parameters: Mapping[str, Any] | None = None, dtype: str = "float32") -> None:
        super().__init__()
        if degree < 0:
            raise InputError(f"degree: expected 0 or more, but got {degree}")
        self.degree = degree
        self.names = tuple(f"coefficient_{power}" for power in range(degree + 1))
        given = dict(parameters or {})
        for name in self.names:
            self.declare(name, given.pop(name, 0.0), dtype_named(dtype))
        if given:
            raise InputError(
                f"parameters.{next(iter(given))}: a polynomial of degree {degree} has {', '.join(self.names)}"
            )

    def forward(self, x: Tensor) -> Tensor:
        """The polynomial at ``x``, by Horner's rule."""
        coefficients = broadcast_parameters(self.names, [self.natural(name) for name in self.names], x.ndim)
        value = coefficients[-1] * torch.ones_like(x)
        for coefficient in reversed(coefficients[:-1]):
            value = value * x + coefficient
        return value

    def jacobian(self, *inputs: Tensor) -> dict[str, Tensor | float]:
        """``d prediction / d coefficient_k = x**k``."""
        (x,) = inputs
        return self.by_unconstrained({name: x**power for power, name in enumerate(self.names)})

    def original_units(self, shift: float, scale: float) -> Tensor:
        """The binomial expansion of ``sum_k c_k * ((x - shift) * scale)**k``."""
        size = self.degree + 1
        matrix = torch.zeros(size, size, dtype=torch.float64)
        for power in range(size):
            for order in range(power + 1):
                matrix[order, power] = comb(power, order) * (-shift) ** (power - order) * scale**power
        return matrix
