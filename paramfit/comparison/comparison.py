"""Fits of the same data side by side."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from paramfit.facts import Fact
from paramfit.results.json_form import to_plain
from paramfit.shown.tables import as_html, as_text, table_of_facts, table_of_parameters
from paramfit.shown.text import warning_line
from paramfit.shown.words import sentence

__all__ = ["Comparison", "ComparisonRow", "NestedTest", "akaike_weights"]

_WIDTH = 130


@dataclass(frozen=True)
class ComparisonRow:
    """One fit.

    Attributes:
        run: what it is called.
        model: its formula, distribution or class.
        status: how it ended.
        n_parameters: estimated ones, with sigma among them where it is not known.
        log_likelihood: at the estimates.
        aic: Akaike's criterion.
        aicc: the same for few observations; None where there are too few.
        bic: Schwarz's criterion.
        delta_aic: difference to the smallest of all fits; likewise the others.
        delta_aicc: None where a fit has none.
        delta_bic: of the BIC.
        weight: Akaike weight by the comparison's criterion.
    """

    run: str
    model: str
    status: str
    n_parameters: int
    log_likelihood: float
    aic: float
    aicc: float | None
    bic: float
    delta_aic: float
    delta_aicc: float | None
    delta_bic: float
    weight: float


@dataclass(frozen=True)
class NestedTest:
    """Whether the data ask for the larger of two models.

    Attributes:
        smaller: the run with fewer parameters.
        larger: the run with more.
        how: what makes the larger model the smaller one, such as ``c = 0``; None where they are not nested, as far as
            was found.
        test: ``likelihood ratio`` or ``F``; None where there is none, and ``reason`` says why.
        statistic: of the test.
        degrees_of_freedom: one number for a likelihood ratio, two for an F.
        probability: of a statistic at least so large, if the smaller model holds.
        refusal: why there is no test; in words, ``reason``.
        caveats: what the probability does not know; in words, ``cautions``.
    """

    smaller: str
    larger: str
    how: str | None = None
    test: str | None = None
    statistic: float | None = None
    degrees_of_freedom: tuple[int, ...] = ()
    probability: float | None = None
    refusal: Fact | None = None
    caveats: tuple[Fact, ...] = ()

    @property
    def reason(self) -> str | None:
        """Why there is no test, in words."""
        return None if self.refusal is None else sentence(self.refusal)

    @property
    def cautions(self) -> tuple[str, ...]:
        """What the probability does not know, in words."""
        return tuple(map(sentence, self.caveats))


@dataclass(frozen=True)
class Comparison:
    r"""What ``paramfit.compare`` found.

    .. math:: w_i = \frac{e^{-\Delta_i / 2}}{\sum_j e^{-\Delta_j / 2}}, \qquad \Delta_i = c_i - \min_j c_j

    with c the AICc, or the AIC where a fit has no AICc. Log-likelihoods have all their constants, and sigma counts as a
    parameter wherever it is estimated: statsmodels' OLS does not count it, so that its AIC is smaller by 2, and its BIC
    by the logarithm of the number of observations, for every model alike.

    Attributes:
        criterion: ``AICc`` or ``AIC``: what the weights rest on.
        n_observations: that trained.
        rows: one for each run, in the order given.
        tests: one for each pair of runs with unequal numbers of parameters.
        caveats: what to be careful about; in words, ``warnings``.

    References:
        Kenneth Burnham, David Anderson: Model Selection and Multimodel Inference (2002), chapter 2.
    """

    criterion: str
    n_observations: int
    rows: tuple[ComparisonRow, ...]
    tests: tuple[NestedTest, ...] = ()
    caveats: tuple[Fact, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to be careful about, in words."""
        return tuple(map(sentence, self.caveats))

    @property
    def best(self) -> ComparisonRow:
        """The row with the largest weight."""
        return max(self.rows, key=lambda row: row.weight)

    def to_plain(self) -> dict[str, Any]:
        """The same as dictionaries, lists and numbers."""
        return {
            "criterion": self.criterion,
            "n_observations": self.n_observations,
            "rows": [asdict(row) for row in self.rows],
            "tests": [
                {**to_plain(test), "reason": test.reason, "cautions": list(test.cautions)} for test in self.tests
            ],
            "warnings": list(self.warnings),
        }

    def __rich__(self) -> RenderableType:
        """The tables, for rich's ``print``: best fit first."""
        parts: list[RenderableType] = [_table(self), _models(self)]
        if self.tests:
            parts.append(_tests(self))
        cautions = [f"{test.smaller} in {test.larger}: {caution}" for test in self.tests for caution in test.cautions]
        return Group(*parts, *map(warning_line, (*self.warnings, *cautions)))

    def __str__(self) -> str:
        """The tables, for Python's ``print``."""
        return as_text(self, _WIDTH)

    def _repr_html_(self) -> str:
        """The tables, for a notebook."""
        return as_html(self, _WIDTH)


def akaike_weights(criterion: Sequence[float]) -> list[float]:
    """Weights that sum to 1, from each fit's AIC or AICc.

    Example:
        >>> [round(weight, 3) for weight in akaike_weights([100.0, 102.0])]
        [0.731, 0.269]
    """
    least = min(criterion)
    share = [math.exp(-0.5 * (value - least)) for value in criterion]
    return [one / sum(share) for one in share]


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
    rows = table_of_facts()
    for row in comparison.rows:
        rows.add_row(row.run, row.model)
    return rows


def _tests(comparison: Comparison) -> Table:
    question = "Nested models: does the larger one fit better than chance would have it?"
    table = _named_table(question, "smaller in larger")
    for name in ("by", "test"):
        table.add_column(name)
    table.add_column("probability", justify="right", no_wrap=True)
    for test in comparison.tests:
        probability = "" if test.probability is None else f"{test.probability:.3g}"
        table.add_row(f"{test.smaller} in {test.larger}", test.how or "", _statistic(test), probability)
    return table


def _statistic(test: NestedTest) -> str:
    """The statistic, or why there is none."""
    freedom = ", ".join(map(str, test.degrees_of_freedom))
    if test.statistic is None:
        return test.reason or ""
    if test.test == "F":
        return f"F({freedom}) = {test.statistic:.5g}"
    return f"likelihood ratio, chi-square({freedom}) = {test.statistic:.5g}"


def _named_table(title: str, first: str) -> Table:
    """A table whose first column names runs."""
    table = table_of_parameters(title)
    table.columns[0].header = first
    return table
