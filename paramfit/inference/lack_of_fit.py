"""Whether a fit that has converged explains its data: residuals in order, and a look from other starts."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import betainccinv, fdtrc, gammaln, ndtr
from torch.distributions import Distribution
from torch.func import functional_call

from paramfit.distributions.center import mean_of
from paramfit.facts import Fact, FactKind, Number
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.other_starts import MOST_LOOKED_AT, BetterPoint, look_from_other_starts, seen_rows
from paramfit.linalg.lapack import Array
from paramfit.models import DistributionModel, ParametricModel
from paramfit.models.base import unconstrained_values
from paramfit.objectives import NegativeLogLikelihood, RobustError, SquaredError
from paramfit.observations import Observations

__all__ = ["Runs", "misfit", "runs_of_signs"]

_MUCH_LEFT = 0.1  # of the variance: a fit that leaves more may have a better one beside it
_SERIAL = 2.0  # standard errors of the products of neighbours: beyond, a glance is worth its while
_WAVY = 0.05  # probability of so high a peak in the spectrum of noise, likewise
_OUTLYING = 0.01  # probability of so large a share of the squares in one row, likewise
_SURELY_SERIAL, _SURELY_WAVY = 3.0, 0.003  # beyond these a search is, at once
_MOST_GLANCED_AT = 4  # parameters: in the space of more, a glance where much is left sees nothing
_EXACT = 1e-8  # of the target's length: residuals so short are rounding, of which no order means anything
_UNLIKELY = 5e-4  # of so few runs, over all inputs together
_EXPLAINED = 1e-4  # probability that noise explains as much as the mean of a distribution does
_MUCH_LIKELIER = 5.0  # in log-likelihood, and log n more for the places where one may look
_FEWEST = 8  # rows: of fewer, no order of signs is unlikely enough
_SEED = 12


@dataclass(frozen=True)
class Runs:
    """Residuals in a row of one sign, by the order of an input.

    Attributes:
        runs: how many there are.
        expected: how many there would be, were the signs in any order.
        z: standard deviations between them.
        probability: of so few or fewer, exactly.
    """

    runs: int
    expected: float
    z: float
    probability: float


def runs_of_signs(residual: Array) -> Runs:
    r"""The test of Wald and Wolfowitz, one-sided: too few runs.

    Of :math:`n_1` positive and :math:`n_2` other signs in any order there are
    :math:`1 + 2 n_1 n_2 / (n_1 + n_2)` runs on average; the probability is that of the exact distribution.

    Args:
        residual: in the order of an input, ``(n,)``.

    References:
        Abraham Wald, Jacob Wolfowitz: On a Test Whether Two Samples Are from the Same Population (1940).

    Example:
        >>> runs_of_signs(np.array([1.0, 2.0, 1.0, -1.0, -2.0, -1.0])).runs
        2
    """
    positive = residual > 0
    n, plus = len(positive), int(np.count_nonzero(positive))
    minus = n - plus
    runs = 1 + int(np.count_nonzero(positive[1:] != positive[:-1]))
    if not plus or not minus:
        return Runs(runs, 1.0, 0.0, 1.0)
    expected = 1 + 2 * plus * minus / n
    variance = (expected - 1) * (expected - 2) / (n - 1)
    z = (runs - expected) / math.sqrt(variance) if variance > 0 else 0.0
    half = np.arange(1, runs // 2 + 1)  # runs of each sign
    even = _log_choose(plus - 1, half - 1) + _log_choose(minus - 1, half - 1) + math.log(2)
    half = np.arange(1, (runs - 1) // 2 + 1)
    odd = [_log_choose(plus - 1, half - one) + _log_choose(minus - 1, half - other) for one, other in ((0, 1), (1, 0))]
    ways = np.exp(np.concatenate([even, *odd]) - _log_choose(n, np.array([plus])))
    return Runs(runs, expected, z, min(1.0, float(ways.sum())))


def _log_choose(n: int, k: NDArray[np.intp]) -> Array:
    inside = (k >= 0) & (k <= n)
    safe = np.where(inside, k, 0)
    logs: Array = np.where(inside, gammaln(n + 1) - gammaln(safe + 1) - gammaln(n - safe + 1), -np.inf)
    return logs


def misfit(loss: LossFunction, residual: Array | None = None) -> tuple[Fact, ...]:
    r"""What there is to say of a fit that has converged, of a model that is not linear; mostly nothing.

    Looked at first are R² and, along each input, the products of neighbouring residuals
    :math:`\sum e_i e_{i+1} / \sqrt{\sum e_i^2 e_{i+1}^2}`, which for independent errors of any distribution is about
    standard normal; further the highest peak of their spectrum, and the largest residual. Where R² is low, of at most
    2000 rows, or one of these is unusual, a glance at other starts, and a search where it gives a hint or the residuals
    hang together beyond doubt, tells whether there is a better minimum. If not, residuals that have too few runs of
    signs as well are said to be systematic: the model's fault, or the start's. A low R² alone is no fault.

    Of a likelihood the residuals are those of the distribution's mean. It is looked at where that mean explains no more
    than noise would (an F test against the constant), or its residuals hang together, and another minimum is told where
    the likelihood is much larger there, arguments that do not change the mean being as they are.

    Args:
        loss: at the estimates.
        residual: of each row there, over sigma where it is known, ``(n,)``; predicted anew where it is not at hand.
    """
    model, objective = loss.model, loss.objective
    if not _is_judged(loss):
        return ()
    observations, by_likelihood = seen_rows(loss.observations), isinstance(objective, NegativeLogLikelihood)
    if residual is None or len(residual) != observations.n:
        residual = _residual(loss, observations)
    if residual is None:
        return ()
    target = observations.target.numpy()
    if observations.sigma is None:
        away = target - target.sum() / len(target)
    else:
        errors = observations.sigma.numpy()
        target = target / errors
        away = target - np.average(observations.target.numpy(), weights=1 / np.square(errors)) / errors
    left, spread, length = float(residual @ residual), float(away @ away), float(target @ target)
    if not (left > _EXACT**2 * length and spread > 0):
        return ()
    ordered = [_ordered(residual, column.numpy()) for column in observations.inputs]
    serial = [_products(rows) for rows in ordered]
    if loss.n > MOST_LOOKED_AT:
        enough = True  # of so many rows, residuals hang together wherever a curve is missed
    elif by_likelihood:
        enough = _explains(left, spread, loss)
    else:
        enough = left < _MUCH_LEFT * spread
    waves = [_wave_probability(rows) for rows in ordered]
    usual = max(map(abs, serial)) < _SERIAL and min(waves) > _WAVY
    if enough and usual and np.abs(residual).max() < math.sqrt(_outlying_share(len(residual)) * left):
        return ()
    surely = max(map(abs, serial)) >= _SURELY_SERIAL or min(waves) <= _SURELY_WAVY
    glance = not surely and (enough or loss.p <= _MOST_GLANCED_AT)
    tested = [runs_of_signs(rows) for rows in ordered]
    worst = min(range(len(tested)), key=lambda number: tested[number].probability)
    numbers: dict[str, Number] = {
        "r_squared": 1 - left / spread,
        "input": _input_name(model, worst, len(ordered)),
        "runs": tested[worst].runs,
        "expected": tested[worst].expected,
        "z": tested[worst].z,
        "probability": tested[worst].probability,
    }
    squares = SquaredError() if by_likelihood else objective
    better = look_from_other_starts(model, squares, observations, residual, spread, glance=glance)
    if better is not None and by_likelihood:
        better = _by_likelihood(better, loss, observations)
    if better is not None:
        needed = [name for name in better.values if name not in _startless(model)]
        count = observations.n if objective.reduction == "mean" else observations.n / loss.n
        numbers |= {
            "starts": tuple(better.values[name] for name in needed),
            "loss": better.loss_at_fit / count,
            "better_loss": better.loss / count,
        }
        return (Fact(FactKind.BETTER_MINIMUM, tuple(needed), numbers, cure=Fact(FactKind.START_NEARER)),)
    if by_likelihood:
        return ()  # counts and binary targets have residuals of their own kind
    unlikely = _UNLIKELY / len(ordered)
    if tested[worst].probability < unlikely and ndtr(-serial[worst]) < unlikely:
        return (Fact(FactKind.SYSTEMATIC_RESIDUALS, (), numbers, cure=Fact(FactKind.MODEL_OR_START)),)
    return ()


def _is_judged(loss: LossFunction) -> bool:
    """Whether there may be another minimum, and residuals to see it by."""
    model, objective = loss.model, loss.objective
    if objective.penalised or not loss.observations.inputs or loss.n < _FEWEST:
        return False
    if isinstance(objective, NegativeLogLikelihood):
        return isinstance(model, DistributionModel) and loss.observations.censoring is None
    if isinstance(model, ParametricModel) and model.linear_in_parameters:
        return False
    return isinstance(objective, SquaredError | RobustError)


def _residual(loss: LossFunction, observations: Observations) -> Array | None:
    with torch.no_grad():
        prediction = loss.model(*observations.inputs)
        center = mean_of(prediction) if isinstance(prediction, Distribution) else prediction
        if center is None or not bool(torch.isfinite(center).all()):
            return None
        residual = observations.target - center
        rows: Array = (residual if observations.sigma is None else residual / observations.sigma).numpy()
    return rows


def _explains(left: float, spread: float, loss: LossFunction) -> bool:
    """Whether the mean is better than a constant by more than noise would make it."""
    more, freedom = max(1, loss.p - 1), max(1, loss.n - loss.p)
    return left < spread and float(fdtrc(more, freedom, (spread / left - 1) * freedom / more)) < _EXPLAINED


def _by_likelihood(better: BetterPoint, loss: LossFunction, observations: Observations) -> BetterPoint | None:
    """The point with the negative log-likelihood in place of squares; None where that is not much less."""
    at = {
        name: unconstrained_values(loss.model, name, torch.tensor(value, dtype=torch.float64))
        for name, value in better.values.items()
    }
    needed = _MUCH_LIKELIER + math.log(loss.n)
    with torch.no_grad():
        at_fit, elsewhere = (
            loss.objective.total(prediction, *observations.measured).item()
            for prediction in (loss.model(*observations.inputs), functional_call(loss.model, at, observations.inputs))
        )
    return better._replace(loss=elsewhere, loss_at_fit=at_fit) if elsewhere < at_fit - needed else None


def _ordered(residual: Array, column: Array) -> Array:
    """In the order of an input; rows of the same value come in any order, for it may be that of their targets."""
    if (column[1:] > column[:-1]).all():
        return residual
    order = column.argsort(kind="stable")
    ordered = column[order]
    if (ordered[1:] == ordered[:-1]).any():
        order = np.lexsort((np.random.default_rng(_SEED).random(len(column)), column))
    return residual[order]


def _products(rows: Array) -> float:
    """The sum of the products of neighbours over its standard deviation; see ``misfit``."""
    rows = rows / (np.abs(rows).max() or 1.0)  # whose fourth powers may be no numbers
    products = rows[1:] * rows[:-1]
    squared = float(products @ products)
    return float(products.sum()) / math.sqrt(squared) if squared > 0 else 0.0


def _wave_probability(rows: Array) -> float:
    """Of so high a peak in the spectrum of noise in a row, by R. A. Fisher: Tests of Significance in Harmonic Analysis.

    Of m ordinates the largest is g times their sum with a probability of at most :math:`m (1 - g)^{m - 1}` (1929).
    """
    waves = np.fft.rfft(rows)[1 : (len(rows) + 1) // 2]
    power = (waves * waves.conj()).real
    total = float(power.sum())
    return len(power) * (1 - float(power.max()) / total) ** (len(power) - 1) if total > 0 else 1.0


@lru_cache(maxsize=64)
def _outlying_share(n: int) -> float:
    r"""Of the sum of n squares, the share that one row has at most under normal noise, but for a small probability.

    The share of a given row is distributed as :math:`\mathrm{Beta}(1/2, (n - 1) / 2)`.
    """
    return float(betainccinv(0.5, (n - 1) / 2, _OUTLYING / n))


def _input_name(model: object, number: int, count: int) -> str:
    names = model.variables if isinstance(model, ParametricModel) else ()
    if len(names) == count:
        return names[number]
    return "the input" if count == 1 else f"input {number}"


def _startless(model: object) -> tuple[str, ...]:
    """Parameters that are solved for, whatever their start."""
    return model.linear_parameters() if isinstance(model, ParametricModel) else ()
