"""The fit report: a result as a table for people."""

import math
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from paramfit.inference.convergence import CONVERGED_BELOW
from paramfit.results.likelihood_summary import SOLVED
from paramfit.results.record import Estimate, FitResult
from paramfit.results.report_solved import censored_told, solved_report
from paramfit.shown.tables import table_of_parameters

__all__ = ["fit_report", "print_report"]

_MOST_ROWS = 40
_WIDTH_OF_FILES = 110


def fit_report(result: FitResult) -> RenderableType:
    """The report as something rich can print.

    Original units come first, since they are what a reader wants; the scaled ones, which the descent saw, follow where
    the input was normalised.
    """
    parts: list[RenderableType] = [_headline(result)]
    if result.least_squares is not None or _is_solved_likelihood(result):
        return Group(*parts, *solved_report(result))
    if result.normalized_input is None:
        parts.append(_table("Estimates", result.original_units or result.parameters, gradients=result.parameters))
    else:
        scaling = _scaling(result.normalized_input)
        if result.original_units is not None:
            parts.append(_table("Estimates in the data's own units", result.original_units))
        parts.append(_table(f"Estimates on the normalised input {scaling}", result.parameters, result.parameters))
    if _unfinished(result):
        parts.append(Text("These errors and intervals are those of an unfinished fit: they hold at the optimum.\n"))
    warnings = [Text.assemble(("warning: ", "bold yellow"), warning) for warning in result.warnings]
    return Group(*parts, _remarks(result), *warnings)


def _is_solved_likelihood(result: FitResult) -> bool:
    """Whether there is no descent to tell of."""
    return result.likelihood is not None and result.notes.get("updates_to_converge") == SOLVED


def _unfinished(result: FitResult) -> bool:
    distance = result.distance_to_optimum_in_standard_errors
    return distance is not None and distance >= CONVERGED_BELOW


def _headline(result: FitResult) -> Text:
    style = {"diverged": "bold red", "converged": "bold green"}.get(result.status, "bold")
    made = f"{result.updates} update{'' if result.updates == 1 else 's'}"
    return Text.assemble(
        (f"{result.task}: {result.status.replace('_', ' ')}", style), f" after {made}. {_sentence(result)}\n"
    )


def _sentence(result: FitResult) -> str:
    """The reason as a sentence; a parameter's name at its beginning stays as it is."""
    reason = result.reason
    first = reason.split(maxsplit=1)[:1]
    return reason if first and first[0].rstrip(",:;.") in result.parameters else reason[:1].upper() + reason[1:]


def _scaling(normalized: dict[str, Any]) -> str:
    shift, scale = normalized["shift"], normalized["scale"]
    if isinstance(shift, list):
        return "z = (x - shift) * scale"
    return f"z = {scale:.6g} x" if shift == 0 else f"z = {scale:.6g} (x - {shift:.6g})"


def _table(
    title: str, estimates: Mapping[str, Estimate], gradients: Mapping[str, Estimate] | None = None
) -> RenderableType:
    table = table_of_parameters(title)
    shown = list(estimates.items())[:_MOST_ROWS]
    has_unit = any(estimate.unit for _, estimate in shown)
    has_closed_form = any(estimate.closed_form is not None for _, estimate in shown)
    has_truth = any(estimate.truth is not None for _, estimate in shown)
    columns = ["estimate", "std. error"] + ["unit"] * has_unit + ["95 % interval"]
    columns += ["closed form"] * has_closed_form + ["truth"] * has_truth + ["dL/dθ"] * (gradients is not None)
    for column in columns:
        table.add_column(column, justify="left" if column == "unit" else "right", no_wrap=True)
    for name, estimate in shown:
        digits = _digits(estimate)
        interval = estimate.interval_95
        cells = [_number(estimate.estimate, digits), _number(estimate.standard_error, digits)]
        cells += [estimate.unit or ""] * has_unit
        cells.append("-" if interval is None else f"{_number(interval[0], digits)} to {_number(interval[1], digits)}")
        cells += [_number(estimate.closed_form, digits)] * has_closed_form
        cells += [_number(estimate.truth, digits)] * has_truth
        if gradients is not None:
            slope = gradients[name].gradient
            cells.append("-" if slope is None else f"{slope:.1e}")
        table.add_row(name, *cells)
    if len(estimates) > len(shown):
        table.caption = f"and {len(estimates) - len(shown)} more, in estimates.json"
    return table


def _digits(estimate: Estimate) -> int | None:
    """Decimals that show two digits more than the error supports; None without an error."""
    error = estimate.standard_error
    if error is None or not error > 0 or not math.isfinite(error):
        return None
    return min(12, max(0, 3 - math.floor(math.log10(error))))


def _number(value: float | None, digits: int | None) -> str:
    if value is None:
        return "-"
    if digits is None or not math.isfinite(value) or abs(value) >= 1e9:
        return f"{value:.6g}"
    return f"{value:.{digits}f}"


def _remarks(result: FitResult) -> Table:
    remarks = Table.grid(padding=(0, 2))
    remarks.add_column(style="dim", no_wrap=True)
    remarks.add_column()
    losses = ", ".join(f"{part} {value:.6g}" for part, value in result.loss.items() if value is not None)
    rows = ", ".join(f"{count} {part}" for part, count in result.n_observations.items() if count)
    remarks.add_row("loss", f"{losses}  ({rows} observations{censored_told(result)})")
    if result.likelihood is not None:
        aicc = "" if result.likelihood["aicc"] is None else f", AICc {result.likelihood['aicc']:.6g}"
        remarks.add_row("log-likelihood", f"{result.likelihood['log_likelihood']:.10g}")
        remarks.add_row("AIC", f"{result.likelihood['aic']:.6g}{aicc}, BIC {result.likelihood['bic']:.6g}")
    remarks.add_row("errors from", result.uncertainty + _because(result, "standard_error"))
    distance = result.distance_to_optimum_in_standard_errors
    if distance is None:
        remarks.add_row("distance to optimum", "not known" + _because(result, "distance_to_optimum_in_standard_errors"))
    else:
        judged = "(converged)" if distance < CONVERGED_BELOW else f"(not converged){_still_to_go(result)}"
        remarks.add_row("distance to optimum", f"{distance:.3g} standard errors {judged}")
    remarks.add_row("fit verdict", (result.verdict or "none") + _because(result, "verdict"))
    return remarks


def _still_to_go(result: FitResult) -> str:
    if result.updates_to_converge is None:
        return f"; updates still needed{_because(result, 'updates_to_converge')}"
    if result.updates_to_converge == 0:
        return ""
    return f"; about {result.updates_to_converge} more updates at this learning rate would converge"


def _because(result: FitResult, key: str) -> str:
    reason = result.notes.get(key)
    return f": {reason}" if reason else ""


def print_report(result: RenderableType, console: Console | None = None) -> None:
    """Print the report of a result, or of its ladder."""
    out = console or Console()
    if not out.is_terminal:
        # A file or a pipe has no width of its own; rich would cut the table to 80 columns.
        out = Console(file=out.file, width=max(out.width, _WIDTH_OF_FILES))
    out.print(result)
