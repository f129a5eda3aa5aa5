"""How uncertain a fitted curve is, and how far from it a new observation may fall."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.func import functional_call

from paramfit.distributions.center import predicted_mean
from paramfit.distributions.domain import outside_rows, refuse_rows, unchecked
from paramfit.distributions.support import support_of
from paramfit.facts import Reason
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.uncertainty import Uncertainty
from paramfit.linalg.lapack import lengths
from paramfit.linalg.unit_free import ScaledCurvature
from paramfit.models import ParametricModel
from paramfit.models.base import trainable_parameters

__all__ = ["Bands", "FittedCurve", "FittedMean", "fitted_mean", "without_bands"]

_MOST_ROWS = 65_536
_MOST_ELEMENTS = 4_000_000  # of one chunk's Jacobian: 32 MB


@dataclass(frozen=True)
class Bands:
    """A prediction with its 95 % bands, in the unit of the target.

    Attributes:
        prediction: the fitted curve, ``(n,)``.
        standard_error: its standard error, ``(n,)``; NaN where the parameters have none that it could rest on.
        confidence: lower and upper end of the interval for the curve, each ``(n,)``; NaN likewise.
        prediction_band: lower and upper end of the interval for one new observation, each ``(n,)``; None where the
            noise of a new observation is not known.
    """

    prediction: Tensor
    standard_error: Tensor
    confidence: tuple[Tensor, Tensor]
    prediction_band: tuple[Tensor, Tensor] | None


@dataclass(frozen=True)
class FittedCurve:
    r"""A fitted model that tells how uncertain it is, to first order in the parameters.

    .. math:: \hat y_i \pm q\, e_i, \qquad \hat y_i \pm q \sqrt{e_i^2 + \nu_i^2}, \qquad e_i^2 = j_i C j_i^T

    with :math:`j_i` the derivative of the prediction by the trainable parameters, C their covariance, q the quantile
    and :math:`\nu_i` the noise of a new observation: the residual standard deviation s for an unweighted fit,
    :math:`\sigma_i` where the errors are known, :math:`s \sigma_i` where they are known up to a common factor. The
    first is the confidence band of the curve at each point by itself, the second the prediction band of one new
    observation.

    Attributes:
        model: float64, on the CPU, in evaluation mode, its trainable parameters at the estimates. Its inputs are those
            it was fitted on: normalise them first where the fit did.
        covariance: ``(p, p)``, float64, of the elements of the trainable ``nn.Parameter``s in their order (of the
            unconstrained number of a bounded one). A parameter whose row is 0 adds nothing.
        quantile: half-width of a 95 % interval in standard errors.
        noise: standard deviation of one new observation; where sigma is given to ``at``, its factor. None: sigma is
            that standard deviation itself. NaN: nothing is known of it, and there is no prediction band.
        method: what the bands rest on.
        weighted: whether the fit had a sigma, so that ``noise`` alone is not yet a standard deviation.
        factor: F ``(p, p)`` with ``F F^T = covariance``, as a solver has it (s times the inverse of R). Two parameters
            that can hardly be told apart leave digits there that the covariance itself has lost.

    References:
        Douglas M. Bates and Donald G. Watts: Nonlinear Regression Analysis and Its Applications (1988).

    Example:
        >>> from paramfit.models import LinearModel
        >>> line = LinearModel(weight=2.0, bias=1.0, dtype="float64")
        >>> curve = FittedCurve(line, torch.diag(torch.tensor([0.0, 0.25]).double()), 1.96, noise=1.0, method="")
        >>> bands = curve.at((torch.tensor([0.0, 3.0]),))
        >>> bands.prediction.tolist(), bands.standard_error.tolist()
        ([1.0, 7.0], [0.5, 0.5])
    """

    model: nn.Module
    covariance: Tensor
    quantile: float
    noise: float | None
    method: Reason
    weighted: bool = False
    factor: Tensor | None = None

    @property
    def root(self) -> Tensor:
        """F with ``F F^T = covariance``: the ``factor``, or where a solver gave none, a square root."""
        return _square_root(self.covariance) if self.factor is None else self.factor

    def at(self, inputs: tuple[Tensor, ...], sigma: Tensor | None = None) -> Bands:
        """The curve and its bands.

        Args:
            inputs: one tensor ``(n,)`` for each input column; a model without inputs gives as many rows as sigma has,
                or one.
            sigma: standard deviation of a new observation at each row ``(n,)``, in absolute terms or up to the factor
                ``noise``.
        """
        with torch.inference_mode(False), torch.no_grad():  # forward-mode derivatives need the former
            columns = tuple(column.detach().cpu().double() for column in inputs)
            spread = None if sigma is None else sigma.detach().cpu().double()
            n = max((len(column) for column in (*columns, *([] if spread is None else [spread]))), default=1)
            root = self.root
            counts = root.any(dim=1)  # an infinite derivative by a parameter without error must not count either
            rows = max(1, min(_MOST_ROWS, _MOST_ELEMENTS // max(1, len(root))))
            predictions, errors = [], []
            for start in range(0, max(n, 1), rows):
                part = tuple(column[start : start + rows] for column in columns)
                size = min(rows, n - start)
                predictions.append(self._predicted(part).detach().expand(size))
                errors.append(_norms(self._jacobian(part, size)[:, counts] @ root[counts]))
        prediction, error = torch.cat(predictions), torch.cat(errors)
        return Bands(prediction, error, self._interval(prediction, error), self._new(prediction, error, spread))

    def refuse_rows(self, inputs: tuple[Tensor, ...]) -> None:
        """Refuse rows for which the model predicts nothing; one that predicts a number does so everywhere."""

    def _predicted(self, inputs: tuple[Tensor, ...]) -> Tensor:
        prediction: Tensor = self.model(*inputs)
        return prediction

    def _new(self, prediction: Tensor, error: Tensor, sigma: Tensor | None) -> tuple[Tensor, Tensor] | None:
        """The prediction band, where the noise of a new observation is known."""
        if sigma is None:
            if self.noise is None or self.weighted or math.isnan(self.noise):
                return None
            return self._interval(prediction, torch.hypot(error, torch.full_like(error, self.noise)))
        if self.noise is not None and math.isnan(self.noise):
            return None
        return self._interval(prediction, torch.hypot(error, sigma if self.noise is None else self.noise * sigma))

    def _interval(self, center: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor]:
        return center - self.quantile * deviation, center + self.quantile * deviation

    def _jacobian(self, inputs: tuple[Tensor, ...], n: int) -> Tensor:
        """Derivative of each prediction by each element of the trainable parameters, ``(n, p)``."""
        theta = trainable_parameters(self.model)
        if isinstance(self.model, ParametricModel):
            own = self.model.jacobian(*inputs)
            columns = [torch.as_tensor(own[name], dtype=torch.float64).expand(n) for name in theta]
            return torch.stack(columns, dim=1) if columns else torch.zeros(n, 0, dtype=torch.float64)

        def predict(parameters: dict[str, Tensor]) -> Tensor:
            predicted: Tensor = functional_call(self.model, parameters, inputs)
            return predicted.expand(n)

        derivatives = torch.func.jacfwd(predict)({name: parameter.detach() for name, parameter in theta.items()})
        return torch.cat([derivatives[name].reshape(n, -1) for name in theta], dim=1)


def _norms(rows: Tensor) -> Tensor:
    """The Euclidean length of each row, however small or large its elements are."""
    return torch.from_numpy(lengths(rows.numpy().T))


def _square_root(covariance: Tensor) -> Tensor:
    """F with ``F F^T`` the covariance, whatever the units of the parameters; rounding below 0 counts as 0."""
    scaled = ScaledCurvature.of(covariance.numpy())
    return torch.from_numpy(scaled.size[:, None] * scaled.vectors * np.sqrt(np.maximum(scaled.values, 0.0)))


@dataclass(frozen=True)
class FittedMean(FittedCurve):
    r"""The mean of a fitted distribution with its confidence band, to first order in the parameters.

    .. math:: \mu_i \pm q\, e_i, \qquad e_i^2 = j_i C j_i^T, \qquad j_i = \partial\mu_i / \partial\theta

    The band ends where the distribution's support does, since no mean lies beyond; it is NaN in rows in which an
    argument is outside what the distribution allows. There is no prediction band: where
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
        with unchecked(), torch.no_grad():
            distribution = self.model(*columns)
            bands = super().at(columns)
        support = support_of(distribution)
        outside = outside_rows(distribution, len(bands.prediction))
        low, high = (torch.minimum(torch.maximum(end, support.low), support.high) for end in bands.confidence)
        columns = (bands.prediction, bands.standard_error, low, high)
        prediction, error, low, high = (torch.where(outside, math.nan, column) for column in columns)
        return Bands(prediction, error, (low, high), None)

    def refuse_rows(self, inputs: tuple[Tensor, ...]) -> None:
        """Refuse rows in which an argument of the distribution is outside what it allows."""
        with unchecked(), torch.no_grad():
            refuse_rows(self.model(*inputs), inputs)

    def _predicted(self, inputs: tuple[Tensor, ...]) -> Tensor:
        return predicted_mean(self.model(*inputs))

    def _jacobian(self, inputs: tuple[Tensor, ...], n: int) -> Tensor:
        theta = {name: parameter.detach() for name, parameter in trainable_parameters(self.model).items()}

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
    """The mean of the distribution fitted by maximum likelihood; None where the parameters have no errors."""
    if errors.covariance is None:
        return None
    return FittedMean(loss.model, errors.covariance, errors.quantile, math.nan, errors.method, factor=errors.root)


def without_bands(model: nn.Module, inputs: tuple[Tensor, ...]) -> Bands:
    """A fitted curve, or the mean of a fitted distribution, of whose uncertainty nothing is told.

    Args:
        model: float64, on the CPU, in evaluation mode, at the estimates.
        inputs: one tensor ``(n,)`` for each input column, float64; a model without inputs gives one row.

    Raises:
        InputError: for rows in which an argument of the distribution is outside what it allows, and for a distribution
            whose class tells no mean.
    """
    with unchecked(), torch.inference_mode(False), torch.no_grad():
        predicted = model(*inputs)
        if isinstance(predicted, Distribution):
            refuse_rows(predicted, inputs)
            predicted = predicted_mean(predicted)
    prediction: Tensor = predicted.expand(max(map(len, inputs), default=1))
    nothing = torch.full_like(prediction, math.nan)
    return Bands(prediction, nothing, (nothing, nothing), None)
