"""The report of a fit that a solver made: least squares, or a likelihood by Newton's method."""

from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from paramfit.results.record import Estimate, FitResult
from paramfit.shown.digits import value_as_with_error, with_error
from paramfit.shown.tables import table_of_parameters

__all__ = ["censored_told", "solved_report"]

_MOST_ROWS = 40
_STRONG = 0.9
_MOST_CORRELATIONS = 6


def solved_report(result: FitResult) -> list[RenderableType]:
    """Table, statistics, correlations and warnings of a result that has ``least_squares`` or ``likelihood``."""
    estimates = result.original_units if result.original_units is not None else result.parameters
    parts: list[RenderableType] = [_table(_title(result), estimates), _statistics(result)]
    warnings = [Text.assemble(("warning: ", "bold yellow"), warning) for warning in result.warnings]
    return [*parts, *warnings]


def _title(result: FitResult) -> str:
    if result.normalized_input is None:
        return "Estimates"
    if result.original_units is not None:
        return "Estimates in the data's own units"
    return "Estimates on the normalised input, which this model cannot undo"


def _table(title: str, estimates: dict[str, Estimate]) -> Table:
    table = table_of_parameters(title)
    table.add_column("estimate ± std. error", justify="right", no_wrap=True)
    shown = list(estimates.items())[:_MOST_ROWS]
    has_unit = any(estimate.unit for _, estimate in shown)
    has_truth = any(estimate.truth is not None for _, estimate in shown)
    if has_unit:
        table.add_column("unit", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    if has_truth:
        table.add_column("truth", justify="right", no_wrap=True)
    for name, estimate in shown:
        cells = [name, with_error(estimate.estimate, estimate.standard_error)]
        cells += [estimate.unit or ""] * has_unit
        cells.append(_interval(estimate))
        cells += ["" if estimate.truth is None else f"{estimate.truth:.6g}"] * has_truth
        table.add_row(*cells)
    if len(estimates) > len(shown):
        table.caption = f"and {len(estimates) - len(shown)} more, in estimates.json"
    return table


def _interval(estimate: Estimate) -> str:
    if estimate.fixed:
        return "fixed"
    if estimate.at_bound is not None:
        return f"at its {estimate.at_bound} bound"
    if estimate.interval_95 is None:
        return "undetermined"
    low, high = (value_as_with_error(end, estimate.standard_error) for end in estimate.interval_95)
    return f"{low} to {high}"


def censored_told(result: FitResult) -> str:
    """How many of the training rows are bounds, to follow their number; nothing where none is."""
    counts = (result.likelihood or {}).get("censored", {})
    told = ", ".join(f"{count} {kind}-censored" for kind, count in counts.items())
    return told and f"; {told}"


def _statistics(result: FitResult) -> Table:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column()
    counts = ", ".join(f"{count} {part}" for part, count in result.n_observations.items() if count)
    if result.least_squares is not None:
        rows.add_row("observations", f"{counts}; {result.least_squares['degrees_of_freedom']} degrees of freedom")
        _add_residuals(rows, result.least_squares)
    else:
        rows.add_row("observations", counts + censored_told(result))
    criteria: dict[str, Any] = result.least_squares or result.likelihood or {}
    if result.likelihood is not None:
        rows.add_row("log-likelihood", f"{result.likelihood['log_likelihood']:.10g}")
    if criteria["aic"] is not None:
        aicc = "" if criteria["aicc"] is None else f", AICc {criteria['aicc']:.6g}"
        rows.add_row("AIC", f"{criteria['aic']:.6g}{aicc}, BIC {criteria['bic']:.6g}")
    if result.loss.get("val") is not None:
        rows.add_row("loss", ", ".join(f"{part} {value:.6g}" for part, value in result.loss.items()))
    because = result.notes.get("standard_error")
    rows.add_row("errors from", result.uncertainty + (f": {because}" if because and not result.warnings else ""))
    strong = _correlations(result)
    if strong:
        rows.add_row("correlations", strong)
    return rows


def _add_residuals(rows: Table, found: dict[str, Any]) -> None:
    """What only least squares has."""
    if found["chi_square"] is not None:
        probability = found["chi_square_probability"]
        told = "" if probability is None else f", probability {probability:.3g}" if probability else ", improbable"
        rows.add_row("chi-square", f"{found['chi_square']:.6g}{told}")
    if found["residual_standard_deviation"] is not None:
        of = " (in sigma)" if found["sigma_is"] else ""
        rows.add_row("residual std. dev.", f"{found['residual_standard_deviation']:.6g}{of}")
    if found["r_squared"] is not None:
        rows.add_row("R²", f"{found['r_squared']:.6g}")


def _correlations(result: FitResult) -> str:
    """Those above 0.9, strongest first."""
    if result.correlation is None:
        return ""
    names, matrix = result.correlation["parameters"], result.correlation["matrix"]
    pairs = [
        (abs(matrix[i][j]), f"{names[j]} and {names[i]} {matrix[i][j]:+.4f}")
        for i in range(len(names))
        for j in range(i)
        if abs(matrix[i][j]) > _STRONG
    ]
    pairs.sort(reverse=True)
    told = [text.replace("-", "−") for _, text in pairs[:_MOST_CORRELATIONS]]
    if len(pairs) > len(told):
        told.append(f"{len(pairs) - len(told)} more above {_STRONG}")
    return ", ".join(told)
