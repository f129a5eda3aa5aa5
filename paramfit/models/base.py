"""What the models of paramfit have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

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


def broadcast_parameters(names: Sequence[str], parameters: Sequence[Tensor]) -> list[Tensor]:
    """Parameters with room for the observations behind their own leading dimensions.

    Scalars are left as they are; a parameter ``(...)`` becomes ``(..., 1)``.

    Raises:
        InputError: if the shapes do not broadcast; the message names both.
    """
    if all(parameter.ndim == 0 for parameter in parameters):
        return list(parameters)
    reference = parameters[0]
    for name, parameter in zip(names, parameters, strict=True):
        try:
            torch.broadcast_shapes(reference.shape, parameter.shape)
        except RuntimeError:
            msg = (
                f"shapes do not broadcast: {names[0]} has {tuple(reference.shape)} and {name} has"
                f" {tuple(parameter.shape)}; sizes must be equal or 1, compared from the right"
            )
            raise InputError(msg) from None
    return [parameter if parameter.ndim == 0 else parameter.unsqueeze(-1) for parameter in parameters]
