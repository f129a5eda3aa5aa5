"""Whether the data ask for the larger of two nested models."""

import copy
from collections.abc import Mapping

import torch
from scipy.special import chdtrc, fdtrc
from torch import Tensor, nn

from paramfit.comparison.compared_run import ComparedRun
from paramfit.comparison.comparison import NestedTest
from paramfit.comparison.nesting import Nesting, find_nesting
from paramfit.comparison.nesting_by_fit import containment
from paramfit.facts import Fact, FactKind
from paramfit.models import FormulaModel
from paramfit.results.statistics import SigmaIs

__all__ = ["nested_test"]


def nested_test(smaller: ComparedRun, larger: ComparedRun, columns: Mapping[str, Tensor]) -> NestedTest:
    r"""The likelihood-ratio test of two nested models, or the F test where least squares estimates sigma.

    .. math:: \lambda = 2 (\ln L_1 - \ln L_0) \sim \chi^2_q, \qquad
        F = \frac{(\mathrm{RSS}_0 - \mathrm{RSS}_1) / q}{\mathrm{RSS}_1 / (n - p_1)} \sim F_{q, n - p_1}

    with q the parameters that the larger model has more. Nesting is looked for by algebra, then by fitting.

    References:
        Christian Ritz, Jens Carl Streibig: Nonlinear Regression with R (2008), section 7.4.
    """
    names = (smaller.name, larger.name)
    if smaller.is_least_squares != larger.is_least_squares or smaller.sigma_is != larger.sigma_is:
        return NestedTest(*names, refusal=Fact(FactKind.ERRORS_OF_OTHER_KINDS))
    nesting = _nesting(smaller, larger, columns)
    if nesting is None:
        return NestedTest(*names, refusal=Fact(FactKind.NOT_NESTED))
    caveats = tuple(_caveats(nesting))
    if smaller.is_least_squares and smaller.sigma_is is not SigmaIs.ABSOLUTE:
        return _f_test(smaller, larger, nesting.how, caveats)
    statistic = 2 * (larger.criteria.log_likelihood - smaller.criteria.log_likelihood)
    if statistic < -1e-6:
        return NestedTest(*names, how=nesting.how, refusal=_worse(larger), caveats=caveats)
    freedom = larger.n_parameters - smaller.n_parameters
    statistic = max(statistic, 0.0)
    probability = float(chdtrc(freedom, statistic))
    return NestedTest(*names, nesting.how, "likelihood ratio", statistic, (freedom,), probability, None, caveats)


def _f_test(smaller: ComparedRun, larger: ComparedRun, how: str, caveats: tuple[Fact, ...]) -> NestedTest:
    names = (smaller.name, larger.name)
    before, after = smaller.least_squares.residual_sum_of_squares, larger.least_squares.residual_sum_of_squares
    rest = larger.least_squares.degrees_of_freedom
    more = larger.n_parameters - smaller.n_parameters
    if rest < 1:
        return NestedTest(*names, how=how, refusal=Fact(FactKind.NO_FREEDOM_LEFT), caveats=caveats)
    if before < after * (1 - 1e-9):
        return NestedTest(*names, how=how, refusal=_worse(larger), caveats=caveats)
    statistic = max(before - after, 0.0) / more / (after / rest)
    return NestedTest(*names, how, "F", statistic, (more, rest), float(fdtrc(more, rest, statistic)), None, caveats)


def _worse(larger: ComparedRun) -> Fact:
    return Fact(FactKind.LARGER_FITS_WORSE, numbers={"run": larger.name})


def _caveats(nesting: Nesting) -> list[Fact]:
    caveats = []
    if nesting.at_bounds:
        caveats.append(Fact(FactKind.CONSERVATIVE_AT_BOUND, nesting.at_bounds))
    if nesting.undetermined:
        caveats.append(Fact(FactKind.UNDETERMINED_UNDER_SMALLER, nesting.undetermined))
    return caveats


def _nesting(smaller: ComparedRun, larger: ComparedRun, columns: Mapping[str, Tensor]) -> Nesting | None:
    ours, theirs = smaller.written, larger.written
    scaled_alike = all(larger.scaling.get(name, pair) == pair for name, pair in smaller.scaling.items())
    if ours is not None and theirs is not None and scaled_alike:
        nesting = find_nesting(ours, theirs, {name: smaller.estimates[name] for name in ours.free})
        if nesting is not None:
            return nesting
    return _nesting_by_fit(smaller, larger, columns) if smaller.is_least_squares else None


def _nesting_by_fit(smaller: ComparedRun, larger: ComparedRun, columns: Mapping[str, Tensor]) -> Nesting | None:
    models = _model(smaller), _model(larger)
    if models[0] is None or models[1] is None or not {*smaller.scaling, *larger.scaling} <= set(columns):
        return None
    contained = containment(models[0], models[1], _inputs(smaller, columns), _inputs(larger, columns))
    if contained is None:
        return None
    written, at_bounds = larger.written, []
    if written is not None:
        if any(
            written.outside(name, value) and not written.at_bound(name, value)
            for name, value in contained.values.items()
        ):
            return None
        at_bounds = [name for name, value in contained.values.items() if written.at_bound(name, value)]
    return Nesting("found by fitting", tuple(at_bounds), contained.undetermined)


def _inputs(run: ComparedRun, columns: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    return tuple((columns[name] - shift) * scale for name, (shift, scale) in run.scaling.items())


def _model(run: ComparedRun) -> nn.Module | None:
    """The model at its estimates; a formula without its bounds, since a fit may have to come to rest on one."""
    written = run.written
    formula = run.model.formula
    if written is not None and formula is not None and written.inputs == run.fingerprint.inputs:
        parameters = {name: {"start": run.estimates[name]} for name in written.free}
        parameters |= {name: {"start": value, "fixed": True} for name, value in written.fixed.items()}
        return FormulaModel(formula, written.variables, parameters)
    if run.origin is None:
        return None
    return copy.deepcopy(run.origin.model).to(device="cpu", dtype=torch.float64).eval()
