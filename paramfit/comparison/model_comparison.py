"""Fits of the same data, compared."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from torch import Tensor

from paramfit.comparison.compared_run import ComparedRun
from paramfit.comparison.comparison import Comparison, ComparisonRow, akaike_weights
from paramfit.comparison.likelihood_ratio import nested_test
from paramfit.errors import InputError
from paramfit.facts import Fact, FactKind, Status
from paramfit.fits.result import FitResult, load

__all__ = ["compare"]


def compare(runs: Sequence[FitResult | str | Path] | Mapping[str, FitResult | str | Path]) -> Comparison:
    """Set fits of the same data side by side: information criteria, Akaike weights, tests of nested models.

    Two models are called nested only where parameters of the larger are found that turn it into the smaller: by algebra
    where both are formulas, otherwise by fitting the larger to curves of the smaller. Then the likelihood ratio (or F,
    where least squares estimates sigma) tells whether the larger one fits better than chance would have it.

    Args:
        runs: results or run directories (that hold ``estimates.json``), at least two; a mapping gives them names.

    Returns:
        The comparison: ``print`` it with rich, or let a notebook show it.

    Raises:
        InputError: for fewer than two runs, a folder without ``estimates.json`` or with a damaged one, a fit without a
            likelihood (a robust or a penalised one), and fits of different data; the message names both.

    Example:
        >>> from paramfit import PolynomialModel, fit
        >>> x, y = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.1, 1.8, 3.2, 3.9, 5.1, 5.8, 7.2]
        >>> comparison = compare({"line": fit(PolynomialModel(1), (x, y)), "parabola": fit(PolynomialModel(2), (x, y))})
        >>> comparison.best.run, comparison.tests[0].how, comparison.tests[0].test
        ('line', 'coefficient_2 = 0', 'F')
    """
    compared = [_run(name, run) for name, run in _named(runs)]
    caveats = [fact for pair in combinations(compared, 2) for fact in _check_same_data(*pair)]
    for run in compared:
        if run.record.status is not Status.CONVERGED:
            ended = run.record.status.value.replace("_", " ")
            caveats.append(Fact(FactKind.RUN_NOT_CONVERGED, numbers={"run": run.name, "ended": ended}))
        for name, side in run.at_bounds.items():
            caveats.append(Fact(FactKind.RUN_AT_BOUND, (name,), {"run": run.name, "side": side}))
    ordered = sorted(compared, key=lambda run: run.n_parameters)
    columns = _columns(compared)
    tests = [
        nested_test(smaller, larger, columns)
        for smaller, larger in combinations(ordered, 2)
        if smaller.n_parameters < larger.n_parameters
    ]
    criterion = "AIC" if any(run.criteria.aicc is None for run in compared) else "AICc"
    return Comparison(criterion, compared[0].n, _rows(compared, criterion), tuple(tests), tuple(caveats))


def _named(runs: object) -> list[tuple[str, object]]:
    """Each run with a name.

    Raises:
        InputError: if there are not two of them.
    """
    if isinstance(runs, Mapping):
        named = [(str(name), run) for name, run in runs.items()]
    elif isinstance(runs, Sequence) and not isinstance(runs, str):
        named = [
            (str(run) if isinstance(run, str | Path) else f"run {number}", run)
            for number, run in enumerate(runs, start=1)
        ]
    else:
        raise InputError(
            f"runs: expected a list or a mapping of results and run directories, but got {type(runs).__name__}"
        )
    if len(named) < 2:
        raise InputError(f"runs: a comparison needs at least two, but got {len(named)}")
    return named


def _run(name: str, run: object) -> ComparedRun:
    if isinstance(run, FitResult):
        return ComparedRun(name, run)
    if not isinstance(run, str | Path):
        raise InputError(f"{name}: expected a FitResult or a run directory, but got {type(run).__name__}")
    try:
        loaded = load(run)
    except InputError as refusal:
        raise InputError(f"{name}: {refusal}") from refusal
    return ComparedRun(name, loaded)


def _check_same_data(one: ComparedRun, other: ComparedRun) -> list[Fact]:
    """Refuse different data; say where the inputs had to be taken on trust.

    Raises:
        InputError: naming both runs and what differs.
    """
    ours, theirs = one.fingerprint, other.fingerprint
    both = f"{one.name} and {other.name} were fitted to different data"
    if ours.target != theirs.target:
        raise InputError(f"{both}: their targets differ ({one.n} and {other.n} rows); fit both to the same rows")
    if ours.sigma != theirs.sigma:
        how = "one has a sigma, the other none" if None in (ours.sigma, theirs.sigma) else "their sigmas differ"
        raise InputError(f"{both}: {how}; fit both with the same")
    columns = dict(zip(one.variables, ours.inputs, strict=True))
    for name, digest in zip(other.variables, theirs.inputs, strict=True):
        if columns.get(name, digest) != digest and digest not in ours.inputs:
            raise InputError(
                f"{both}: the input {name} differs; fit both to the same rows, and call other columns by other names"
            )
    if set(ours.inputs) <= set(theirs.inputs) or set(theirs.inputs) <= set(ours.inputs):
        return []
    return [Fact(FactKind.OTHER_INPUTS, numbers={"run": one.name, "other": other.name})]


def _rows(runs: Sequence[ComparedRun], criterion: str) -> tuple[ComparisonRow, ...]:
    every = [run.criteria for run in runs]
    aicc = [criteria.aicc for criteria in every if criteria.aicc is not None]
    aic, bic = [criteria.aic for criteria in every], [criteria.bic for criteria in every]
    return tuple(
        ComparisonRow(
            run=run.name,
            model=run.label,
            status=run.record.status.value,
            n_parameters=run.n_parameters,
            **vars(own),
            delta_aic=own.aic - min(aic),
            delta_aicc=None if own.aicc is None or len(aicc) < len(runs) else own.aicc - min(aicc),
            delta_bic=own.bic - min(bic),
            weight=weight,
        )
        for run, own, weight in zip(runs, every, akaike_weights(aicc if criterion == "AICc" else aic), strict=True)
    )


def _columns(runs: Sequence[ComparedRun]) -> dict[str, Tensor]:
    """Every input column that is in memory, by its digest."""
    return {
        digest: column.double()
        for run in runs
        if run.origin is not None
        for digest, column in zip(run.fingerprint.inputs, run.origin.observations.inputs, strict=True)
    }
