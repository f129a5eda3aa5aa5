"""The fit report: a record as a table for people, the same for every way in which it was fitted."""

import re
from collections.abc import Mapping

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from paramfit.facts import Fact, FactKind, Status
from paramfit.inference.convergence import CONVERGED_BELOW
from paramfit.results.estimate_cells import estimate_cell, first_estimates, headline, interval_cell, is_unfinished
from paramfit.results.record import Estimate, NormalizedInput, Record
from paramfit.shown.tables import table_of_facts, table_of_parameters
from paramfit.shown.text import literal, warning_line

__all__ = ["fit_report", "has_table", "is_network", "print_report", "untabulated", "whole_warnings"]

_MOST_ROWS = 40
_STRONG = 0.9
_MOST_CORRELATIONS = 6
_WIDTH_OF_FILES = 110
_FEWEST_WEIGHTS = 8  # of a network; the elements of a small tensor are parameters like any others
_OF_MATRIX = re.compile(r"\[\d+(,\d+)+\]$")  # of convolutions too, which have more indices
_SINGULAR = (
    FactKind.INSEPARABLE,
    FactKind.STRONG_CORRELATION,
    FactKind.MORE_STRONG_CORRELATIONS,
    FactKind.TOO_FEW_OBSERVATIONS,
    FactKind.NOT_POSITIVE_DEFINITE,
    FactKind.NOT_A_MAXIMUM,
)


def fit_report(result: Record) -> RenderableType:
    """The report as something rich can print.

    Original units come first, since they are what a reader wants; the scaled ones, which a descent saw, follow where
    the input was normalised. Without a table there are no estimates, errors and correlations.
    """
    if not has_table(result):
        words = untabulated(result) + (" (--report.table true prints them)" if result.table is None else "")
        statistics = _statistics(result, tabulated=False)
        return Group(_headline(result), Text(f"{words}.\n"), statistics, *map(warning_line, whole_warnings(result)))
    parts: list[RenderableType] = [_headline(result), *_tables(result)]
    if is_unfinished(result):
        parts.append(Text("These errors and intervals are those of an unfinished fit: they hold at the optimum.\n"))
    return Group(*parts, _statistics(result), *map(warning_line, result.warnings))


def has_table(result: Record) -> bool:
    """Whether the parameters are told one by one: as the user said, else unless they are a network's weights."""
    return not is_network(result) if result.table is None else result.table


def untabulated(result: Record) -> str:
    """What stands in place of the table, and why."""
    words = f"{len(result.parameters)} parameters, in estimates.json"
    if result.table is None:
        layered = "they are weights of layers, whose units may be permuted"
        why = layered if _has_hidden_layer(result) else "the observations do not tell them apart"
        words += f": {why}, and one by one they say nothing"
    return words


def whole_warnings(result: Record) -> list[str]:
    """Those of the fit as a whole, without what is said of single parameters."""
    return [
        line
        for caution, line in zip(result.cautions, result.warnings, strict=True)
        if not isinstance(caution, Fact) or not (caution.parameters or caution.kind in _SINGULAR)
    ]


def is_network(result: Record) -> bool:
    """Whether the parameters are weights that mean nothing one by one.

    Either the model has a hidden layer: units of it that are permuted, or the signs of odd ones, leave every
    prediction as it is, however many observations there are. Or there are many elements of tensors, and the
    observations do not tell them apart.
    """
    if _has_hidden_layer(result):
        return True
    if sum("[" in name for name in result.parameters) < _FEWEST_WEIGHTS:
        return False
    facts = (*result.reasons.get("standard_error", ()), *result.cautions)
    return any(isinstance(fact, Fact) and fact.kind in _SINGULAR for fact in facts)


def _has_hidden_layer(result: Record) -> bool:
    """Whether two tensors or more have elements of two indices or more, as ``0.weight[1,0]``.

    Only names can say it: a record that is read from a file has no model.
    """
    matrices = {name[: element.start()] for name in result.parameters if (element := _OF_MATRIX.search(name))}
    return len(matrices) > 1


def _headline(result: Record) -> Text:
    style = {Status.DIVERGED: "bold red", Status.CONVERGED: "bold green"}.get(result.status, "bold")
    ended, after, rest = headline(result).partition(" after ")
    return Text.assemble(literal(ended, style), literal(after + rest), "\n")


def _tables(result: Record) -> list[RenderableType]:
    original, scaled = result.original_units, result.normalized_input
    if scaled is None:
        return [_table(result, "Estimates", first_estimates(result), with_slopes=not result.is_solved)]
    if original is None and result.is_solved:
        return [_table(result, "Estimates on the normalised input, which this model cannot undo", result.parameters)]
    tables = [] if original is None else [_table(result, "Estimates in the data's own units", original)]
    if not result.is_solved:
        title = f"Estimates on the normalised input {_scaling(scaled)}"
        tables.append(_table(result, title, result.parameters, with_slopes=True))
    return tables


def _scaling(normalized: NormalizedInput) -> str:
    if len(normalized.pairs) > 1:
        return "z = (x - shift) * scale"
    ((shift, scale),) = normalized.pairs
    return f"z = {scale:.6g} x" if shift == 0 else f"z = {scale:.6g} (x - {shift:.6g})"


def _table(
    result: Record, title: str, estimates: Mapping[str, Estimate], *, with_slopes: bool = False
) -> RenderableType:
    table = table_of_parameters(title)
    shown = list(estimates.items())[:_MOST_ROWS]
    has_unit = any(estimate.unit for _, estimate in shown)
    has_closed_form = any(estimate.closed_form is not None for _, estimate in shown) and not result.is_solved
    has_truth = any(estimate.truth is not None for _, estimate in shown)
    columns = ["estimate ± std. error"] + ["unit"] * has_unit + ["95 % interval"]
    columns += ["closed form"] * has_closed_form + ["truth"] * has_truth + ["dL/dθ"] * with_slopes
    for column in columns:
        if column == "unit":
            table.add_column(column, overflow="fold")
        else:
            table.add_column(column, justify="right", no_wrap=True)
    rounded = not is_unfinished(result)
    for name, estimate in shown:
        cells = [estimate_cell(estimate, rounded=rounded)] + [estimate.unit or ""] * has_unit
        cells.append(interval_cell(estimate, rounded=rounded))
        cells += [_six_digits(estimate.closed_form)] * has_closed_form + [_six_digits(estimate.truth)] * has_truth
        slope = result.parameters[name].gradient
        cells += ["-" if slope is None else f"{slope:.1e}"] * with_slopes
        table.add_row(name, *cells)
    if len(estimates) > len(shown):
        table.caption = f"and {len(estimates) - len(shown)} more, in estimates.json"
    return table


def _six_digits(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _statistics(result: Record, *, tabulated: bool = True) -> Table:
    rows = table_of_facts()
    counts = ", ".join(f"{count} {part}" for part, count in result.n_observations.items() if count)
    freedom = "" if result.least_squares is None else f"; {result.least_squares.degrees_of_freedom} degrees of freedom"
    rows.add_row("observations", f"{counts}{freedom}{_censored(result)}")
    if not result.is_solved or not tabulated or result.loss.get("val") is not None:
        losses = ", ".join(f"{part} {value:.6g}" for part, value in result.loss.items() if value is not None)
        rows.add_row("loss", losses)
    for part, values in result.metrics.items():
        rows.add_row(f"metrics, {part}", ", ".join(f"{name} {value:.6g}" for name, value in values.items()))
    _add_residuals(rows, result)
    criteria = result.least_squares or result.likelihood
    if result.likelihood is not None:
        rows.add_row("log-likelihood", f"{result.likelihood.log_likelihood:.10g}")
    if criteria is not None and criteria.aic is not None:
        aicc = "" if criteria.aicc is None else f", AICc {criteria.aicc:.6g}"
        rows.add_row("AIC", f"{criteria.aic:.6g}{aicc}, BIC {criteria.bic:.6g}")
    elif "information_criteria" in result.reasons:
        rows.add_row("AIC, BIC", f"none{_because(result, 'information_criteria')}")
    # Where warnings say why, they say it better.
    because = "" if result.is_solved and result.warnings else _because(result, "standard_error")
    if tabulated:
        rows.add_row("errors from", result.uncertainty + because)
    if not result.is_solved and tabulated:
        rows.add_row("distance to optimum", _distance(result))
    if not result.is_solved and result.n_observations.get("val"):
        verdict = "none" if result.verdict is None else result.verdict.value
        rows.add_row("fit verdict", verdict + _because(result, "verdict"))
    strong = _strong_correlations(result)
    if strong and result.is_solved and tabulated:
        rows.add_row("correlations", strong)
    return rows


def _censored(result: Record) -> str:
    """How many of the training rows are bounds, to follow their number; nothing where none is."""
    counts = {} if result.likelihood is None else result.likelihood.censored
    kinds = ", ".join(f"{count} {kind}-censored" for kind, count in counts.items())
    return kinds and f"; {kinds}"


def _add_residuals(rows: Table, result: Record) -> None:
    """What only least squares has."""
    statistics = result.least_squares
    if statistics is None:
        return
    if statistics.chi_square is not None:
        probability = statistics.chi_square_probability
        likely = f", probability {probability:.3g}" if probability else ", improbable"
        rows.add_row("chi-square", f"{statistics.chi_square:.6g}{'' if probability is None else likely}")
    if statistics.residual_standard_deviation is not None:
        of = " (in sigma)" if statistics.sigma_is else ""
        rows.add_row("residual std. dev.", f"{statistics.residual_standard_deviation:.6g}{of}")
    if statistics.r_squared is not None:
        rows.add_row("R²", f"{statistics.r_squared:.6g}")


def _distance(result: Record) -> str:
    distance = result.distance_to_optimum_in_standard_errors
    if distance is None:
        return "not known" + _because(result, "distance_to_optimum_in_standard_errors")
    if distance < CONVERGED_BELOW:
        return f"{distance:.3g} standard errors (converged)"
    still = ""
    if result.updates_to_converge is None:
        still = f"; updates still needed{_because(result, 'updates_to_converge')}"
    elif result.updates_to_converge:
        still = f"; about {result.updates_to_converge} more updates at this learning rate would converge"
    return f"{distance:.3g} standard errors (not converged){still}"


def _strong_correlations(result: Record) -> str:
    """Those above 0.9, strongest first."""
    if result.correlation is None:
        return ""
    names, matrix = result.correlation.parameters, result.correlation.matrix
    pairs = [
        (abs(matrix[i][j]), f"{names[j]} and {names[i]} " + f"{matrix[i][j]:+.4f}".replace("-", "−"))
        for i in range(len(names))
        for j in range(i)
        if abs(matrix[i][j]) > _STRONG
    ]
    pairs.sort(reverse=True)
    strongest = [text for _, text in pairs[:_MOST_CORRELATIONS]]
    if len(pairs) > len(strongest):
        strongest.append(f"{len(pairs) - len(strongest)} more above {_STRONG}")
    return ", ".join(strongest)


def _because(result: Record, key: str) -> str:
    reason = result.notes.get(key)
    return f": {reason}" if reason else ""


def print_report(result: RenderableType, console: Console | None = None) -> None:
    """Print the report of a result, or of its ladder."""
    out = console or Console()
    if not out.is_terminal:
        # A file or a pipe has no width of its own; rich would cut the table to 80 columns.
        out = Console(file=out.file, width=max(out.width, _WIDTH_OF_FILES))
    out.print(result)
