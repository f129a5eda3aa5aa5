"""Fits at the ends of the numbers: units far from 1, exact data, kinks, singular optima, inputs far from 0."""

import re

import numpy as np
import pytest
import torch

from paramfit import FormulaModel, HuberError, InputError, fit
from paramfit.facts import FactKind

X = np.arange(6.0)
Y = np.array([1.1, 2.8, 5.2, 7.1, 8.7, 11.3])
TENT = np.array([13.047, 14.269, 15.697, 16.59, 19.05, 20.286, 19.019, 18.393, 17.37, 16.262, 15.744, 14.522, 13.618])


def line() -> FormulaModel:
    return FormulaModel("a+b*x", ["x"], {"a": None, "b": None})


def decay(unit: float) -> FormulaModel:
    return FormulaModel("a*exp(-b*x)+c", ["x"], {"a": 3 * unit, "b": 0.5, "c": unit})


# A power of 2 leaves every digit as it is: what is true of a unit of 1 is true of all.
@pytest.mark.parametrize("exponent", [-990, -532, 505])
@pytest.mark.parametrize("how", ["plain", "sigma", "huber", "nonlinear"])
def test_unit_of_the_target_is_the_unit_of_estimates_and_errors(how, exponent):
    def fitted(unit):
        y = Y if how != "nonlinear" else 1 + 3 * np.exp(-0.7 * X) + 0.01 * np.sin(9 * Y)
        options = {"sigma": np.full(6, 0.3 * unit)} if how == "sigma" else {}
        if how == "huber":
            options = {"objective": HuberError(scale=0.2 * unit)}
            return fit(FormulaModel("a+b*x", ["x"], {"a": 0.0, "b": unit}), (X, y * unit), **options)
        return fit(decay(unit) if how == "nonlinear" else line(), (X, y * unit), **options)

    unit = 2.0**exponent
    plain, scaled = fitted(1.0), fitted(unit)
    assert (plain.status, scaled.status) == ("converged", "converged")
    for name, estimate in plain.parameters.items():
        of_parameter = 1.0 if how == "nonlinear" and name == "b" else unit
        assert scaled.parameters[name].estimate == pytest.approx(estimate.estimate * of_parameter, rel=1e-9, abs=0)
        error = estimate.standard_error * of_parameter
        assert scaled.parameters[name].standard_error == pytest.approx(error, rel=1e-7, abs=0)
    assert scaled.least_squares.r_squared == pytest.approx(plain.least_squares.r_squared, rel=1e-12)


@pytest.mark.parametrize(("unit", "said"), [(1e200, "overflows"), (1e-310, "so small")])
def test_target_beyond_what_can_be_squared_is_refused_with_its_size(unit, said):
    with pytest.raises(InputError, match=rf"data\.target: .*{said}.*unit"):
        fit(line(), (X, Y * unit))


@pytest.mark.parametrize("unit", [1.0, 1e-160, 1e150])
@pytest.mark.parametrize("kind", ["line", "decay", "zeros"])
def test_exact_fit_says_so(kind, unit):
    y = {"line": 1 + 2 * X, "decay": 3 * np.exp(-0.7 * X), "zeros": 0 * X}[kind] * unit
    model = line() if kind == "line" else FormulaModel("a*exp(-b*x)", ["x"], {"a": unit, "b": 0.3})
    result = fit(model, (X, y))
    assert (result.status, result.stop_reason.kind) == ("converged", "exact_fit")


@pytest.mark.parametrize(
    ("formula", "parameters"),
    [
        ("y0+k1*min(x-c,0)+k2*max(x-c,0)", {"c": 7.4, "y0": None, "k1": None, "k2": None}),
        ("y0+s*(x-c)-k*abs(x-c)", {"c": 7.4, "y0": None, "s": None, "k": None}),
    ],
)
def test_optimum_at_a_kink_is_one(formula, parameters):
    x = np.arange(1, 14.0)
    result = fit(FormulaModel(formula, ["x"], parameters), (x, TENT))
    assert (result.status, result.stop_reason.kind) == ("converged", "kink_of_loss")
    # With c given the rest is linear: the best of all c, tried one by one.
    design = [np.stack([np.ones(13), np.minimum(x - c, 0), np.maximum(x - c, 0)], 1) for c in np.arange(5.9, 6.1, 1e-3)]
    best = min(float(np.linalg.lstsq(columns, TENT, rcond=None)[1][0]) for columns in design)
    assert result.least_squares.residual_sum_of_squares <= best * (1 + 1e-9)
    assert result.parameters["c"].estimate == pytest.approx(6.0, abs=1e-6)


@pytest.mark.parametrize(
    ("formula", "named"),
    [
        ("a*b*x", {"a", "b"}),
        ("exp(a)*exp(b)*x+c", {"a", "b"}),
        ("log(exp(a))+b**3+c*x", {"a", "b"}),
        ("a**2-c*x", {"a"}),
    ],
)
def test_singular_optimum_is_one_and_names_what_is_undetermined(formula, named):
    names = [name for name in "abc" if name in formula.replace("exp", "").replace("log", "")]
    x = np.linspace(0, 5, 20)
    y = 1 + 2 * x + 0.1 * np.sin(37 * x) if named == {"a", "b"} else -1 - 2 * x
    result = fit(FormulaModel(formula, ["x"], dict.fromkeys(names, 1.0)), (x, y))
    assert result.status == "converged"
    assert {name for name in names if result.parameters[name].standard_error is None} == named
    assert any(all(name in warning for name in named) for warning in result.warnings)


def test_inputs_far_from_zero_say_what_to_subtract_where_rounding_decides():
    result = fit(line(), (1.6e12 + X, 3 + X))
    assert any("rounding decides" in warning and "subtract 1.6e+12 from x" in warning for warning in result.warnings)
    assert not any("rounding" in warning for warning in fit(line(), (X, Y)).warnings)


def test_line_without_a_constant_is_told_to_have_one():
    result = fit(FormulaModel("b*x", ["x"], {"b": None}), (X, 10 - 0.1 * X))
    assert any("add a constant" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("exp(b*t)", "square of its residual overflows.*t reaches 590.*0.002"),
        ("exp(-1e4*b*t)", "no prediction changes"),
    ],
)
def test_start_from_which_nothing_leads_on_says_where_to_start(formula, said):
    with pytest.raises(InputError, match=said):
        fit(FormulaModel(formula, ["t"], {"b": 1.0}), (np.arange(10, 591.0, 10), np.arange(59.0)))


SQUARES = "sqrt((a*x)^2+b^2)"


# Whatever the unit, the fit is that of a unit of 1, or says that numbers inside the formula are too small.
@pytest.mark.parametrize("exponent", [-500, -520, -528, -532, -535, -538, -542, -560])
@pytest.mark.parametrize(
    ("formula", "starts", "of_y", "of_x"),
    [
        (SQUARES, {"a": (0.84, 1), "b": (1.92, 1)}, 1, 0),
        ("sqrt(a*a*x*x+b*b)", {"a": (0.84, 1), "b": (1.92, 1)}, 1, 0),
        ("(a^4*x^4+b^4)^0.25", {"a": (0.84, 0.5), "b": (1.92, 0.5)}, 0.5, 0),
        ("a*x^2/(b^2+x^2)", {"a": (4, 0), "b": (4, 1)}, 0, 1),
        ("sqrt(exp(2*(log(x+1)-a))+exp(2*b))", {"a": (0.3, None), "b": (0.4, None)}, 1, 0),
    ],
)
def test_numbers_inside_a_formula_that_are_too_small_change_no_fit_unless_it_says_so(
    formula, starts, of_y, of_x, exponent
):
    x = np.linspace(0, 10, 15)
    y = (np.hypot(0.7 * x, 1.6) if "/" not in formula else 5 * x**2 / (9 + x**2)) + 0.1 * np.sin(9 * x)

    def fitted(unit):
        given = {
            name: start + (np.log(unit) * (-1 if name == "a" else 1) if power is None else 0)
            if power is None
            else start * unit**power
            for name, (start, power) in starts.items()
        }
        return fit(FormulaModel(formula, ["x"], given), (x * unit**of_x, y * unit**of_y))

    plain, small = fitted(1.0), fitted(2.0**exponent)
    kinds = {fact.kind for fact in (*small.cautions, small.stop_reason)}
    assert plain.status == "converged"
    assert not {FactKind.UNDERFLOW_DECIDES} & {fact.kind for fact in (*plain.cautions, plain.stop_reason)}
    assert "kink_of_loss" not in kinds
    if FactKind.UNDERFLOW_DECIDES in kinds:
        assert exponent < -500
        return
    assert small.status == "converged"
    for name, (_, power) in starts.items():
        one, other = plain.parameters[name], small.parameters[name]
        by, more = (2.0 ** (exponent * power), 0.0) if power is not None else (1.0, exponent * np.log(2))
        expected = one.estimate * by + more * (-1 if name == "a" else 1)
        assert other.estimate == pytest.approx(expected, abs=2e-3 * one.standard_error * by, rel=0)


def test_numbers_that_are_too_small_are_named_with_what_they_change():
    x = np.linspace(0, 10, 15)
    y = (np.hypot(0.7 * x, 1.6) + 0.1 * np.sin(9 * x)) * 1e-161
    result = fit(FormulaModel(SQUARES, ["x"], {"a": 0.84e-161, "b": 1.92e-161}), (x, y))
    assert result.status == "stalled"
    assert re.search(r"a power of b in the formula is as small as \S+, below 2\.2e-308, .*other units", result.reason)
    numbers = result.stop_reason.numbers
    # In whole multiples of the least number b^2 is off by up to half of one.
    b = result.parameters["b"].estimate
    assert numbers["smallest"] == pytest.approx((b / 1e-161) ** 2 * 1e-322, abs=5e-324)
    assert 1e-3 < numbers["part"] < 1


@pytest.mark.parametrize(
    ("formula", "starts", "curve"),
    [
        (
            "a*exp(-((x-m)/s)^2)+c",
            {"a": 2, "m": 3, "s": 0.3, "c": 1},
            lambda x: 3 * np.exp(-(((x - 3) / 0.25) ** 2)) + 1,
        ),
        ("a*exp(-k*x^3)", {"a": 2, "k": 1}, lambda x: 3 * np.exp(-1.2 * x**3)),
        ("a/(1+exp(-k*(x-m)))", {"a": 4, "k": 90, "m": 5.1}, lambda x: 5 / (1 + np.exp(-80 * (x - 5)))),
        ("a*x^n/(1+x^n)", {"a": 4, "n": 200}, lambda x: 5 * x**180 / (1 + x**180)),
    ],
)
def test_small_numbers_that_change_nothing_are_not_told(formula, starts, curve):
    x = np.concatenate(
        [np.linspace(0.01, 10, 41), 0.9 + 0.2 * np.linspace(0, 1, 12), 4.9 + 0.2 * np.linspace(0, 1, 12)]
    )
    with np.errstate(over="ignore"):
        y = curve(x) + 0.01 * np.sin(37 * x)
    result = fit(FormulaModel(formula, ["x"], starts), (x, y))
    assert result.status == "converged"
    assert FactKind.UNDERFLOW_DECIDES not in {fact.kind for fact in result.cautions}


TIMES = np.linspace(1, 11, 12)


# No prediction moves from the first start of each formula; with what the line says in its place every fit converges.
@pytest.mark.parametrize(
    ("formula", "starts", "named", "usable"),
    [
        ("a*exp(b*t)", {"a": 1, "b": -1000}, "b multiplies t", {"b": -1 / 11}),
        ("a*exp(-t/b)", {"a": 1, "b": 1e-3}, "b divides t", {"b": 11}),
        ("a*2^(-3*b*(t-c))", {"a": 1, "b": 1000, "c": 0.5}, "b multiplies t", {"b": 1 / 33}),
        ("a*(1-tanh(b*t))", {"a": 1, "b": 1e6}, "b multiplies t", {"b": 1 / 11}),
    ],
)
def test_start_that_is_told_for_a_large_exponent_helps(formula, starts, named, usable):
    y = 3 * np.exp(-0.3 * TIMES) + 0.01 * np.sin(9 * TIMES)
    ((name, value),) = usable.items()
    with pytest.raises(
        InputError, match=rf"no prediction changes.*{named} in it.*start {name} near {re.escape(f'{value:.1g}')}, "
    ):
        fit(FormulaModel(formula, ["t"], starts), (TIMES, y))
    fixed = {"c": {"start": 0.5, "fixed": True}} if "c" in starts else {}
    assert fit(FormulaModel(formula, ["t"], {**starts, **usable, **fixed}), (TIMES, y)).status == "converged"


@pytest.mark.parametrize(
    ("formula", "starts"),
    [
        ("a*max(t-c,0)^p", {"a": 1, "c": 12, "p": 1}),  # there is no exponential
        ("a*exp(-exp(b-c*t))", {"a": 5, "b": 18, "c": 0.7}),  # c multiplies t, but not in the argument that is large
        ("a*exp(-((t-m)/s)^2)", {"a": 5, "m": 1000, "s": 1}),  # nothing multiplies t
        ("a*exp(b*t-c)", {"a": 5, "b": 0.1, "c": 1e4}),  # not b is what makes it large
        ("a*exp(b*t)", {"a": 5, "b": {"start": -1e3, "fixed": True}}),
        ("a*exp(b*t)", {"a": 5, "b": {"start": -1e3, "upper": -50}}),
    ],
)
def test_cause_of_a_start_that_moves_nothing_is_not_an_exponent_unless_it_is(formula, starts):
    with pytest.raises(InputError) as refused:
        fit(FormulaModel(formula, ["t"], starts), (TIMES, np.sin(TIMES)))
    assert re.search(r"no prediction changes.* t from 1 to 11\), so that .*; give other starts$", str(refused.value))


def test_residual_that_is_too_large_to_square_is_named_with_its_row():
    with pytest.raises(InputError, match=r"square.* \(1e\+160 in row 5, input 5\); give other starts$"):
        fit(FormulaModel("a^2*x+b", ["x"], {"a": 2e159**0.5, "b": None}), (X, Y))


@pytest.mark.parametrize("of_x", [1.0, 1e10])
@pytest.mark.parametrize(
    ("formula", "curve"),
    [("a*x/(k+x)+c", lambda x: 5 * x / (3 + x) + 1), ("a/(1+x/k)+c", lambda x: 5 / (1 + x / 3) + 1)],
)
def test_target_that_can_hardly_be_squared_is_fitted_from_a_start_that_overshoots(formula, curve, of_x):
    def fitted(of_y):
        starts = {"a": 6 * of_y, "k": 3.6 * of_x, "c": 1.2 * of_y}
        y = curve(2 * X) + 0.01 * np.sin(9 * X)
        return fit(FormulaModel(formula, ["x"], starts), (2 * X * of_x, y * of_y))

    plain, huge = fitted(1.0), fitted(1e153)
    assert (plain.status, huge.status) == ("converged", "converged")
    for name, unit in {"a": 1e153, "k": 1.0, "c": 1e153}.items():
        one, other = plain.parameters[name], huge.parameters[name]
        assert other.estimate == pytest.approx(one.estimate * unit, rel=1e-9)
        assert other.standard_error == pytest.approx(one.standard_error * unit, rel=1e-7)


class Line(torch.nn.Module):
    """A line as a module, with a fault."""

    def __init__(self, **faults):
        super().__init__()
        self.a, self.b = (torch.nn.Parameter(torch.tensor(1.0)) for _ in range(2))
        for name, fault in faults.items():
            setattr(self, name, fault)

    def forward(self, x):
        return self.a + self.b * x


@pytest.mark.parametrize(
    "fault",
    [lambda x: None, lambda x: {"a": 1.0}, lambda x: {"a": x[:2], "b": x}],
    ids=["nothing", "one missing", "shorter"],
)
def test_jacobian_of_ones_own_that_breaks_its_contract_is_one_error(fault):
    with pytest.raises(InputError, match=r"Line\.jacobian must return a mapping from each parameter \(a, b\)"):
        fit(Line(jacobian=fault), (X, Y))


def test_outcome_that_is_a_vector_is_not_supported():
    with pytest.raises(InputError, match="vectors are not supported"):
        fit(Line(forward=lambda x: torch.stack([x, x], 1)), (X, Y))
    with pytest.raises(InputError, match="vectors are not supported"):
        fit(Line(), (X, np.stack([Y, Y], 1)))
