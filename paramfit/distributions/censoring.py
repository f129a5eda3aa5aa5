"""The likelihood of observations of which only a bound, or two, is known."""

from collections.abc import Callable, Sequence
from enum import IntEnum

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, MixtureSameFamily

from paramfit.distributions.arguments import argument_values, rebuilt
from paramfit.distributions.autograd import broadcast_shape, score_by_autograd
from paramfit.distributions.density import log_density
from paramfit.distributions.family import no_derivative
from paramfit.distributions.tails import log_cdf, log_interval, log_survival
from paramfit.errors import InputError
from paramfit.observations import Observations

__all__ = ["Censoring", "censored_log_prob", "censored_score", "check_censoring", "check_statuses", "stand_ins"]


class Censoring(IntEnum):
    """What is known of an observation."""

    OBSERVED = 0  # its value: the target
    LEFT = 1  # it is at most the target
    RIGHT = 2  # it is above the target
    INTERVAL = 3  # it is above the target and at most the upper end


def censored_log_prob(
    distribution: Distribution,
    target: Tensor,
    status: Tensor,
    upper: Tensor | None = None,
    log_prob: Callable[[Distribution, Tensor], Tensor] = log_density,
) -> Tensor:
    r"""The log-likelihood of every observation: ``log p`` where it is observed, the log-probability of its range else.

    .. math:: \log p(y), \qquad \log F(y), \qquad \log(1 - F(y)), \qquad \log(F(u) - F(y))

    Args:
        distribution: with arguments of shape ``()``, ``(n,)`` or ``(..., 1)``, whose ``cdf`` can be differentiated.
        target: ``(n,)``: the values y, or the bounds.
        status: ``(n,)``, of ``Censoring``'s numbers.
        upper: ``(n,)``: the upper ends u, read where the status is ``INTERVAL``.
        log_prob: what takes the place of ``log_density``.

    Returns:
        ``(..., n)``, differentiable by the arguments.

    Raises:
        InputError: for a distribution without such a ``cdf``, or intervals without upper ends.

    Example:
        >>> from torch.distributions import Exponential
        >>> censored_log_prob(Exponential(2.0), torch.tensor([1.0, 1.0]), torch.tensor([0, 2]))
        tensor([-1.3069, -2.0000])
    """
    places: list[Tensor] = []
    parts: list[Tensor] = []
    # Row by row: a `where` over all of them would mix infinite slopes of the forms not chosen into the derivative.
    for kind in Censoring:
        rows = (status == kind).nonzero().squeeze(-1)
        if len(rows):
            part = _rows_of(distribution, rows, len(target))
            places.append(rows)
            if kind is Censoring.OBSERVED:
                parts.append(log_prob(part, target[rows]))
            elif kind is Censoring.LEFT:
                parts.append(log_cdf(part, target[rows]))
            elif kind is Censoring.RIGHT:
                parts.append(log_survival(part, target[rows]))
            elif upper is None:
                raise InputError("data: there are intervals, but no column of upper ends; give it")
            else:
                parts.append(log_interval(part, target[rows], upper[rows]))
    shape = broadcast_shape(*(part[..., 0] for part in parts))
    together = torch.cat([part.expand(*shape, part.shape[-1]) for part in parts], -1)
    return together[..., torch.cat(places).argsort()]


def censored_score(
    distribution: Distribution, target: Tensor, status: Tensor, upper: Tensor | None, names: Sequence[str]
) -> dict[str, Tensor]:
    """Derivative of ``censored_log_prob`` by each argument named, ``(..., n)``, by autograd.

    Raises:
        InputError: as ``censored_log_prob`` does, and for a distribution that cannot be made again from its arguments.
    """
    return score_by_autograd(
        distribution, target, names, lambda made, observed: censored_log_prob(made, observed, status, upper)
    )


def stand_ins(observations: Observations) -> Tensor:
    """A value for each of n observations, ``(n,)``, to guess a start from: its bound, or its interval's middle."""
    if observations.censoring is None:
        return observations.target
    status, upper = observations.censoring
    middle = (observations.target + upper) / 2
    return torch.where(status == Censoring.INTERVAL, middle, observations.target)


def check_censoring(
    distribution: Distribution,
    target: Tensor,
    status: Tensor,
    upper: Tensor | None = None,
    names: Sequence[str] = (),
    source: str = "data",
) -> None:
    """Refuse, before a fit, what ``censored_log_prob`` has no likelihood or no derivative by the names for.

    Raises:
        InputError: for an unknown status, an interval without room (the first such row is named, counted from 0), or
            a distribution whose ``cdf`` is missing or cannot be differentiated by an argument named.
    """
    check_statuses(target, status, upper, source)
    if not bool((status != Censoring.OBSERVED).any()):
        return
    # One censored row shows whether there is a derivative; a fit may run in inference mode, which has none.
    row = (status != Censoring.OBSERVED).nonzero()[:1, 0]
    if isinstance(distribution, MixtureSameFamily):
        part = _rows_of(distribution, row, len(target))
        log_survival(part, target[row])  # which refuses components without cdf
        return
    with torch.inference_mode(False), torch.enable_grad():
        bounds = target.detach().clone()
        values = {
            name: torch.as_tensor(value).detach().clone().requires_grad_(name in names)
            for name, value in argument_values(distribution, names).items()
        }
        part = rebuilt(distribution, {name: _at(value, row, len(bounds)) for name, value in values.items()})
        tails = log_survival(part, bounds[row]) + log_cdf(part, bounds[row])
        for name in names:
            try:
                torch.autograd.grad(tails.sum(), values[name], retain_graph=True)
            except RuntimeError as error:  # NotImplementedError is one
                raise InputError(no_derivative(type(distribution), name)) from error


def check_statuses(target: Tensor, status: Tensor, upper: Tensor | None = None, source: str = "data") -> None:
    """Refuse what means nothing under any distribution.

    Raises:
        InputError: for an unknown status, or an interval without room; the first such row is named, counted from 0.
    """
    unknown = ~torch.isin(status, torch.tensor([*Censoring], dtype=status.dtype, device=status.device))
    if bool(unknown.any()):
        row = int(unknown.nonzero()[0])
        numbers = ", ".join(f"{kind.value} {kind.name.lower()}" for kind in Censoring)
        raise InputError(f"{source}: row {row} has the censoring {status[row].item()}; there are {numbers}")
    intervals = status == Censoring.INTERVAL
    if not bool(intervals.any()):
        return
    if upper is None:
        raise InputError(
            f"{source}: row {int(intervals.nonzero()[0])} is an interval, but there is no column of upper ends; give it"
        )
    wrong = intervals & ~((upper > target) & upper.isfinite())
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0])
        raise InputError(
            f"{source}: row {row} is an interval from {target[row].item():g} to {upper[row].item():g}; the upper end"
            " has to be finite and above the lower one; without it the observation is right-censored at the lower end"
        )


def _rows_of(distribution: Distribution, rows: Tensor, n: int) -> Distribution:
    """The distribution at some of n rows; of a mixture each component, which the last dimension numbers."""
    if not isinstance(distribution, MixtureSameFamily):
        return rebuilt(
            distribution, {name: _at(value, rows, n) for name, value in argument_values(distribution).items()}
        )
    components, mixture = distribution.component_distribution, distribution.mixture_distribution
    values = {name: _at(value, rows, n, -2) for name, value in argument_values(components).items()}
    weights = Categorical(logits=_at(mixture.logits, rows, n, -2), validate_args=False)
    return MixtureSameFamily(weights, rebuilt(components, values), validate_args=False)


def _at(value: Tensor, rows: Tensor, n: int, dimension: int = -1) -> Tensor:
    """An argument at some of n rows; one that all rows share stays as it is."""
    if value.ndim < -dimension or value.shape[dimension] != n:
        return value
    return value.index_select(dimension, rows)
