"""First and second derivatives of log-densities by the arguments of their distribution, and what they are expected."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from paramfit.distributions.autograd import broadcast_shape, curvature_by_autograd, score_by_autograd
from paramfit.distributions.density import log_density
from paramfit.distributions.families import family_of
from paramfit.distributions.family import Entries, Majorised, SampleSums, Slopes

__all__ = [
    "curvature",
    "expected_information",
    "kinked_argument",
    "majorised_curvature",
    "majorised_log_prob",
    "sample_sums",
    "score",
    "steepness",
]


def score(distribution: Distribution, target: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    r"""The score by each argument, by closed form where there is one, by autograd otherwise.

    .. math:: s_k(y) = \partial \log p(y) / \partial a_k

    Args:
        distribution: with arguments of shape ``()`` or ``(n,)``.
        target: observations ``(n,)`` in the distribution's support.
        names: the arguments by which to differentiate, ``probs`` or ``logits`` as the distribution is parametrised.

    Returns:
        Argument to derivative, ``(n,)``; in units of one over the argument's.

    Raises:
        InputError: if there is no closed form and the distribution cannot be made again from its arguments.

    Example:
        >>> score(torch.distributions.Poisson(2.0), torch.tensor([2.0, 4.0]), ["rate"])
        {'rate': tensor([0., 1.])}
    """
    closed = family_of(distribution).score
    slopes: Slopes = {} if closed is None else closed(distribution, target)
    if not set(names) <= set(slopes):
        return score_by_autograd(distribution, target, names)
    return {name: slopes[name]() for name in names}


def curvature(distribution: Distribution, target: Tensor, names: Sequence[str]) -> Tensor:
    r"""Minus the second derivatives of the log-density, by closed form where there is one, by autograd otherwise.

    .. math:: C_{jk}(y) = -\partial^2 \log p(y) / \partial a_j \partial a_k

    Summed over the observations this is the observed information. Laplace's is 0 in ``loc`` almost everywhere: it
    says nothing of the error, for which take ``expected_information``.

    Returns:
        ``(n, k, k)``, rows and columns in the order of the names; ``(k, k)`` where it is the same for all
        observations (all arguments are ``()`` and no entry depends on the target, as with ``Gamma``): multiply that
        by n instead of summing.

    Raises:
        InputError: as ``score`` does.

    Example:
        >>> curvature(torch.distributions.Exponential(2.0), torch.tensor([0.1, 0.7]), ["rate"])
        tensor([[0.2500]])
    """
    closed = family_of(distribution).curvature
    entries: Entries = {} if closed is None else closed(distribution, target)
    if not _covers(entries, names):
        return curvature_by_autograd(distribution, target, names)
    return _symmetric_matrix(names, entries, target)


def expected_information(distribution: Distribution, names: Sequence[str], *, summed: bool = False) -> Tensor | None:
    r"""Fisher's information of one observation, where it has a closed form.

    .. math:: I_{jk} = E[s_j(y) s_k(y)] = -E[\partial^2 \log p(y) / \partial a_j \partial a_k]

    ``summed`` asks for it also where it takes a sum over all counts (``NegativeBinomial``'s ``total_count``).

    The second form does not hold for Laplace's ``loc``, at which the density has a kink; the first does.

    Returns:
        ``(k, k)`` or ``(n, k, k)``, as the arguments are shaped; None where there is no closed form
        (``Kumaraswamy``, a class of your own).

    References:
        Lehmann and Casella, *Theory of Point Estimation*, 2nd edition (1998), section 2.5.

    Example:
        >>> expected_information(torch.distributions.Poisson(4.0), ["rate"])
        tensor([[0.2500]])
    """
    family = family_of(distribution)
    entries: Entries = {} if family.information is None else family.information(distribution)
    if summed and family.summed_information is not None:
        entries = {**entries, **family.summed_information(distribution)}
    if not _covers(entries, names):
        return None
    return _symmetric_matrix(names, entries, getattr(distribution, names[0]))


def sample_sums(distribution: Distribution, target: Tensor, names: Sequence[str]) -> SampleSums:
    r"""The log-likelihood of a sample and its derivatives, by closed form where there is one.

    .. math:: \sum_i \log p(y_i), \qquad \sum_i \partial \log p(y_i) / \partial a_k

    The same as the sums of ``log_density`` and ``score``, for arguments of shape ``()``; a closed form takes what both
    have in common once. A million observations of a gamma or Weibull distribution are summed up in a quarter of the
    time.

    Raises:
        InputError: as ``score`` does.

    Example:
        >>> sums = sample_sums(torch.distributions.Exponential(2.0), torch.tensor([0.25, 0.5]), ["rate"])
        >>> round(sums.log_likelihood.item(), 4), sums.scores["rate"].item()
        (-0.1137, 0.25)
    """
    closed = family_of(distribution).sums
    if closed is not None:
        return closed(distribution, target)
    n = len(target)
    columns = score(distribution, target, names)
    return SampleSums(log_density(distribution, target).sum(), {name: columns[name].expand(n).sum() for name in names})


def kinked_argument(distribution: Distribution, names: Sequence[str]) -> str | None:
    """By which of the arguments named the log-density has a kink; None where it has none."""
    majorised = family_of(distribution).majorised
    return majorised.argument if majorised is not None and majorised.argument in names else None


def steepness(distribution: Distribution) -> Tensor:
    """The size of the log-density's slopes on both sides of its kink, of the batch shape."""
    slope: Tensor = _majorised(distribution).steepness(distribution)
    return slope


def majorised_curvature(distribution: Distribution, target: Tensor, names: Sequence[str]) -> Tensor:
    """What stands for ``curvature``, in its shapes, in steps to the maximum of a log-density with a kink.

    References:
        Kenneth Lange, David Hunter, Ilsoon Yang: Optimization Transfer Using Surrogate Objective Functions (2000).
    """
    return _symmetric_matrix(names, _majorised(distribution).curvature(distribution, target), target)


def majorised_log_prob(distribution: Distribution, target: Tensor) -> Tensor:
    """The log-density and its score, whose derivative by autograd is ``-majorised_curvature``."""
    return _majorised(distribution).log_density(distribution, target)


def _majorised(distribution: Distribution) -> Majorised:
    majorised = family_of(distribution).majorised
    if majorised is None:
        raise TypeError(f"{type(distribution).__name__} has no kink, for which something would have to stand")
    return majorised


def _covers(entries: Entries, names: Sequence[str]) -> bool:
    """Whether there is a closed form for every argument named."""
    return set(names) <= {name for pair in entries for name in pair}


def _symmetric_matrix(names: Sequence[str], entries: Entries, like: Tensor) -> Tensor:
    """The entries of the k arguments named, ``(..., k, k)``, where ``...`` is as they broadcast; zeros ``like`` it."""
    zero = like.new_zeros(())
    k = len(names)
    upper: dict[tuple[int, int], Tensor] = {}
    for i, row in enumerate(names):
        for j in range(i, k):
            entry = entries.get((row, names[j])) or entries.get((names[j], row))
            upper[i, j] = zero if entry is None else entry()
    shape = broadcast_shape(*upper.values())
    cells = [upper[min(i, j), max(i, j)].expand(shape) for i in range(k) for j in range(k)]
    # Observations lie side by side in memory: stacked the other way round, a million of them take twice as long.
    return torch.stack(cells).reshape(k, k, *shape).movedim((0, 1), (-2, -1))
