"""Fits of the same data, compared."""

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from torch import Tensor

from paramfit.comparison.compared_run import ComparedRun
from paramfit.comparison.comparison import Comparison, ComparisonRow, akaike_weights
from paramfit.comparison.likelihood_ratio import nested_test
from paramfit.errors import InputError
from paramfit.results.record import FitResult

__all__ = ["compare"]

_FILE = "estimates.json"


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
        >>> found = compare({"line": fit(PolynomialModel(1), (x, y)), "parabola": fit(PolynomialModel(2), (x, y))})
        >>> found.best.run, found.tests[0].how, found.tests[0].test
        ('line', 'coefficient_2 = 0', 'F')
    """
    there = [_run(name, run) for name, run in _named(runs)]
    warnings = [said for pair in combinations(there, 2) for said in _check_same_data(*pair)]
    for run in there:
        if run.plain["status"] != "converged":
            ended = run.plain["status"].replace("_", " ")
            warnings.append(f"{run.name} has not converged ({ended}): its likelihood is not the largest")
        warnings += [
            f"{run.name}: {name} is at its {bound} bound and not counted" for name, bound in run.at_bounds.items()
        ]
    ordered = sorted(there, key=lambda run: run.n_parameters)
    columns = _columns(there)
    tests = [
        nested_test(smaller, larger, columns)
        for smaller, larger in combinations(ordered, 2)
        if smaller.n_parameters < larger.n_parameters
    ]
    criterion = "AIC" if any(run.number("aicc") is None for run in there) else "AICc"
    return Comparison(criterion, there[0].n, _rows(there, criterion.lower()), tuple(tests), tuple(warnings))


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
        msg = f"runs: expected a list or a mapping of results and run directories, but got {type(runs).__name__}"
        raise InputError(msg)
    if len(named) < 2:
        msg = f"runs: a comparison needs at least two, but got {len(named)}"
        raise InputError(msg)
    return named


def _run(name: str, run: object) -> ComparedRun:
    if isinstance(run, FitResult):
        return ComparedRun(name, json.loads(run.to_json()), run.origin)
    if not isinstance(run, str | Path):
        msg = f"{name}: expected a FitResult or a run directory, but got {type(run).__name__}"
        raise InputError(msg)
    file = Path(run) / _FILE
    if not file.is_file():
        msg = f"{name}: there is no {_FILE} in {run}; give the folder version_N of a fit that came to its end"
        raise InputError(msg)
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as wrong:
        msg = f"{name}: {file} cannot be read ({wrong}); fit again"
        raise InputError(msg) from wrong
    if not isinstance(plain, dict):
        msg = f"{name}: {file} does not hold a result; fit again"
        raise InputError(msg)
    return ComparedRun(name, plain, file=file)


def _check_same_data(one: ComparedRun, other: ComparedRun) -> list[str]:
    """Refuse different data; say where the inputs had to be taken on trust.

    Raises:
        InputError: naming both runs and what differs.
    """
    ours, theirs = one.fingerprint, other.fingerprint
    both = f"{one.name} and {other.name} were fitted to different data"
    if ours.target != theirs.target:
        msg = f"{both}: their targets differ ({one.n} and {other.n} rows); fit both to the same rows"
        raise InputError(msg)
    if ours.sigma != theirs.sigma:
        how = "one has a sigma, the other none" if None in (ours.sigma, theirs.sigma) else "their sigmas differ"
        msg = f"{both}: {how}; fit both with the same"
        raise InputError(msg)
    columns = dict(zip(one.variables, ours.inputs, strict=True))
    for name, digest in zip(other.variables, theirs.inputs, strict=True):
        if columns.get(name, digest) != digest and digest not in ours.inputs:
            msg = f"{both}: the input {name} differs; fit both to the same rows, and call other columns by other names"
            raise InputError(msg)
    if set(ours.inputs) <= set(theirs.inputs) or set(theirs.inputs) <= set(ours.inputs):
        return []
    return [
        f"{one.name} and {other.name} have the same target but other inputs, which are taken to be of the same rows"
    ]


def _rows(runs: Sequence[ComparedRun], criterion: str) -> tuple[ComparisonRow, ...]:
    weights = akaike_weights([run.number(criterion) for run in runs])

    def delta(run: ComparedRun, key: str) -> float | None:
        found = [other.number(key) for other in runs]
        return None if None in found else run.number(key) - min(found)

    return tuple(
        ComparisonRow(
            run=run.name,
            model=run.label,
            status=run.plain["status"],
            n_parameters=run.n_parameters,
            log_likelihood=run.number("log_likelihood"),
            aic=run.number("aic"),
            aicc=run.number("aicc"),
            bic=run.number("bic"),
            delta_aic=delta(run, "aic") or 0.0,
            delta_aicc=delta(run, "aicc"),
            delta_bic=delta(run, "bic") or 0.0,
            weight=weight,
        )
        for run, weight in zip(runs, weights, strict=True)
    )


def _columns(runs: Sequence[ComparedRun]) -> dict[str, Tensor]:
    """Every input column that is in memory, by its digest."""
    return {
        digest: column.double()
        for run in runs
        if run.origin is not None
        for digest, column in zip(run.fingerprint.inputs, run.origin.observations.inputs, strict=True)
    }
