"""What an objective is: one loss per observation, and how the losses become one number."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from paramfit.errors import InputError
from paramfit.objectives.summation import Pairwise, Summation
from paramfit.observations import Censored
from paramfit.torch_overhead import scalar

__all__ = ["Objective", "check_shapes"]


class Objective(ABC):
    r"""From prediction and target to one loss.

    .. math:: L(\theta) = \mathrm{reduce}_i\, \ell(p_i, t_i) + l_1 \sum_k |\theta_k| + l_2 \sum_k \theta_k^2

    where *reduce* is the mean or the sum over the observations. A mean is always a sum divided once by the count, so
    that unequal batches can be added up exactly: ``finish(total over all batches, count over all batches)``.

    A subclass defines ``per_observation``; ``derivative`` in closed form is needed by the analytic gradient rule alone,
    and saves it autograd.

    Args:
        reduction: ``mean`` or ``sum``.
        l1: weight of the sum of absolute parameters, 0 or more.
        l2: weight of the sum of squared parameters, 0 or more.
        summation: the order in which losses and gradients are added up; as torch sums where None.

    Raises:
        InputError: for another reduction or a penalty below 0.
    """

    def __init__(
        self, reduction: str = "mean", l1: float = 0.0, l2: float = 0.0, summation: Summation | None = None
    ) -> None:
        if reduction not in {"mean", "sum"}:
            raise InputError(f"reduction: expected mean or sum, but got {reduction!r}")
        for name, weight in (("l1", l1), ("l2", l2)):
            if not (weight >= 0 and math.isfinite(weight)):
                raise InputError(f"{name}: a penalty's weight is 0 or more, but got {weight}")
        self.reduction = reduction
        self.l1 = l1
        self.l2 = l2
        self.summation = summation or Pairwise()

    @abstractmethod
    def per_observation(self, prediction: Any, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        """The loss of each observation.

        Args:
            prediction: ``(..., n)``, or a distribution of such a batch shape.
            target: ``(n,)``.
            sigma: standard deviation of each target, ``(n,)``, where it is known; residuals are then measured in it.

        Returns:
            ``(..., n)``

        Raises:
            InputError: if prediction and target do not belong together (the message names both shapes), or if the
                objective has no use for known errors.
        """

    def derivative(self, prediction: Any, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Derivative ``(n,)`` of each observation's loss by its prediction (or by the distribution's location)."""
        with torch.enable_grad():
            free = prediction.detach().requires_grad_()
            slope: Tensor = torch.autograd.grad(self.per_observation(free, target, sigma).sum(), free)[0]
        return slope

    def contract(self, derivative: Tensor, columns: Mapping[str, Tensor | float]) -> dict[str, Tensor]:
        """Derivative of the reduced loss by each parameter: the chain rule's last step.

        Args:
            derivative: what ``derivative`` gave, ``(n,)``.
            columns: for each parameter its column of the model's Jacobian, ``(n,)`` or one number for all rows.

        Returns:
            For each parameter ``()``.
        """
        count = derivative.shape[-1] if self.reduction == "mean" else 1
        return self.summation.contract(derivative, columns, count)

    def censored(self, prediction: Any, target: Tensor, sigma: Tensor | None, censoring: Censored) -> Tensor:
        """The loss of each observation where some targets are bounds, ``(..., n)``.

        Raises:
            InputError: unless the objective is a likelihood, which alone has one.
        """
        raise InputError(
            f"data.censoring: {type(self).__name__} has no use for censored observations; use MaximumLikelihood, for"
            " without such rows, or with their bounds taken for values, estimates are biased"
        )

    def losses(
        self, prediction: Any, target: Tensor, sigma: Tensor | None = None, censoring: Censored | None = None
    ) -> Tensor:
        """The loss of each observation, censored or not, ``(..., n)``; takes ``*observations.measured``."""
        if censoring is None:
            return self.per_observation(prediction, target, sigma)
        return self.censored(prediction, target, sigma, censoring)

    def __call__(
        self, prediction: Any, target: Tensor, sigma: Tensor | None = None, censoring: Censored | None = None
    ) -> Tensor:
        """The reduced loss, without penalty: ``(..., n)`` to ``(...)``."""
        values = self.losses(prediction, target, sigma, censoring)
        return self.finish(self.summation.add_up(values), values.shape[-1])

    def total(
        self, prediction: Any, target: Tensor, sigma: Tensor | None = None, censoring: Censored | None = None
    ) -> Tensor:
        """The sum of the losses of one batch, neither averaged nor penalised."""
        return self.summation.add_up(self.losses(prediction, target, sigma, censoring))

    def finish(self, total: Tensor, count: int) -> Tensor:
        """A sum over ``count`` observations reduced: divided once for a mean."""
        return total / scalar(count, total) if self.reduction == "mean" else total

    @property
    def penalised(self) -> bool:
        """Whether a penalty is on."""
        return self.l1 > 0 or self.l2 > 0

    def penalty(self, parameters: Iterable[Tensor]) -> Tensor:
        """The penalty, ``()``."""
        return torch.stack(
            [self.l1 * parameter.abs().sum() + self.l2 * parameter.square().sum() for parameter in parameters]
        ).sum()

    def penalty_gradient(self, parameter: Tensor) -> Tensor:
        """Derivative of the penalty by one parameter, in its shape (0 at the kink of the absolute value)."""
        return self.l1 * parameter.sign() + 2 * self.l2 * parameter


def check_shapes(prediction: Any, target: Tensor) -> None:
    """Refuse a prediction that has no value for each target: it would broadcast to something else, unseen.

    One value alone, ``()``, is a constant, and is that of every observation.

    Raises:
        InputError: if the last dimensions differ, or the prediction is a distribution.
    """
    if not isinstance(prediction, Tensor):
        raise InputError(
            f"objective: a residual needs a model that predicts a number, but got {type(prediction).__name__}; use"
            " NegativeLogLikelihood for a distribution"
        )
    if prediction.ndim and prediction.shape != target.shape and prediction.shape[-1:] != target.shape[-1:]:
        raise InputError(
            f"shapes do not match: the model's prediction has {tuple(prediction.shape)}, the target"
            f" {tuple(target.shape)}; the model must return one value for each observation"
        )
