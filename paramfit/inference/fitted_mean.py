"""How uncertain the mean of a fitted distribution is."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call

from paramfit.distributions.center import predicted_mean
from paramfit.distributions.ends import support_of
from paramfit.inference.bands import Bands, FittedCurve
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.uncertainty import Uncertainty

__all__ = ["FittedMean", "fitted_mean"]


@dataclass(frozen=True)
class FittedMean(FittedCurve):
    r"""The mean of a fitted distribution with its confidence band, to first order in the parameters.

    .. math:: \mu_i \pm q\, e_i, \qquad e_i^2 = j_i C j_i^T, \qquad j_i = \partial\mu_i / \partial\theta

    The band ends where the distribution's support does, since no mean lies beyond. There is no prediction band: where
    a new observation falls is a matter of the distribution itself.

    References:
        Peter McCullagh, John Nelder: Generalized Linear Models (1989), for the delta method on a mean.
    """

    def at(self, inputs: tuple[Tensor, ...], sigma: Tensor | None = None) -> Bands:
        """The mean and its band.

        Args:
            inputs: one tensor ``(n,)`` for each input column; a sample's has one row.
            sigma: without meaning here.

        Raises:
            InputError: for a distribution whose class tells no mean.
        """
        del sigma
        columns = tuple(column.detach().cpu().double() for column in inputs)
        found = super().at(columns)
        with torch.no_grad():
            support = support_of(self.model(*columns))
        low, high = (torch.minimum(torch.maximum(end, support.low), support.high) for end in found.confidence)
        return Bands(found.prediction, found.standard_error, (low, high), None)

    def _predicted(self, inputs: tuple[Tensor, ...]) -> Tensor:
        return predicted_mean(self.model(*inputs))

    def _jacobian(self, inputs: tuple[Tensor, ...], n: int) -> Tensor:
        theta = {
            name: parameter.detach() for name, parameter in self.model.named_parameters() if parameter.requires_grad
        }

        def mean(parameters: dict[str, Tensor]) -> Tensor:
            return predicted_mean(functional_call(self.model, parameters, inputs)).expand(n)

        # One direction at a time: under vmap no distribution could check its arguments.
        columns = []
        for name, parameter in theta.items():
            for place in range(parameter.numel()):
                direction = {key: torch.zeros_like(value) for key, value in theta.items()}
                direction[name].view(-1)[place] = 1.0
                columns.append(torch.func.jvp(mean, (theta,), (direction,))[1].detach())
        return torch.stack(columns, dim=1)


def fitted_mean(loss: LossFunction, errors: Uncertainty) -> FittedMean | None:
    """The mean of the fitted distribution; None where the parameters have no errors.

    Args:
        loss: the negative log-likelihood, at the estimates.
        errors: of the parameters.
    """
    if errors.covariance is None:
        return None
    return FittedMean(loss.model, errors.covariance, errors.quantile, math.nan, errors.method, factor=errors.root)
