"""What the models of paramfit have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn

from paramfit.errors import InputError

__all__ = ["ParametricModel", "broadcast_parameters", "start_value"]


class ParametricModel(nn.Module, ABC):
    """A model whose ``nn.Parameter``s are what is estimated, and which knows its own Jacobian.

    ``forward(*inputs)`` gives a prediction tensor, or a ``torch.distributions.Distribution`` for a likelihood.
    Parameters are scalars; they may also be given leading dimensions (``torch.func.functional_call``), which then
    broadcast with each other and lead the observations: parameters ``(2, 3)`` and inputs ``(n,)`` give ``(2, 3, n)``.

    Any other ``nn.Module`` can be fitted as well; this base is needed for the analytic gradient rule, closed-form
    estimates and estimates in original units.
    """

    #: Whether the prediction is linear in every parameter; then least squares has a closed form.
    linear_in_parameters: bool = False

    @abstractmethod
    def jacobian(self, *inputs: Tensor) -> dict[str, Tensor | float]:
        """Derivative of each observation's prediction (or location) by each parameter.

        Args:
            inputs: one tensor ``(n,)`` for each input column.

        Returns:
            For each parameter name a column ``(n,)``, or one number where it is the same for every observation.
        """

    def original_units(self, shift: float, scale: float) -> Tensor | None:
        """How estimates on the normalised input ``z = (x - shift) * scale`` become those on ``x``.

        Returns:
            The matrix M ``(p, p)``, float64, of the linear map ``theta_x = M theta_z`` in the order of
            ``named_parameters()``; None where the model cannot undo it.
        """
        del shift, scale
        return None

    def sample_estimate(self, target: Tensor) -> dict[str, Tensor] | None:
        """Closed-form maximum-likelihood estimates from a sample ``(n,)``, where there are any."""
        del target
        return None


def start_value(name: str, value: float | Tensor, dtype: torch.dtype) -> nn.Parameter:
    """A parameter that starts at ``value``.

    Raises:
        InputError: if the value is not finite.
    """
    start = torch.as_tensor(value, dtype=dtype).clone()
    if not bool(torch.isfinite(start).all()):
        msg = f"{name}: a start must be a finite number, but got {value!r}"
        raise InputError(msg)
    return nn.Parameter(start)


def broadcast_parameters(names: Sequence[str], parameters: Sequence[Tensor], trailing: int = 1) -> list[Tensor]:
    """Parameters with room for the observations behind their own leading dimensions.

    Scalars are left as they are; a parameter ``(...)`` becomes ``(..., 1)``.

    Args:
        names: what the parameters are called.
        parameters: of shapes that broadcast with each other.
        trailing: dimensions of the input, whose place follows; 0 for a scalar input.

    Raises:
        InputError: if the shapes do not broadcast; the message names both.
    """
    if all(parameter.ndim == 0 for parameter in parameters):
        return list(parameters)
    for (name, one), (other, another) in combinations(zip(names, parameters, strict=True), 2):
        common = zip(reversed(one.shape), reversed(another.shape), strict=False)  # the longer shape leads
        if any(1 != here != there != 1 for here, there in common):
            msg = (
                f"shapes do not broadcast: {name} has {tuple(one.shape)} and {other} has {tuple(another.shape)};"
                " sizes must be equal or 1, compared from the right"
            )
            raise InputError(msg)
    room = (1,) * trailing
    return [parameter if parameter.ndim == 0 else parameter.reshape(parameter.shape + room) for parameter in parameters]
