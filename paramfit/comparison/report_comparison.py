"""The tables of a comparison."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from paramfit.comparison.comparison import Comparison, NestedTest
from paramfit.shown.tables import table_of_parameters

__all__ = ["comparison_report"]


def comparison_report(comparison: Comparison) -> RenderableType:
    """The fits, best first, their models, the tests of nested ones, and the warnings."""
    parts: list[RenderableType] = [_table(comparison), _models(comparison)]
    if comparison.tests:
        parts.append(_tests(comparison))
    cautions = [f"{test.smaller} in {test.larger}: {said}" for test in comparison.tests for said in test.cautions]
    parts += [Text.assemble(("warning: ", "bold yellow"), said) for said in (*comparison.warnings, *cautions)]
    return Group(*parts)


def _table(comparison: Comparison) -> Table:
    fits = f"{len(comparison.rows)} fits to {comparison.n_observations} observations"
    table = _named_table(f"Comparison of {fits}", "run")
    for name in ("parameters", "log L", "AIC", "AICc", "BIC", f"Δ{comparison.criterion}", "weight"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in sorted(comparison.rows, key=lambda row: -row.weight):
        delta = row.delta_aicc if comparison.criterion == "AICc" else row.delta_aic
        criteria = (row.log_likelihood, row.aic, row.aicc, row.bic, delta)
        table.add_row(
            row.run,
            str(row.n_parameters),
            *("-" if value is None else f"{value:.2f}" for value in criteria),
            f"{row.weight:.3g}",
        )
    table.caption = f"weights by {comparison.criterion}"
    return table


def _models(comparison: Comparison) -> Table:
    """Apart from the numbers: a formula may be long."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column()
    for row in comparison.rows:
        rows.add_row(row.run, Text(row.model))
    return rows


def _tests(comparison: Comparison) -> Table:
    question = "Nested models: does the larger one fit better than chance would have it?"
    table = _named_table(question, "smaller in larger")
    for name in ("by", "test"):
        table.add_column(name)
    table.add_column("probability", justify="right", no_wrap=True)
    for test in comparison.tests:
        probability = "" if test.probability is None else f"{test.probability:.3g}"
        table.add_row(f"{test.smaller} in {test.larger}", test.how or "", _told(test), probability)
    return table


def _told(test: NestedTest) -> str:
    """The statistic, or why there is none."""
    freedom = ", ".join(map(str, test.degrees_of_freedom))
    if test.statistic is None:
        return test.reason or ""
    if test.test == "F":
        return f"F({freedom}) = {test.statistic:.5g}"
    return f"likelihood ratio, chi-square({freedom}) = {test.statistic:.5g}"


def _named_table(title: str, first: str) -> Table:
    """A table whose first column names runs: a path may be long, and no number is cut for it."""
    table = table_of_parameters(title)
    table.columns[0].header = first
    table.columns[0].no_wrap = False
    table.columns[0].overflow = "fold"
    return table
