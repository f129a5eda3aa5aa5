"""The equation in LaTeX, and the table of estimates as CSV, Markdown and LaTeX."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.mathtext import MathTextParser

import paramfit
from paramfit.formulas.compiled_formula import CompiledFormula
from paramfit.formulas.elementary import FUNCTIONS
from paramfit.formulas.latex_notation import LatexNotation
from paramfit.results.record import NormalizedInput
from tests.own_module import OwnModule

X = np.linspace(0.3, 2.8, 24)
Y = 2 + 5 * (1 - np.exp(-0.8 * X)) + 0.1 * np.random.default_rng(0).normal(size=24)
UNIT = "50% of $x_1$ | *mg*/l\\ <b>#1</b> & ~^{2}\n"


@pytest.fixture(scope="module")
def fitted() -> paramfit.FitResult:
    parameters = {"b1": {"unit": UNIT}, "beta_max": {"start": 0.1, "lower": 0}, "c": {"start": 2, "fixed": True}}
    return paramfit.fit(paramfit.FormulaModel("b1 * (1 - exp(-beta_max * x)) + c", ["x"], parameters), (X, Y))


def typeset(mathematics: str) -> None:
    """What is no mathematics is an error."""
    MathTextParser("agg").parse(f"${mathematics}$")


@pytest.mark.parametrize(("text", "latex"), [
    ("b1*(1 - exp(-b2*x))", r"b_{1} \, \left(1 - e^{-b_{2} \, x}\right)"),
    ("x^2 - (x - b1) - 3", r"{x}^{2} - \left(x - b_{1}\right) - 3"),
    ("(-x)^2/3 + x/(b1*x)", r"\frac{1}{3} \, {\left(-x\right)}^{2} + \frac{1}{b_{1}}"),
    ("x^-1 * 2^x", r"{2}^{x} \, {x}^{-1}"),
    ("2*pi*x - e", r"2\pi \, x - e"),
    ("1e-20*x + 2.5e9", r"1 \times 10^{-20} \, x + 2500000000"),
    ("x/3 * 7", None),
    ("exp(x)^b1", r"{\left(e^{x}\right)}^{b_{1}}"),
    ("min(x, b1, 3)", r"\min\left(3, \min\left(x, b_{1}\right)\right)"),
], ids=lambda case: str(case)[:20])  # fmt: skip
def test_formula_in_latex(text, latex):
    shown = CompiledFormula(text, ["x"], ["b1", "b2"]).written(LatexNotation())
    typeset(shown)
    assert latex is None or shown == latex


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_can_be_typeset(name):
    arguments = ", ".join(["x", "1"][: next(iter(FUNCTIONS[name].nargs))])
    typeset(CompiledFormula(f"{name}({arguments})^2 / 3", ["x"], []).written(LatexNotation()))


def test_equation_has_values_with_their_errors(fitted):
    text = fitted.export("latex")
    lines = [line.strip().removesuffix(r" \\") for line in text.splitlines()[1:-1]]
    assert text.splitlines()[0] == r"\begin{align*}"
    assert lines[0] == r"f(x) &= b_{1} \, \left(1 - e^{-\beta_{\mathrm{max}} \, x}\right) + c"
    assert lines[-1] == r"c &= 2\quad \text{(fixed)}"
    for line in lines:
        typeset(re.sub(r"\\text\{.*\}", "", line.replace("&", "")))
    value, error = re.fullmatch(r"\\beta_\{\\mathrm\{max\}\} &= ([\d.]+) \\pm ([\d.]+)", lines[2]).groups()
    estimate = fitted.parameters["beta_max"]
    assert float(value) == pytest.approx(estimate.estimate, abs=estimate.standard_error / 10)
    assert float(error) == pytest.approx(estimate.standard_error, rel=0.05)


def test_text_of_users_is_text_in_latex(fitted):
    escaped = (
        r"50\% of \$x\_1\$ \textbar{} *mg*/l\textbackslash{} \textless{}b\textgreater{}\#1\textless{}/b\textgreater{}"
        r" \& \textasciitilde{}\textasciicircum{}\{2\}\textbackslash{}n"
    )
    assert rf"\text{{{escaped}}}" in fitted.export("latex")
    assert f"& {escaped} &" in fitted.export("latex-table")


def test_equation_is_in_the_units_of_the_data():
    line = paramfit.fit(paramfit.LinearModel(), ((X - 1) * 10, Y))
    raw = paramfit.fit(paramfit.LinearModel(), (X, Y))
    result = replace(line, normalized_input=NormalizedInput(1.0, 10.0), original_units=raw.parameters)
    assert result.export("latex") == raw.export("latex")
    undone = replace(line, normalized_input=NormalizedInput(1.0, 10.0), original_units=None)
    assert r"x &\leftarrow \left(x - 1\right) \cdot 10" in undone.export("latex")
    assert undone.export("csv").splitlines()[1].endswith(",on the normalised input,converged")


def test_equation_of_a_distribution_has_its_arguments():
    gamma = paramfit.DistributionModel(
        "torch.distributions.Gamma", {"concentration": 2.0, "rate": "exp(a)"}, coefficients={"a": 0.1}
    )
    text = paramfit.fit(gamma, (np.random.default_rng(0).gamma(2, 1, 50),)).export("latex")
    assert r"y &\sim \mathrm{Gamma}\left(\mathrm{concentration}, \mathrm{rate}\right)" in text
    assert r"\mathrm{rate} &= e^{a} \\" in text


def test_csv_has_all_digits(fitted):
    rows = list(csv.DictReader(io.StringIO(fitted.export("csv"))))
    assert [row["parameter"] for row in rows] == list(fitted.parameters)
    for row, estimate in zip(rows, fitted.parameters.values(), strict=True):
        assert float(row["estimate"]) == estimate.estimate
        if not estimate.fixed:
            assert float(row["standard_error"]) == estimate.standard_error
            assert (float(row["lower_95"]), float(row["upper_95"])) == estimate.interval_95
    assert rows[0]["unit"] == UNIT.replace("\n", r"\n")
    assert rows[2]["standard_error"] == ""
    assert [row["remark"] for row in rows] == ["", "", "fixed"]


def test_markdown_has_the_cells_of_the_report(fitted):
    header, rule, *rows = fitted.export("markdown").splitlines()[:5]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in (header, rule, *rows)]
    assert {len(row) for row in cells} == {4}
    report = " ".join(fitted.report(300).split())
    for name, value, _, interval in cells[2:]:
        name = name.replace("\\", "")
        assert f"{name} {value}" in report
        assert interval in report
    assert cells[2][2] == r"50% of \$x\_1\$ \| \*mg\*/l\\ \<b\>#1\</b\> \& \~^{2}\\n"


def test_latex_table_has_the_cells_of_the_report(fitted):
    lines = fitted.export("latex-table").splitlines()
    assert lines[0] == r"\begin{tabular}{lrrr}"
    rows = [re.split(r"(?<!\\)&", line.removesuffix(r" \\")) for line in lines if line.endswith(r" \\")]
    assert {len(row) for row in rows} == {4}
    for row in rows[1:]:
        typeset(row[1].strip().strip("$"))
    assert rows[-1][-1].strip() == "fixed"


def test_tables_are_there_for_every_model():
    result = paramfit.fit(OwnModule(lambda own, x: own.k * x, k=1.0), (X, Y))
    for to in ("csv", "markdown", "latex-table"):
        assert "k" in result.export(to)


def test_file_is_written_whole(fitted):
    assert fitted.export("csv", "new/fit.csv") == Path("new/fit.csv")
    assert Path("new/fit.csv").read_text() == fitted.export("csv")
    assert [path.name for path in Path("new").iterdir()] == ["fit.csv"]


def test_no_such_format(fitted):
    with pytest.raises(paramfit.InputError, match=r"to: there is no format 'nummpy'; did you mean 'numpy'\?"):
        fitted.export("nummpy")
