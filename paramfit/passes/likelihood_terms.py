"""From a model and a batch of observations to the sums that Newton's method needs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.func import functional_call

from paramfit.distributions import (
    curvature,
    expected_information,
    kinked_argument,
    majorised_curvature,
    majorised_log_prob,
    sample_sums,
    score,
)
from paramfit.distributions.domain import (
    Room,
    infinite_outside,
    outside_fact,
    raised_by_distribution,
    refuse_outside,
)
from paramfit.errors import InputError
from paramfit.linalg.lapack import Array
from paramfit.models import DistributionModel
from paramfit.models.base import boxes_of
from paramfit.objectives import NegativeLogLikelihood, Objective
from paramfit.observations import Observations
from paramfit.passes.barrier import barrier_sums, movable_rooms
from paramfit.passes.base import ROWS_AT_ONCE, Pass, inputs_at, pieces, refuse_shapes
from paramfit.passes.stable_functions import StableFunctions
from paramfit.solvers.sums import LikelihoodSums
from paramfit.torch_overhead import one_thread

__all__ = ["LikelihoodTerms", "MajorisedLikelihood"]


class _ByArgument(NamedTuple):
    """Derivatives of the log-likelihood by the arguments of its distribution."""

    loss: float  # the summed negative log-likelihood
    scores: dict[str, Tensor]  # for each argument (n,)
    information: Tensor  # (k, k), or (n, k, k)
    exact: bool  # whether it is the observed one, or what stands for it at a kink
    n: int  # rows; 1 where all have one distribution, and are summed up


class LikelihoodTerms(Pass[LikelihoodSums]):
    r"""Gradient and curvature of a model's summed negative log-likelihood.

    With the scores :math:`s_a = \partial \log p / \partial \eta_a` of a distribution's arguments and their curvature
    :math:`C_{ab}`, a ``DistributionModel`` has

    .. math:: g_k = -\sum_{i,a} s_{ia} \frac{\partial \eta_{ia}}{\partial \theta_k}, \qquad
        H_{kl} = \sum_{i,a,b} \frac{\partial \eta_{ia}}{\partial \theta_k} C_{iab} \frac{\partial \eta_{ib}}{\partial
        \theta_l} - \sum_{i,a} s_{ia} \frac{\partial^2 \eta_{ia}}{\partial \theta_k \partial \theta_l}

    and, with the expected information I in C's place and no second term, the matrix of Fisher scoring. Any other model
    is differentiated by autograd. Where the log-density has a kink, C is that of a parabola that touches it
    (``majorised_curvature``). The model is float64.

    Raises:
        InputError: for another objective, or a penalty.
    """

    differentiates = True
    subject = "the likelihood"
    remedy = (
        "give other starts, or a formula that stays within what the distribution takes, such as exp(...) for a rate"
    )

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        if not isinstance(objective, NegativeLogLikelihood):
            raise InputError(
                f"objective: maximum likelihood minimises NegativeLogLikelihood, not {type(objective).__name__}"
            )
        if objective.penalised:
            raise InputError(
                "objective: a penalty (l1, l2) biases the estimates, and Newton has none; give a torch optimizer"
            )
        super().__init__(model, objective)
        self._majorised = MajorisedLikelihood(objective)
        self._places = {name: place for place, name in enumerate(self.shapes)}
        self._boxes = boxes_of(model, tuple(self.shapes))
        self._bounded = tuple(self._places[name] for name in getattr(model, "transforms", {}) if name in self._places)
        self._bends = model.bent_arguments() if isinstance(model, DistributionModel) else frozenset()

    @torch.no_grad()
    def information(self, observations: Observations) -> Array | None:
        """The expected information at the present parameters, ``(p, p)``; None where it has no closed form."""
        model = self.model
        if not isinstance(model, DistributionModel) or observations.censoring is not None:
            return None
        wanted = [name for name, columns in model.argument_jacobian(*observations.inputs).items() if columns]
        if expected_information(model(*observations.inputs), wanted, summed=True) is None:
            return None
        sums = [self._of(piece, expected=True, majorised=False) for piece in self._pieces(observations)]
        return reduce(add, sums).curvature

    def kink(self, observations: Observations) -> str | None:
        """The argument in which the log-density has a kink and that a parameter moves: no curvature tells its error."""
        with torch.enable_grad():
            distribution = self.model(*observations.rows(slice(1)).inputs)
        if not isinstance(distribution, Distribution):
            return None
        name = kinked_argument(distribution, tuple(distribution.arg_constraints))
        return name if name is not None and getattr(distribution, name).requires_grad else None

    def _is_sample(self, observations: Observations) -> bool:
        """Whether all rows have one distribution, so that what is summed is its scores, before the chain rule."""
        model = self.model
        return isinstance(model, DistributionModel) and not model.variables and observations.censoring is None

    def _pieces(self, observations: Observations) -> Iterable[Observations]:
        return (observations,) if self._is_sample(observations) else pieces(observations)

    def _is_finite(self, observations: Observations) -> Tensor:
        losses = self.objective.losses(self.model(*observations.inputs), *observations.measured)
        return torch.isfinite(losses)

    def _sums(self, piece: Observations, *, expected: bool) -> LikelihoodSums:
        with np.errstate(over="ignore", invalid="ignore"):  # a trial may lead far out, and is not taken then
            return self._of(piece, expected=expected, majorised=True)

    def _sums_with_slacks(self, piece: Observations, *, expected: bool) -> LikelihoodSums:
        sums = self._sums(piece, expected=expected)
        if not sums.is_finite():
            return sums

        def rooms_at(theta: Tensor) -> list[Room]:
            prediction = functional_call(self.model, self._parameters(theta), piece.inputs)
            return movable_rooms(self.model, prediction)

        return replace(sums, barrier=barrier_sums(rooms_at, self._theta(), piece.n))

    def _refuse_outside(self, observations: Observations) -> None:
        try:
            prediction = self.model(*observations.inputs)
        except InputError:
            raise
        except ValueError as error:
            refuse_outside(error, observations.inputs)
            raise
        if isinstance(prediction, Distribution):
            refuse_outside(prediction, observations.inputs)

    def _of(self, part: Observations, *, expected: bool, majorised: bool) -> LikelihoodSums:
        try:
            if isinstance(self.model, DistributionModel) and part.censoring is None:
                with torch.no_grad(), one_thread(part.n >= ROWS_AT_ONCE):
                    sums = self._by_arguments(self.model, part, expected=expected, majorised=majorised)
            else:
                sums = self._by_autograd(part)
            is_outside = not math.isfinite(sums.loss) and self._is_outside(part)
        except InputError:
            raise
        except ValueError as refused:
            if not raised_by_distribution(refused):
                raise
            is_outside = True  # of arguments such as a StudentT's df of 0: a trial has left their space
        if is_outside:
            nothing = np.full(self.p, math.nan), np.full((self.p, self.p), math.nan)
            return LikelihoodSums(math.inf, *nothing, part.n, self._bounded, self._boxes, outside=True)
        return sums

    def _is_outside(self, part: Observations) -> bool:
        with torch.no_grad():
            prediction = self.model(*part.inputs)
        return isinstance(prediction, Distribution) and outside_fact(prediction) is not None

    def _by_arguments(
        self, model: DistributionModel, part: Observations, *, expected: bool, majorised: bool
    ) -> LikelihoodSums:
        arguments = model.arguments(*part.inputs)
        columns = model.argument_jacobian(*part.inputs)
        wanted = [name for name in model.names if columns[name]]
        differentiated = self._summed if self._is_sample(part) else self._by_row
        distribution = model.make(arguments)
        expected = expected and not (majorised and kinked_argument(distribution, wanted))
        by_argument = differentiated(distribution, part, wanted, expected=expected, summed=not majorised)
        gradient = np.zeros(len(self._places))
        matrix = np.zeros((len(self._places), len(self._places)))
        places = {name: [self._places[key] for key in columns[name]] for name in wanted}
        slopes = {name: _stacked(columns[name], by_argument.scores[name], by_argument.n) for name in wanted}
        for a, name in enumerate(wanted):
            gradient[places[name]] -= _contracted(slopes[name], by_argument.scores[name], by_argument.n)
            for b, other in enumerate(wanted):
                product = _product(slopes[name], by_argument.information[..., a, b], slopes[other], by_argument.n)
                matrix[np.ix_(places[name], places[other])] += product
        bends = [name for name in wanted if name in self._bends]
        if by_argument.exact and bends:
            matrix -= self._bent(model, part, by_argument, arguments, bends)
        return LikelihoodSums(by_argument.loss, gradient, (matrix + matrix.T) / 2, part.n, self._bounded, self._boxes)

    def _by_row(
        self, distribution: Distribution, part: Observations, wanted: Sequence[str], *, expected: bool, summed: bool
    ) -> _ByArgument:
        information = expected_information(distribution, wanted, summed=summed) if expected else None
        exact = information is None
        if information is None:
            information = _curvature(distribution, part.target, wanted)
        loss = self.objective.total(distribution, part.target).item()
        return _ByArgument(loss, score(distribution, part.target, wanted), information, exact, part.n)

    def _summed(
        self, distribution: Distribution, part: Observations, wanted: Sequence[str], *, expected: bool, summed: bool
    ) -> _ByArgument:
        information = expected_information(distribution, wanted, summed=summed) if expected else None
        like = part.target.new_zeros((), dtype=torch.float64)
        log_likelihood, scores = like.clone(), like.new_zeros(len(wanted))
        observed, summed_up = like.new_zeros(len(wanted), len(wanted)), information is not None
        for piece in pieces(part):
            piece_sums = sample_sums(distribution, piece.target, wanted)
            log_likelihood += piece_sums.log_likelihood
            scores += torch.stack([piece_sums.scores[name] for name in wanted])
            if not summed_up:
                curved = _curvature(distribution, piece.target, wanted)
                summed_up = curved.ndim == 2  # it is the same in every row
                observed += part.n * curved if summed_up else curved.sum(0)
        by_name = dict(zip(wanted, scores.unbind(), strict=True))
        total = observed if information is None else part.n * information
        loss = infinite_outside(distribution, -log_likelihood)
        return _ByArgument(loss.item(), by_name, total, information is None, n=1)

    def _bent(
        self,
        model: DistributionModel,
        part: Observations,
        by_argument: _ByArgument,
        arguments: dict[str, Tensor],
        bends: Sequence[str],
    ) -> Array:
        """What second derivatives of arguments that bend add: those of the sum of score times argument, scores held."""
        weights = {
            name: column if arguments[name].ndim else column.expand(by_argument.n).sum()
            for name in bends
            for column in (by_argument.scores[name],)
        }

        theta = self._theta().requires_grad_()
        with torch.enable_grad():
            values = model.arguments_at(self._parameters(theta), *part.inputs, wanted=bends)
            weighed = torch.stack([(weights[name] * values[name]).sum() for name in weights]).sum()
            (slopes,) = torch.autograd.grad(weighed, theta, create_graph=True)
            return np.array([_derivative(slope, theta).cpu().numpy() for slope in slopes])

    def _refuse_start(self, observations: Observations) -> None:
        """Name a row at which the likelihood is not finite, or at which its derivatives are not."""
        super()._refuse_start(observations)
        first, end = 0, observations.n
        while end - first > 1:
            middle = (first + end) // 2
            if self(observations.rows(slice(first, middle))).is_finite():
                first = middle
            else:
                end = middle
        row = observations.rows(slice(first, end))
        sums = self(row)
        if sums.is_finite():
            return  # it is the sum that is not
        names = [name for name, shape in self.shapes.items() for _ in range(shape.numel())]
        slopes, curved = ~np.isfinite(sums.gradient), ~np.isfinite(sums.curvature)
        endless = (slopes, curved.diagonal(), curved.any(axis=0))
        by = names[int(next(part for part in endless if part.any()).argmax())]
        at = f"{inputs_at(observations, first)}{self._arguments_at(row, by)}"
        raise InputError(
            f"model: the likelihood is finite at the start, but its derivative by {by} is not, first in row {first}"
            f" (input {at}); write the model so that it can be differentiated twice there, leave such rows out, or give"
            " other starts"
        )

    @torch.no_grad()
    def _arguments_at(self, row: Observations, by: str | None = None) -> str:
        """The distribution's arguments that depend on a parameter, or on any, with their values, after the inputs."""
        if not isinstance(self.model, DistributionModel):
            return ""
        arguments, columns = self.model.arguments(*row.inputs), self.model.argument_jacobian(*row.inputs)
        moved = [name for name, parts in columns.items() if parts and (by is None or by in parts)]
        return "".join(f", {name} {arguments[name].reshape(-1)[0].item():g}" for name in moved)

    def _by_autograd(self, part: Observations) -> LikelihoodSums:
        sums = self._differentiated(part)
        if math.isfinite(sums.loss) and not sums.is_finite():
            with StableFunctions():
                return self._differentiated(part)
        return sums

    def _differentiated(self, part: Observations) -> LikelihoodSums:
        theta = self._theta().requires_grad_()
        with torch.enable_grad():
            prediction = functional_call(self.model, self._parameters(theta), part.inputs)
            loss = self._majorised.total(prediction, *part.measured)
            if loss.ndim:
                refuse_shapes(prediction, part.target)
            (gradient,) = torch.autograd.grad(loss, theta, create_graph=True)
            matrix = np.array([_derivative(slope, theta).cpu().numpy() for slope in gradient])
        slopes = gradient.detach().cpu().numpy()
        return LikelihoodSums(loss.item(), slopes, (matrix + matrix.T) / 2, part.n, self._bounded, self._boxes)

    def _theta(self) -> Tensor:
        return torch.cat([value.detach().reshape(-1) for value in self.model.parameters() if value.requires_grad])

    def _parameters(self, theta: Tensor) -> dict[str, Tensor]:
        pieces = torch.split(theta, [shape.numel() for shape in self.shapes.values()])
        return {name: piece.view(shape) for piece, (name, shape) in zip(pieces, self.shapes.items(), strict=True)}


def _curvature(distribution: Distribution, target: Tensor, names: Sequence[str]) -> Tensor:
    """Of the log-density, or of the parabola that stands for it at a kink."""
    if kinked_argument(distribution, names):
        return majorised_curvature(distribution, target, names)
    return curvature(distribution, target, names)


def _derivative(value: Tensor, theta: Tensor) -> Tensor:
    """Of a number by theta, ``(p,)``; 0 where it does not depend on it."""
    if not value.requires_grad:
        return torch.zeros_like(theta)
    (slope,) = torch.autograd.grad(value, theta, retain_graph=True, allow_unused=True, materialize_grads=True)
    return slope


def _stacked(columns: Mapping[str, Tensor | float], like: Tensor, n: int) -> Tensor:
    """Derivatives of one argument by its parameters: ``(q, n)``, or ``(q, 1)`` where no row differs from another."""
    stacked = [
        column.reshape(-1) if isinstance(column, Tensor) else like.new_tensor([column], dtype=torch.float64)
        for column in columns.values()
    ]
    if all(len(column) == 1 for column in stacked):
        return torch.stack(stacked)
    return torch.stack([column.expand(n) for column in stacked])


def _contracted(slopes: Tensor, score_of_argument: Tensor, n: int) -> Array:
    """The sum over the rows of slope times score, ``(q,)``."""
    column = score_of_argument.expand(n)
    total = slopes[:, 0] * column.sum() if slopes.shape[1] == 1 else slopes @ column
    return total.cpu().numpy()


def _product(left: Tensor, weight: Tensor, right: Tensor, n: int) -> Array:
    """The sum over the rows of slope times weight times slope, ``(q, r)``."""
    if left.shape[1] == right.shape[1] == 1:
        total = weight.expand(n).sum() if weight.ndim else n * weight
        summed = left @ right.T * total
    else:
        summed = (left.expand(-1, n) * weight) @ right.expand(-1, n).T
    return summed.cpu().numpy()


class MajorisedLikelihood(NegativeLogLikelihood):
    """The same values and slopes; where a density has a kink, second derivatives of the parabola that touches it."""

    def __init__(self, objective: NegativeLogLikelihood) -> None:
        super().__init__(objective.reduction, objective.l1, objective.l2)

    def _log_prob(self, distribution: Distribution, target: Tensor) -> Tensor:
        if kinked_argument(distribution, tuple(distribution.arg_constraints)):
            return majorised_log_prob(distribution, target)
        return super()._log_prob(distribution, target)
