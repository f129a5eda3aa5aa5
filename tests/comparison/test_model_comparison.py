"""Fits of the same data compared, beside statsmodels and closed forms."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.stats
import statsmodels.api as sm
import torch
from torch import nn

from paramfit import FitResult, HuberError, InputError, compare, fit
from paramfit.cli import main
from paramfit.comparison.comparison import NestedTest
from paramfit.facts import Status
from paramfit.models import DistributionModel, FormulaModel, LinearModel, PolynomialModel

RANDOM = np.random.default_rng(3)
X = np.linspace(0.1, 4, 40)
Z = RANDOM.normal(size=40)
Y = 1 + 0.8 * X + 0.1 * X**2 + 0.3 * RANDOM.normal(size=40)
DECAY = 3 * np.exp(-0.9 * X) + 0.2 + 0.1 * RANDOM.normal(size=40)
SIGMA = np.full(40, 0.3)


def formula(text: str, variables: str = "x", **parameters: Any) -> FormulaModel:
    return FormulaModel(text, list(variables), parameters)


def only_test(*runs: FitResult) -> NestedTest:
    (actual,) = compare(runs).tests
    return actual


def ols(*columns: Any) -> Any:
    return sm.OLS(Y, np.column_stack([np.ones(40), *columns])).fit()


def test_f_test_is_that_of_statsmodels():
    statistic, probability, freedom = ols(X, X**2, X**3).compare_f_test(ols(X))
    test = only_test(fit(PolynomialModel(1), (X, Y)), fit(PolynomialModel(3), (X, Y)))
    assert test.test == "F"
    assert test.how == "coefficient_2 = 0, coefficient_3 = 0"
    assert test.statistic == pytest.approx(statistic, rel=1e-8)
    assert test.degrees_of_freedom == (freedom, 36)
    assert test.probability == pytest.approx(probability, rel=1e-8)


def test_models_of_other_columns_of_the_same_rows_are_compared():
    one = fit(formula("a + b*x", a=None, b=None), {"x": X, "z": Z, "y": Y}, target="y")
    both = fit(formula("a + b*x + c*z", "xz", a=None, b=None, c=None), {"x": X, "z": Z, "y": Y}, target="y")
    statistic, probability, _ = ols(X, Z).compare_f_test(ols(X))
    test = only_test(both, one)
    assert (test.smaller, test.larger, test.how) == ("run 2", "run 1", "c = 0")
    assert test.statistic == pytest.approx(statistic, rel=1e-8)
    assert test.probability == pytest.approx(probability, rel=1e-8)


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_criteria_are_those_of_statsmodels_which_does_not_count_sigma(degree):
    theirs = ols(*(X**power for power in range(1, degree + 1)))
    actual = compare([fit(PolynomialModel(degree), (X, Y)), fit(PolynomialModel(4), (X, Y))]).rows[0]
    assert actual.n_parameters == degree + 2
    assert actual.log_likelihood == pytest.approx(theirs.llf, rel=1e-10)
    assert actual.aic == pytest.approx(theirs.aic + 2, rel=1e-10)
    assert actual.bic == pytest.approx(theirs.bic + math.log(40), rel=1e-10)


def test_weights_and_differences_are_those_by_hand():
    comparison = compare([fit(PolynomialModel(degree), (X, Y)) for degree in (1, 2, 3)])
    aicc = [row.aicc for row in comparison.rows if row.aicc is not None]
    share = np.exp(-0.5 * (np.array(aicc) - min(aicc)))
    assert comparison.criterion == "AICc"
    assert [row.weight for row in comparison.rows] == pytest.approx(share / share.sum(), rel=1e-12)
    assert [row.delta_aicc for row in comparison.rows] == pytest.approx(np.array(aicc) - min(aicc), abs=1e-10)
    assert comparison.n_observations == 40
    assert len(comparison.tests) == 3


def test_known_sigma_is_tested_by_the_likelihood_ratio():
    # With known sigma the likelihood ratio is the difference of the chi-squares.
    line, parabola = (fit(PolynomialModel(degree), (X, Y), sigma=SIGMA) for degree in (1, 2))
    test = only_test(line, parabola)
    difference = line.least_squares["chi_square"] - parabola.least_squares["chi_square"]
    assert (test.test, test.degrees_of_freedom) == ("likelihood ratio", (1,))
    assert test.statistic == pytest.approx(difference, rel=1e-9)
    assert test.probability == pytest.approx(scipy.stats.chi2(1).sf(difference), rel=1e-9)


def test_poisson_regressions_are_tested_as_those_of_statsmodels():
    counts = np.random.default_rng(5).poisson(np.exp(0.3 + 0.2 * X)).astype(float)
    glms = [sm.GLM(counts, design, sm.families.Poisson()).fit() for design in (np.ones((40, 1)), sm.add_constant(X))]
    slope = DistributionModel("torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, {"a": 0.0, "b": 0.0})
    comparison = compare(
        [fit(DistributionModel("torch.distributions.Poisson", {"rate": 1.0}), (counts,)), fit(slope, (X, counts))]
    )
    ratio = 2 * (glms[1].llf - glms[0].llf)
    (test,) = comparison.tests
    assert (test.how, test.test, test.degrees_of_freedom) == ("a = log(rate), b = 0", "likelihood ratio", (1,))
    assert test.statistic == pytest.approx(ratio, rel=1e-8)
    assert test.probability == pytest.approx(scipy.stats.chi2(1).sf(ratio), rel=1e-7)
    assert [row.aic for row in comparison.rows] == pytest.approx([glm.aic for glm in glms], rel=1e-10)
    assert [row.bic for row in comparison.rows] == pytest.approx([glm.bic_llf for glm in glms], rel=1e-10)


def test_exponential_is_tested_within_gamma_and_weibull_as_scipy_has_them():
    sample = np.random.default_rng(2).gamma(1.6, 2.0, size=150)
    models = {
        "exponential": DistributionModel("torch.distributions.Exponential", {"rate": 1.0}),
        "gamma": DistributionModel("torch.distributions.Gamma", {"concentration": 1.0, "rate": 1.0}),
        "weibull": DistributionModel("torch.distributions.Weibull", {"scale": 1.0, "concentration": 1.0}),
    }
    comparison = compare({name: fit(model, (sample,)) for name, model in models.items()})
    kinds = (scipy.stats.expon, scipy.stats.gamma, scipy.stats.weibull_min)
    theirs = [kind.logpdf(sample, *kind.fit(sample, floc=0)).sum() for kind in kinds]
    assert [row.log_likelihood for row in comparison.rows] == pytest.approx(theirs, rel=1e-7)
    assert [test.how for test in comparison.tests] == ["concentration = 1", "scale = 1/rate, concentration = 1"]
    ratios = [2 * (other - theirs[0]) for other in theirs[1:]]
    assert [test.statistic for test in comparison.tests] == pytest.approx(ratios, rel=1e-4)


def run_directory(name: str, plain: dict[str, Any]) -> str:
    Path(name).mkdir()
    Path(name, "estimates.json").write_text(json.dumps(plain), encoding="utf-8")
    return name


def decay() -> FitResult:
    return fit(formula("a*exp(-b*x)", a=None, b=1), (X, DECAY))


def test_parameter_at_its_bound_makes_the_probability_conservative():
    test = only_test(decay(), fit(formula("a*exp(-b*x) + c", a=None, b=1, c={"start": 1, "lower": 0}), (X, DECAY)))
    assert test.how == "c = 0"
    assert test.probability is not None
    assert "c of the larger sits at a bound, so that the probability is conservative" in test.cautions[0]


def test_parameter_that_the_smaller_model_leaves_open_is_told():
    test = only_test(
        fit(formula("c", "", c=None), (DECAY,)), fit(formula("a*exp(-b*x) + c", a=None, b=1, c=None), (X, DECAY))
    )
    assert test.how == "a = 0"
    assert "nothing determines b" in test.cautions[0]


def test_another_parametrisation_is_found():
    test = only_test(
        fit(formula("h*exp(-t/tau)", "t", h=None, tau=1), (X, DECAY)),
        fit(formula("a*exp(-b*x) + c", a=None, b=1, c=None), (X, DECAY)),
    )
    assert test.how == "a = h, b = 1/tau, c = 0"
    assert test.cautions == ()


def test_what_algebra_does_not_find_is_found_by_fitting():
    # b = log(2) / halved is none of the simple substitutions.
    test = only_test(
        fit(formula("h*exp(-0.6931471805599453*x/halved)", h=None, halved=1), (X, DECAY)),
        fit(formula("a*exp(-b*x) + c", a=None, b=1, c=None), (X, DECAY)),
    )
    assert (test.how, test.test, test.cautions) == ("found by fitting", "F", ())


def test_module_without_a_formula_is_nested_where_a_fit_says_so():
    class Bent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.b = nn.Parameter(torch.tensor([1.0, 0.5, 0.5]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b[0] + self.b[1] * x + self.b[2] * torch.sin(x)

    test = only_test(fit(LinearModel(), (X, Y)), fit(Bent(), (X, Y)))
    statistic, probability, _ = ols(X, np.sin(X)).compare_f_test(ols(X))
    assert test.how == "found by fitting"
    assert test.statistic == pytest.approx(statistic, rel=1e-6)
    assert test.probability == pytest.approx(probability, rel=1e-6)


@pytest.mark.parametrize(("smaller", "larger"), [
    (formula("a*exp(-b*x)", a=None, b=1), formula("a + b*x + c*x^2", a=None, b=None, c=None)),
    (formula("a*exp(-b*x)", a=None, b=1), PolynomialModel(7)),
    (formula("a*x^2", a=None), formula("a + b*sin(x)", a=None, b=None)),
    (formula("a*exp(-b*x)", a=None, b=1), formula("a*exp(-b*x) + c", a=None, b=1, c={"start": 2, "lower": 0.05})),
], ids=["polynomial", "polynomial that comes close", "unlike", "beyond the bound"])  # fmt: skip
def test_models_that_are_not_nested_are_not_tested(smaller, larger):
    test = only_test(fit(smaller, (X, DECAY)), fit(larger, (X, DECAY)))
    assert (test.test, test.probability, test.reason) == (None, None, "not nested (not found)")


def test_larger_model_that_fits_worse_is_not_at_its_best():
    larger = fit(PolynomialModel(2), (X, Y))
    assert larger.least_squares is not None
    worse = replace(larger.least_squares, residual_sum_of_squares=1e6)
    test = only_test(fit(PolynomialModel(1), (X, Y)), replace(larger, least_squares=worse))
    assert test.probability is None
    assert "fits worse than what it contains" in (test.reason or "")


def test_run_of_the_command_line_is_of_the_same_data_as_a_fit_in_python():
    pd.DataFrame({"x": X, "z": Z, "y": Y}).to_csv("table.csv", index=False)
    options = [
        "--model=LeastSquares", "--model.model=PolynomialModel", "--model.model.degree=2", "--data=TableDataModule",
        "--data.path=table.csv", "--data.inputs=[x]", "--data.target=y", "--data.normalization=Standardize",
        "--trainer.logger=TensorBoardLogger", "--trainer.logger.save_dir=runs", "--trainer.logger.name=parabola",
    ]  # fmt: skip
    assert main(["fit", *options]) in (0, None)
    (run,) = Path("runs", "parabola").iterdir()
    plain = json.loads((run / "estimates.json").read_text())
    line = fit(LinearModel(), pd.read_csv("table.csv"), inputs="x", target="y")
    assert plain["fingerprint"] == line.fingerprint
    comparison = compare({"line": line, "parabola": run})
    statistic, _, _ = ols(X, X**2).compare_f_test(ols(X))
    (test,) = comparison.tests
    assert (test.smaller, test.larger, test.how) == ("line", "parabola", "found by fitting")
    assert test.statistic == pytest.approx(statistic, rel=1e-7)


def test_run_directories_alone_are_enough_for_formulas():
    for name, degree in (("line", 1), ("parabola", 2)):
        Path(name).mkdir()
        Path(name, "estimates.json").write_text(fit(PolynomialModel(degree), (X, Y)).to_json(), encoding="utf-8")
    test = only_test(*map(Path, ("line", "parabola")))  # type: ignore[arg-type]
    assert (test.smaller, test.how) == ("line", "coefficient_2 = 0")


LINE = fit(PolynomialModel(1), (X, Y))
PARABOLA = fit(PolynomialModel(2), (X, Y))
ROBUST = fit(LinearModel(), (X, Y), objective=HuberError(0.1))
REFUSED: dict[str, tuple[Any, str]] = {
    "other target": ([LINE, fit(PolynomialModel(2), (X, DECAY))], "run 1 and run 2 .* targets differ"),
    "other rows": ([LINE, fit(PolynomialModel(2), (X[1:], Y[1:]))], r"40 and 39 rows"),
    "order of rows": ([LINE, fit(PolynomialModel(2), (X[::-1].copy(), Y[::-1].copy()))], "targets differ"),
    "other input": ([LINE, fit(PolynomialModel(2), (X + 1, Y))], "the input x differs"),
    "one with sigma": ([LINE, fit(PolynomialModel(2), (X, Y), sigma=SIGMA)], "one has a sigma, the other none"),
    "other sigma": (
        [fit(PolynomialModel(1), (X, Y), sigma=0.1), fit(PolynomialModel(2), (X, Y), sigma=SIGMA)],
        "their sigmas differ",
    ),
    "robust": ([LINE, ROBUST], "run 2: HuberError is no likelihood"),
    "robust both": ([ROBUST, ROBUST], "run 1: HuberError is no likelihood; fit again with SquaredError"),
    "without likelihood": ([LINE, replace(LINE, least_squares=None)], "run 2: LeastSquares gives no likelihood"),
    "exact": ([LINE, fit(formula("a", "", a=None), (np.ones(5),))], "run 2: its likelihood is not a finite number"),
    "without origin": ([LINE, replace(LINE, made_of=None)], "run 2: it does not say what it was made of"),
    "one run": ([LINE], "at least two, but got 1"),
    "a result": (LINE, "expected a list or a mapping"),
    "text": ("runs", "expected a list or a mapping"),
    "something else": ([LINE, 3], "run 2: expected a FitResult or a run directory, but got int"),
    "no such folder": ([LINE, "nowhere/version_0"], "there is no nowhere/version_0; give the folder version_N"),
}


@pytest.mark.parametrize(("runs", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_compared_is_refused_in_one_line(runs, words):
    with pytest.raises(InputError, match=words) as refusal:
        compare(runs)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["{", "[]", "{}"], ids=["cut off", "a list", "empty"])
def test_file_that_is_no_result_is_refused(text):
    Path("run").mkdir()
    Path("run", "estimates.json").write_text(text)
    with pytest.raises(InputError, match=r"run.*fit again"):
        compare([LINE, "run"])


def test_robust_fit_has_no_criteria_and_its_report_none_of_them():
    assert [ROBUST.least_squares[key] for key in ("log_likelihood", "aic", "aicc", "bic")] == [None] * 4
    report = ROBUST._repr_html_()
    assert "residual std. dev." in report
    assert "AIC" not in report
    assert "None" not in report


DAMAGED: dict[str, tuple[tuple[str | int, ...], Any, str]] = {
    "fingerprint": (("fingerprint",), "abc", "says 'abc' for fingerprint, which cannot be"),
    "number for text": (("fingerprint",), 7, "says 7 for fingerprint"),
    "empty model": (("model",), {}, "has no model.class"),
    "empty objective": (("objective",), {}, "has no objective.class"),
    "empty parameters": (("parameters",), {}, "has original_units that does not go with the rest"),
    "estimate": (("parameters", "coefficient_1", "estimate"), "big", "says 'big' for parameters.coeff"),
    "count": (("n_observations",), 5, "says 5 for n_observations"),
    "variables": (("model", "variables", 0), [], r"says \[\] for model.variables\[0\]"),
    "too many variables": (("model", "variables"), ["x", "z"], "its model has more variables than its data"),
    "formula": (("model", "formula"), "coefficient_0 +", "its model cannot be read .formula: 'coefficient_0 .'"),
    "scaling": (("normalized_input",), {"shift": [0.0, 1.0], "scale": [1.0, 1.0]}, "its normalized_input is not"),
    "criterion": (("least_squares", "aicc"), "abc", "says 'abc' for least_squares.aicc"),
}


@pytest.mark.parametrize(("place", "value", "words"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_file_is_refused_by_its_name_and_what_is_wrong(place, value, words):
    plain = json.loads(PARABOLA.to_json())
    *outer, last = place
    inner = plain
    for key in outer:
        inner = inner[key]
    inner[last] = value
    run = run_directory("run", plain)
    with pytest.raises(InputError, match=f"^run: .*{words}") as refusal:
        compare([LINE, run])
    assert "\n" not in str(refusal.value)


def test_file_whose_formulas_are_not_of_its_distribution_is_refused():
    rate = DistributionModel("torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, {"a": 0.0, "b": 0.0})
    counts = np.arange(40.0) % 5
    plain = json.loads(fit(rate, (X, counts)).to_json())
    plain["model"]["formulas"] = {"loc": "a + b*x"}
    smaller = fit(DistributionModel("torch.distributions.Poisson", {"rate": 1.0}), (counts,))
    with pytest.raises(InputError, match=r"Poisson does not take them \(missing a required argument: 'rate'\)"):
        compare([smaller, run_directory("run", plain)])


def test_argument_without_a_constraint_is_compared():
    # RelaxedBernoulli has none for its temperature; at the logits 0 and the temperature 1 it is uniform.
    sample = np.random.default_rng(4).beta(2, 2, size=40)
    kind, theirs = "torch.distributions.RelaxedBernoulli", {"start": 1.0, "fixed": True}
    constant = DistributionModel(kind, {"temperature": theirs, "logits": 0.1})
    slope = DistributionModel(kind, {"temperature": theirs, "logits": "a + b*x"}, {"a": 0.0, "b": 0.0})
    (test,) = compare([fit(constant, (sample,)), fit(slope, (X, sample))]).tests
    assert (test.how, test.test) == ("a = logits, b = 0", "likelihood ratio")

    def deviance(theta: Any, column: Any) -> float:  # the density by its formula, with the odds l of the logits
        odds = np.exp(theta[0] + column)
        return float(-2 * np.log(odds / (sample + (1 - sample) * odds) ** 2).sum())

    least = scipy.optimize.minimize(lambda theta: deviance(theta, 0.0), [0.0], tol=1e-10).fun
    both = scipy.optimize.minimize(lambda theta: deviance(theta, theta[1] * X), [0.0, 0.0], tol=1e-10).fun
    assert test.statistic == pytest.approx(least - both, abs=1e-6)


def test_penalised_fit_is_refused():
    plain = json.loads(LINE.to_json())
    plain["objective"]["penalised"] = True
    with pytest.raises(InputError, match="penalised: a penalised fit is not at its largest likelihood"):
        compare([LINE, run_directory("penalised", plain)])


def test_few_observations_are_compared_by_aic():
    x, y = X[:5], Y[:5]
    comparison = compare([fit(PolynomialModel(0), (x, y)), fit(PolynomialModel(3), (x, y))])
    assert comparison.criterion == "AIC"
    assert comparison.rows[1].aicc is None
    assert sum(row.weight for row in comparison.rows) == pytest.approx(1)


def test_unfinished_fit_is_warned_of():
    comparison = compare([replace(decay(), status=Status.LIMIT_REACHED), fit(PolynomialModel(2), (X, DECAY))])
    assert comparison.warnings == ("run 1 has not converged (limit reached): its likelihood is not the largest",)
