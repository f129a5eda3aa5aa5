"""The uncertainty ladder of a result, in one call."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import torch

from paramfit.data.columns import normalised
from paramfit.errors import InputError
from paramfit.facts import Fact, FactKind, Status, Stop
from paramfit.fits.ending import why_untrusted
from paramfit.inference.ladder.builder import build_ladder
from paramfit.inference.ladder.disagreement import SANDWICH
from paramfit.inference.ladder.rungs import Ladder
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.profile.profiles import PairProfile
from paramfit.inference.profile.two_parameters import profile_pair
from paramfit.inference.uncertainty import Uncertainty
from paramfit.objectives import NegativeLogLikelihood
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.results.provenance import Origin
from paramfit.results.record import Record
from paramfit.results.statistics import SigmaIs
from paramfit.results.summary import summarise

__all__ = ["ladder", "pair_profiles"]


def ladder(
    result: Record,
    *,
    profile: bool = True,
    bootstrap: int = 0,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Ladder:
    """Question a result's errors: the same estimates with their errors by every way that there is.

    Observed information, expected information where it has a closed form, the sandwich, the profile likelihood, and the
    bootstrap's percentile and BCa intervals, side by side, with a warning where they disagree by more than a quarter of
    an interval.

    Args:
        result: of ``paramfit.fit``, or of a run in this process; it is left as it is.
        profile: whether to follow the profile likelihood of each parameter.
        bootstrap: number of resamples of the observations, such as 1000; 0 for none.
        seed: of the resamples.
        progress: called with the number of resamples that are solved.

    Returns:
        The ladder; ``print`` it with rich, or show it in a notebook.

    Raises:
        InputError: for a result that was read from a file, or a fit that is no likelihood (a penalty, a robust
            objective).

    Example:
        >>> from paramfit import DistributionModel, fit
        >>> model = DistributionModel("torch.distributions.Poisson", {"rate": 1.0})
        >>> errors_by_way = ladder(fit(model, ([2.0, 3.0, 1.0, 4.0, 2.0],)))
        >>> [rung.name for rung in errors_by_way.rungs]
        ['observed information', 'expected information', 'sandwich', 'profile likelihood']
    """
    loss, errors, absolute = _at_the_estimates(result)
    information = None
    if isinstance(loss.objective, NegativeLogLikelihood):
        expected = LikelihoodTerms(loss.model, loss.objective).information(loss.observations)
        information = None if expected is None else torch.from_numpy(expected)
    errors_by_way = build_ladder(
        loss,
        loss.theta,
        errors,
        profile=profile,
        bootstrap=bootstrap,
        seed=seed,
        expected=information,
        absolute_sigma=absolute,
        progress=progress,
    )
    if result.status is Status.CONVERGED:
        return errors_by_way
    # What disagrees at a place that is no optimum says nothing of the model.
    empty = {FactKind.OPEN_INTERVAL, FactKind.ENDS_APART}
    unfinished = Fact(FactKind.NOT_CONVERGED, numbers={"status": result.status.value}, cause=result.stop_reason)
    kept = [fact for fact in errors_by_way.cautions if isinstance(fact, str) or fact.kind not in empty]
    # Scores that do not sum up to 0 have no place between two inverses of the information.
    rungs = tuple(
        replace(rung, standard_errors=None, intervals={}, reasons=(unfinished,)) if rung.name == SANDWICH else rung
        for rung in errors_by_way.rungs
    )
    return replace(errors_by_way, rungs=rungs, cautions=(unfinished, *kept))


def pair_profiles(result: Record, points: int = 11, progress: Callable[[int], None] | None = None) -> list[PairProfile]:
    """The profiled deviance of each pair of parameters on a grid, for contours.

    Returns:
        One for each pair of parameters that have errors; none where errors are missing.

    Raises:
        InputError: as ``ladder`` does.
    """
    loss, errors, absolute = _at_the_estimates(result)
    if errors.covariance is None:
        return []
    with_error = [k for k in range(loss.p) if k not in errors.undetermined and k not in errors.at_bound]
    pairs: list[PairProfile] = []
    for i, j in combinations(with_error, 2):
        pairs.append(
            profile_pair(
                loss, loss.theta, errors.covariance, i, j, points=points, absolute_sigma=absolute, held=errors.at_bound
            )
        )
        if progress is not None:
            progress(len(pairs))
    return pairs


def _at_the_estimates(result: Record) -> tuple[LossFunction, Uncertainty, bool]:
    """The objective that was minimised, its plain errors at the estimates, and whether sigma is absolute."""
    origin = result.made_of
    if not isinstance(origin, Origin):
        raise InputError(
            "ladder: the result was read from a file, without its data; fit again, or give --ladder.enabled true"
        )
    pairs = None if result.normalized_input is None else result.normalized_input.pairs
    observations = origin.observations if pairs is None else normalised(origin.observations, pairs)
    loss = LossFunction(origin.model, origin.objective, observations)
    absolute = result.least_squares is None or result.least_squares.sigma_is is not SigmaIs.RELATIVE
    untrusted = why_untrusted(Stop(result.status, result.stop_reason))
    summary = summarise(loss, None, [(0.0, 1.0)], None, untrusted, absolute_sigma=absolute)
    return loss, summary.errors, absolute
