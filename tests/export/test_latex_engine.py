"""Everything exported as LaTeX, set by pdflatex, and text of users without what pdflatex does not know."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import paramfit
from paramfit.formulas.elementary import FUNCTIONS
from paramfit.results.record import NormalizedInput
from paramfit.shown.escapes import latex_text
from tests.own_module import OwnModule

X = np.linspace(0.3, 2.8, 24)
Y = 2 + 5 * X + np.sin(9 * X)
OF_UNITS = [
    "µm", "μg", "°C", "℃", "Ω", "\u2126", "\u212a", "\u212b", "Å", "m/s²", "kg·m⁻¹·s⁻²", "10⁻³ ½", "⁰⁴⁵⁶⁷⁸⁹⁺ⁿ",
    "₀₁₂₃₄₅₆₇₈₉", "50% of $x_1$ & ~^{2} #", '"x" “y”', "<b> |a| a\\b", "–—… ±1 × ÷ ‰ ′ ″ → €£¥", "Äöß é", "µ\nx",
    "αβγδεϵζηθϑικλμνξοπρςστυφϕχψω", "ΑΒΓΔ∆ΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ", "−≤≥≈≠∞∂∑∏√⋅∙∈∝∼",
]  # fmt: skip
OF_LATEX_ITSELF = {*"°℃½·–—…±×÷‰→€£¥“”µ²", *map(chr, range(0xC0, 0x100))}  # pdflatex sets them as they are


@pytest.mark.parametrize("unit", OF_UNITS)
def test_units_have_only_letters_that_pdflatex_sets(unit):
    assert {letter for letter in latex_text(unit) if not letter.isascii()} <= OF_LATEX_ITSELF


def documents() -> dict[str, str]:
    """What there is to set: the equation where there is one, and the table."""
    results = {}
    for number, unit in enumerate(OF_UNITS):
        parameters = {"b_1_max": {"unit": unit}, "Theta0": {"start": 1, "unit": unit}}
        model = paramfit.FormulaModel("b_1_max * x + Theta0 * exp(-x)", ["x"], parameters)
        results[f"unit {number}"] = paramfit.fit(model, (X, Y))
    for name, function in FUNCTIONS.items():
        inside = ", ".join([*["x / 3" if "acosh" not in name and "arccosh" not in name else "x + 1"], "1"][
            : next(iter(function.nargs))])  # fmt: skip
        model = paramfit.FormulaModel(f"a_b_c1 * {name}({inside})^2 / 3 + lambda", ["x"], {"a_b_c1": 1, "lambda": 0.5})
        results[name] = paramfit.fit(model, (X, Y))
    gauss = {"loc": "a + b*x", "scale": "exp(s)"}
    normal = paramfit.DistributionModel("torch.distributions.Normal", gauss, coefficients={"a": 0, "b": 1, "s": 0})
    results["distribution"] = paramfit.fit(normal, (X, Y))
    results["cubic"] = paramfit.fit(paramfit.PolynomialModel(3), (X, Y))
    line = paramfit.fit(paramfit.LinearModel(), ((X - 1) * 10, Y))
    results["normalised"] = replace(line, normalized_input=NormalizedInput(1.0, 10.0), original_units=None)
    results["stopped"] = replace(results["cubic"], status=paramfit.Status.LIMIT_REACHED)
    texts = {name: result.export("latex") + result.export("latex-table") for name, result in results.items()}
    greek = OwnModule(lambda own, x: own.β_max * x, **{"β_max": 1.0})
    return texts | {"module": paramfit.fit(greek, (X, Y)).export("latex-table")}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_pdflatex_sets_all_of_it():
    head = "\\documentclass{article}\n\\usepackage{amsmath}\n\\begin{document}\n"
    Path("all.tex").write_text(head + "\n\n".join(documents().values()) + "\\end{document}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, [line for line in done.stdout.splitlines() if line.startswith("!")]
    assert "Missing character" not in Path("all.log").read_text(encoding="utf-8", errors="replace")
