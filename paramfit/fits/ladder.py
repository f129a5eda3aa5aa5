"""The uncertainty ladder of a result, in one call."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import torch

from paramfit.errors import InputError
from paramfit.inference.ladder.builder import build_ladder
from paramfit.inference.ladder.disagreement import disagreements
from paramfit.inference.ladder.rungs import Ladder
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.profile.profiles import PairProfile
from paramfit.inference.profile.two_parameters import profile_pair
from paramfit.inference.uncertainty import Uncertainty
from paramfit.objectives import NegativeLogLikelihood
from paramfit.observations import Observations
from paramfit.outcome import Status
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.results.least_squares_summary import summarise_least_squares
from paramfit.results.likelihood_summary import summarise_likelihood
from paramfit.results.normalized_input import shifts_and_scales
from paramfit.results.record import FitResult

__all__ = ["ladder", "pair_profiles"]


def ladder(
    result: FitResult,
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
        >>> found = ladder(fit(model, ([2.0, 3.0, 1.0, 4.0, 2.0],)))
        >>> [rung.name for rung in found.rungs]
        ['observed information', 'expected information', 'sandwich', 'profile likelihood']
    """
    loss, errors, absolute = _seen_again(result)
    information = None
    if isinstance(loss.objective, NegativeLogLikelihood):
        known = LikelihoodTerms(loss.model, loss.objective).information(loss.observations)
        information = None if known is None else torch.from_numpy(known)
    found = build_ladder(
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
    if result.status == Status.CONVERGED.value:
        return found
    # What disagrees at a place that is no optimum says nothing of the model.
    empty = set(disagreements(found.rungs, found.plain))
    told = f"the fit has not converged ({result.status}), so that no error here can be trusted: {result.reason}"
    return replace(found, warnings=(told, *(warning for warning in found.warnings if warning not in empty)))


def pair_profiles(
    result: FitResult, points: int = 11, progress: Callable[[int], None] | None = None
) -> list[PairProfile]:
    """The profiled deviance of each pair of parameters on a grid, for contours.

    Args:
        result: as ``ladder`` takes it.
        points: of the grid along each parameter.
        progress: called with the number of pairs that are done.

    Returns:
        One for each pair of parameters that have errors; none where errors are missing.

    Raises:
        InputError: as ``ladder`` does.
    """
    loss, errors, absolute = _seen_again(result)
    if errors.covariance is None:
        return []
    known = [k for k in range(loss.p) if k not in errors.undetermined and k not in errors.at_bound]
    found: list[PairProfile] = []
    for i, j in combinations(known, 2):
        found.append(
            profile_pair(
                loss, loss.theta, errors.covariance, i, j, points=points, absolute_sigma=absolute, held=errors.at_bound
            )
        )
        if progress is not None:
            progress(len(found))
    return found


def _seen_again(result: FitResult) -> tuple[LossFunction, Uncertainty, bool]:
    """The objective that was minimised, its plain errors at the estimates, and whether sigma is absolute."""
    if result.origin is None:
        msg = "ladder: the result was read from a file, without its data; fit again, or give --ladder.enabled true"
        raise InputError(msg)
    model, objective, _ = result.origin
    loss = LossFunction(model, objective, _as_the_model_saw_them(result))
    absolute = result.least_squares is None or result.least_squares.get("sigma_is") != "relative"
    return loss, _plain_errors(loss, absolute_sigma=absolute), absolute


def _plain_errors(loss: LossFunction, *, absolute_sigma: bool) -> Uncertainty:
    """The plain errors at the present parameters."""
    if isinstance(loss.objective, NegativeLogLikelihood):
        return summarise_likelihood(loss, None, [(0.0, 1.0)], None).errors
    return summarise_least_squares(loss, None, [(0.0, 1.0)], None, absolute_sigma=absolute_sigma).errors


def _as_the_model_saw_them(result: FitResult) -> Observations:
    """The observations, normalised as they were in the fit."""
    assert result.origin is not None
    observations = result.origin.observations
    if result.normalized_input is None:
        return observations
    pairs = shifts_and_scales(result.normalized_input)
    inputs = tuple((x - shift) * scale for x, (shift, scale) in zip(observations.inputs, pairs, strict=True))
    return observations._replace(inputs=inputs)
