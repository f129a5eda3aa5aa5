"""A fit in one call, without a Trainer."""

import copy
import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from paramfit.data.arrays import column_names, observations_from
from paramfit.data.columns import Columns, DescribedData, Labels
from paramfit.distributions import check_observations, stand_ins
from paramfit.errors import InputError
from paramfit.facts import Stop
from paramfit.fits.ending import how_it_began, how_it_ended, why_untrusted
from paramfit.fits.result import FitResult, record_of
from paramfit.fits.solved_model import MOST_ROWS_POLISHED, solve_model
from paramfit.formulas.elementary import CONSTANTS
from paramfit.inference.loss_function import LossFunction
from paramfit.models import (
    DistributionModel,
    FormulaModel,
    FunctionModel,
    LinearModel,
    ParametricModel,
    PolynomialModel,
    free_arguments,
    match_columns,
)
from paramfit.models.base import leave_bounds_to_solver
from paramfit.models.compiled import unwrapped
from paramfit.objectives import NegativeLogLikelihood, Objective, SquaredError
from paramfit.observations import Observations
from paramfit.passes.base import refuse_shapes
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.passes.residual_rows import ResidualRows
from paramfit.results.statistics import SigmaIs
from paramfit.results.summary import Summary, summarise
from paramfit.solvers.gauss_newton import GaussNewton
from paramfit.solvers.newton_raphson import NewtonRaphson
from paramfit.synonyms import nearest_options
from paramfit.torch_overhead import one_thread
from paramfit.wording import quoted

__all__ = ["fit"]

_OPTIONS = ("damping", "orthogonality", "step_tolerance", "cost_tolerance")
_LIKELIHOOD_OPTIONS = ("damping", "tolerance", "expected")


def fit(
    model: nn.Module,
    data: Any,
    *,
    inputs: str | Sequence[str] | None = None,
    target: str | None = None,
    sigma: Any = None,
    sigma_is: str = "absolute",
    censoring: Any = None,
    upper: Any = None,
    objective: Objective | None = None,
    max_iterations: int = 1000,
    **options: Any,
) -> FitResult:
    r"""Fit a model to data, to convergence; what ``LeastSquares`` and ``MaximumLikelihood`` do, without files.

    .. math:: \hat\theta = \arg\min_\theta \sum_i \Big(\frac{f_\theta(x_i) - y_i}{\sigma_i}\Big)^2, \qquad
        \hat\theta = \arg\min_\theta -\sum_i \log p_\theta(y_i \mid x_i)

    A model that predicts is fitted by least squares, one that returns a distribution by maximum likelihood.

    Args:
        model: any model; it is left as it is. The fitted copy is ``result.origin.model``.
        data: ``(x, y)`` or ``(x1, x2, y)`` as arrays, tensors or lists; or ``Observations``; or columns by name: a
            mapping, or a dataframe of pandas, polars or pyarrow.
        inputs: names of the input columns; where it is not given a formula's variables or, of any other model, all
            columns that have no other role, as a module's ``forward`` calls its arguments, or else in their order.
        target: name of the target; where it is not given, the only column that is neither an input nor the sigma.
        sigma: standard deviation of each target: the name of a column, an array, or one number.
        sigma_is: ``absolute``, or ``relative``, where only the ratios of the sigmas are known.
        censoring: what is known of each value, of a likelihood: the name of a column, or a list or array of the words
            ``none`` or ``observed`` (or nothing), ``left`` (at most the target), ``right`` (above the target),
            ``interval`` (above the target and at most the upper end).
        upper: upper ends of intervals: the name of a column, or an array, which is not read in other rows. Where it is
            infinite, or the lower end is, the interval is censored on one side.
        objective: ``SquaredError``, or a robust one; ``NegativeLogLikelihood`` for a distribution.
        max_iterations: when to give up.
        options: of ``LevenbergMarquardt`` or ``Newton``: damping and tolerances.

    Returns:
        The result: ``result.parameters["b1"].estimate``, ``.standard_error``; ``print(result)`` with rich or the last
        line of a notebook's cell shows the report; ``result.predict(x)`` gives the curve with its bands.

    Raises:
        InputError: if the data, the model or an option cannot be used.

    Example:
        >>> from paramfit import LinearModel
        >>> result = fit(LinearModel(), ([0.0, 1.0, 2.0, 3.0], [1.1, 2.9, 5.1, 6.9]))
        >>> round(result.parameters["weight"].estimate, 3), result.status.value
        (1.96, 'converged')
    """
    _check_model(model)
    if sigma_is not in list(SigmaIs):
        raise InputError(f"sigma_is: expected absolute or relative, but got {sigma_is!r}")
    if max_iterations < 1:
        raise InputError(f"max_iterations: expected at least 1, but got {max_iterations}")
    _refuse_misspelt(options)
    fitted = _copied(unwrapped(model))
    if (
        inputs is None
        and isinstance(fitted, FormulaModel | FunctionModel | DistributionModel)
        and not isinstance(data, tuple | list)
    ):
        if not isinstance(data, Observations):
            taken = [name for name in (target, sigma, censoring, upper) if isinstance(name, str)]
            meant = {*fitted.variables, *CONSTANTS}.difference(taken)
            fitted.take_columns([name for name in column_names(data) if name in meant])
        inputs = fitted.variables
    if inputs is None and target is not None and not isinstance(data, tuple | list | Observations):
        taken = [name for name in (target, sigma, censoring, upper) if isinstance(name, str)]
        names = column_names(data)
        # where there is no such target, that is what has to be said
        inputs = _remaining(fitted, [name for name in names if name not in taken]) if target in names else ()
    if isinstance(inputs, str | list | tuple):
        match_columns(fitted, [inputs] if isinstance(inputs, str) else inputs)
    observations, columns = observations_from(data, inputs, target, sigma, censoring=censoring, upper=upper)
    if sigma_is == SigmaIs.RELATIVE and observations.sigma is None:
        raise InputError("sigma_is: relative says how sigma is meant, but there is no sigma; give it, too")
    if isinstance(fitted, ParametricModel):
        fitted.restore_fixed()
        leave_bounds_to_solver(fitted)
    if isinstance(objective, NegativeLogLikelihood) or _is_distribution(fitted, observations):
        _check_options(options, _LIKELIHOOD_OPTIONS)
        with one_thread(isinstance(fitted, DistributionModel)):
            return _by_likelihood(
                fitted, objective or NegativeLogLikelihood(), observations, columns, max_iterations, options
            )
    _check_options(options, _OPTIONS)
    if observations.censoring is not None:
        (objective or SquaredError()).losses(None, *observations.measured)  # says why not
    return _by_least_squares(
        fitted, objective or SquaredError(), observations, columns, SigmaIs(sigma_is), max_iterations, options
    )


def _check_model(model: Any) -> None:
    if isinstance(model, nn.Module):
        return
    cure = "give a torch.nn.Module"
    if isinstance(model, str):
        cure = "give FormulaModel(formula, variables, parameters)"
    elif isinstance(model, type):
        cure = f"give one, {model.__name__}(...)"
    elif callable(model):
        cure = "give FunctionModel(function, parameters={...}), written with torch's functions"
    raise InputError(f"model: expected a model, but got a {type(model).__name__}; {cure}")


def _remaining(model: nn.Module, columns: list[str]) -> list[str]:
    """All columns that have no other role, where a module takes as many; as its arguments where they are called so."""
    arguments = list(inspect.signature(model.forward).parameters)
    if {*arguments} == {*columns}:
        return arguments
    elsewhere = [name for name in columns if name in arguments and arguments.index(name) != columns.index(name)]
    if elsewhere:
        raise InputError(
            f"inputs: {type(model).__name__}.forward({', '.join(arguments)}) has another place for"
            f" {quoted(elsewhere[0])} than the columns; name the inputs in its order, as inputs=[...]"
        )
    try:
        inspect.signature(model.forward).bind(*columns)
    except TypeError:
        listed = ", ".join(map(quoted, columns)) or "none"
        raise InputError(
            f"inputs: {type(model).__name__}.forward takes another number of inputs than there are columns left"
            f" ({listed}); name those that are meant, as inputs=[...]"
        ) from None
    return columns


def _copied(model: nn.Module) -> nn.Module:
    """A copy in float64, on the CPU, in evaluation mode; what is so already is not converted, which takes as long."""
    fitted = copy.deepcopy(model)
    tensors = chain(fitted.parameters(), fitted.buffers())
    if any(not tensor.is_cpu or tensor.dtype != torch.float64 for tensor in tensors):
        fitted = fitted.to(device="cpu", dtype=torch.float64)
    return fitted.eval()


def _refuse_misspelt(options: Mapping[str, Any]) -> None:
    """Refuse a misspelt argument before anything is read by the others."""
    if not options:
        return
    arguments = [name for name in inspect.signature(fit).parameters if name != "options"]
    for name in options:
        hint = nearest_options(name, arguments, "")
        if hint and name not in {*_OPTIONS, *_LIKELIHOOD_OPTIONS}:
            raise InputError(f"{name}: fit has no such option; {hint}")


def _check_options(options: Mapping[str, Any], names: tuple[str, ...]) -> None:
    unknown = [name for name in options if name not in names]
    if unknown:
        raise InputError(
            f"{unknown[0]}: fit has no such option; its solver's are {', '.join(names)}, and there is max_iterations"
        )


def _is_distribution(model: nn.Module, observations: Observations) -> bool:
    """Whether the model returns a distribution: it is asked, unless it is known to predict."""
    if isinstance(model, DistributionModel):
        return True
    if isinstance(model, FormulaModel | FunctionModel | LinearModel | PolynomialModel):
        return False
    with torch.no_grad():
        predicted = model(*observations.inputs)
    if isinstance(predicted, Tensor) and predicted.shape != observations.target.shape:
        refuse_shapes(predicted, observations.target)
    return isinstance(predicted, Distribution)


def _by_least_squares(
    fitted: nn.Module,
    objective: Objective,
    observations: Observations,
    columns: Columns,
    sigma_is: SigmaIs,
    max_iterations: int,
    options: Mapping[str, Any],
) -> FitResult:
    rows = ResidualRows(fitted, objective)
    rows.check_count(observations.n)
    state, steps = solve_model(rows, observations, GaussNewton(**options), max_iterations)
    loss = LossFunction.around(fitted, objective, observations)
    factor = state.factor() if observations.n > MOST_ROWS_POLISHED and isinstance(objective, SquaredError) else None
    summary = summarise(
        loss,
        None,
        [(0.0, 1.0)],
        None,
        absolute_sigma=sigma_is is SigmaIs.ABSOLUTE,
        factor=factor,
        began=how_it_began(state, fitted),
    )
    stop = how_it_ended(state, fitted, steps, lambda: loss)
    return _result("LeastSquares", stop, steps, loss, summary, columns)


def _by_likelihood(
    fitted: nn.Module,
    objective: Objective,
    observations: Observations,
    columns: Columns,
    max_iterations: int,
    options: Mapping[str, Any],
) -> FitResult:
    if isinstance(fitted, DistributionModel):
        fitted.begin_at(stand_ins(observations))
    with torch.no_grad():
        start = fitted(*observations.inputs)
        if isinstance(start, Distribution):
            if start.event_shape:
                raise InputError(
                    f"model: it returns a distribution of vectors ({type(start).__name__}, event shape"
                    f" {tuple(start.event_shape)}), but outcomes that are vectors are not supported: the model must"
                    " return a distribution of one number for each observation"
                )
            check_observations(start, observations, free_arguments(fitted))
        objective.losses(start, *observations.rows(slice(1)).measured)  # refuses what it has no use for
    terms = LikelihoodTerms(fitted, objective)
    state, steps = solve_model(terms, observations, NewtonRaphson(**options), max_iterations)
    loss = LossFunction.around(fitted, objective, observations)
    stop = how_it_ended(state, fitted, steps, lambda: loss)
    summary = summarise(loss, None, [(0.0, 1.0)], None, untrusted=why_untrusted(stop))
    return _result("MaximumLikelihood", stop, steps, loss, summary, columns)


def _result(task: str, stop: Stop, steps: int, loss: LossFunction, summary: Summary, columns: Columns) -> FitResult:
    observations = loss.observations
    losses = {"train": _loss(loss, summary), "val": None}
    return record_of(
        task, stop, steps, loss, losses, 0, summary, observations, partial(_described, observations, columns)
    )


def _described(observations: Observations, columns: Columns) -> DescribedData:
    """All rows, of which each has trained."""
    labels = Labels(", ".join(columns.inputs), columns.target)
    return DescribedData(observations, columns, labels, (), torch.zeros(observations.n, dtype=torch.bool))


def _loss(loss: LossFunction, summary: Summary) -> float:
    """The objective at the estimates."""
    if isinstance(loss.objective, SquaredError) and summary.statistics is not None:
        rss = summary.statistics.residual_sum_of_squares
        return rss / loss.n if loss.objective.reduction == "mean" else rss
    if summary.likelihood is not None:
        total = -summary.likelihood.log_likelihood
        return total / loss.n if loss.objective.reduction == "mean" else total
    with torch.no_grad():
        return loss(loss.theta).item()
