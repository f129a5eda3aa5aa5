"""Everything exported as LaTeX, set by pdflatex, and text of users without what pdflatex does not know."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import paramfit
from paramfit.formulas.elementary import FUNCTIONS
from paramfit.formulas.latex_notation import latex_symbol
from paramfit.results.record import NormalizedInput
from paramfit.shown.escapes import latex_engine, latex_text
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


def named(name: str, unit: str | None = None) -> paramfit.FormulaModel:
    return paramfit.FormulaModel(f"{name} * x + b", ["x"], {name: {"start": 1, "unit": unit}, "b": 1})


@pytest.mark.parametrize("to", ["latex", "latex-table"])
@pytest.mark.parametrize(("name", "unit", "beyond"), [
    ("скорость", None, "корсть"),
    ("v", "м/с", "мс"),
    ("温度", "°C", "度温"),
    ("ą", None, "ą"),
    ("βé", "µm²", None),
])  # fmt: skip
def test_first_line_names_what_sets_letters_that_pdflatex_does_not(name, unit, beyond, to):
    first = paramfit.fit(named(name, unit), (X, Y)).export(to).splitlines()[0]
    if beyond is None:
        assert first.startswith(r"\begin")
    else:
        assert first == f"% for LuaLaTeX or XeLaTeX, with a font that has {beyond}: pdflatex does not set them"


def test_letters_in_comments_need_no_engine_and_few_are_named():
    assert latex_engine(["% warning: время", r"\text{é}"]) == []
    (note,) = latex_engine(["абвгдежзийклмноп"])
    assert "абвгдежзийкл and others" in note


@pytest.mark.parametrize(("name", "symbol"), [
    ("β", r"\beta"), ("b_α", r"b_{\alpha}"), ("é2", r"\text{é}_{2}"), ("µ", r"\text{µ}"), ("Α", r"\text{A}"),
])  # fmt: skip
def test_letters_outside_of_ascii_are_symbols_or_text(name, symbol):
    assert latex_symbol(name) == symbol


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
    for name in ("β", "é_max", "Ωß", "Α"):
        results[name] = paramfit.fit(named(name), (X, Y))
    greek = OwnModule(lambda own, x: own.β_max * x, **{"β_max": 1.0})
    assert not any("LuaLaTeX" in text for text in texts.values())
    letters = "".join(letter for letter in map(chr, range(0xA0, 0x2200)) if letter.isprintable())
    texts["letters"] = latex_text("".join(letter for letter in letters if not latex_engine([latex_text(letter)])))
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
