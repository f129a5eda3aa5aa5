"""Value, first and second derivatives where a formula's domain ends or float64 does, against mpmath."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paramfit import FormulaModel, InputError
from paramfit.formulas.elementary import FUNCTIONS

mpmath.mp.dps = 60


def within_reach(name, digits=1000):
    """One of mpmath's functions, which would go on for hours about the exponential of an exponential."""

    def computed_if_near(*values: Any):
        if any(abs(value) > mpmath.mpf(10) ** digits for value in values):
            raise OverflowError
        return getattr(mpmath, name)(*values)

    return computed_if_near


_LOGGAMMA = {"loggamma": lambda u: mpmath.re(mpmath.loggamma(u))}
TRUTH = {
    **{name: within_reach(name) for name in ("exp", "expm1", "sin", "cos", "tan", "sinh", "cosh", "tanh", "erf")},
    **{name: getattr(mpmath, name) for name in ("log", "log1p", "log10", "sqrt", "asin", "acos", "atan", "asinh")},
    **{name: getattr(mpmath, name) for name in ("acosh", "atanh", "atan2")},
    "abs": abs, "log2": lambda u: mpmath.log(u, 2),
    "sigmoid": lambda u: 1 / (1 + mpmath.exp(-u)), "max": max, "min": min,
    "erfc": lambda u: mpmath.erfc(u) if u < 1e100 else mpmath.mpf(0),  # mpmath has no exponent of so many digits
    **_LOGGAMMA,
}  # fmt: skip
SPELLINGS = {"ln", "expit", "gammaln", "lgamma"}
TINY = mpmath.mpf(10) ** -60  # stands for 0 in what has a limit there
EPS = 2.0**-52


def computed(text, point, x=None):
    """Value, gradient and Hessian by the compiled formula, the first derivatives by both of its ways."""
    inputs = () if x is None else (torch.tensor([x], dtype=torch.float64),)
    model = FormulaModel(text, [] if x is None else ["x"], {**point})
    theta = torch.tensor(list(point.values()), dtype=torch.float64)

    def value(vector: torch.Tensor) -> torch.Tensor:
        named = dict(zip(point, vector.unbind(), strict=True))
        return torch.func.functional_call(model, named, inputs).reshape(())

    with torch.no_grad():
        level = model(*inputs).item()
        slopes = [float(torch.as_tensor(column).reshape(-1)[0]) for column in model.jacobian(*inputs).values()]
    hessian = torch.autograd.functional.hessian(value, theta)
    (gradient,) = torch.autograd.grad(value(start := theta.clone().requires_grad_()), start)
    np.testing.assert_array_equal(slopes, gradient.numpy())
    return level, slopes, hessian.numpy()


def true(text, point, x=None, digits=60):
    """The same by mpmath; None where it is not real."""
    names = list(point)

    def function(*values: Any) -> Any:
        return eval(text, {**TRUTH, **dict(zip(names, values, strict=True)), "x": x})

    with mpmath.workdps(digits):
        place = [mpmath.mpf(value) for value in point.values()]
        step = mpmath.mpf(10) ** (-digits // 4)

        def derivative(orders: tuple[int, ...]) -> Any:  # by relative changes: parameters may be tiny or huge
            def changed(*changes: Any) -> Any:
                return function(*(at * (1 + by) for at, by in zip(place, changes, strict=True)))

            slope = mpmath.diff(
                changed, (0,) * len(place) if len(place) > 1 else 0, orders if len(place) > 1 else orders[0], h=step
            )
            return slope / mpmath.fprod(at**order for at, order in zip(place, orders, strict=True))

        unit = np.eye(len(names), dtype=int)
        results = [function(*place), *(derivative(tuple(map(int, row))) for row in unit)]
        results += [derivative(tuple(map(int, one + other))) for one in unit for other in unit]
        return None if any(isinstance(result, mpmath.mpc) for result in results) else [+result for result in results]


def in_float64(value):
    return abs(value) < mpmath.mpf(1e308)


def check(text, point, x=None, *, at=None, must_be_finite=True, digits=60, tolerance=1e-9):
    expected = true(text, point, at if x is None else mpmath.mpf(x) if x else TINY, digits)
    level, slopes, hessian = computed(text, point, x)
    size = max(abs(expected[0]), 1) if expected and in_float64(expected[0]) else 1
    for actual, wanted in zip([level, *slopes, *hessian.reshape(-1)], expected or [], strict=bool(expected)):
        if math.isfinite(actual):
            assert abs(actual - wanted) <= tolerance * (abs(wanted) + size), (
                text,
                point,
                x,
                actual,
                mpmath.nstr(wanted, 8),
            )
        else:
            assert not must_be_finite or not in_float64(wanted), (text, point, x, actual, mpmath.nstr(wanted, 8))


EDGES = [1e-300, -1e-300, 1e-20, -1e-20, 1e-3, -1e-3, 0.5, -0.5, 30.0, -30.0, 800.0, -800.0, 1e20, -1e20, 1e200, -1e200]
# Where a function is real.
DOMAIN = {
    **dict.fromkeys(("log", "log2", "log10", "sqrt", "loggamma"), (0.0, math.inf)), "log1p": (-1.0, math.inf),
    **dict.fromkeys(("asin", "acos", "atanh"), (-1.0, 1.0)), "acosh": (1.0, math.inf),
}  # fmt: skip
UNARY = sorted(name for name in TRUTH if name not in ("max", "min", "atan2"))


def test_every_function_is_here():
    assert {*TRUTH} == {name for name in FUNCTIONS if name not in SPELLINGS and not name.startswith("arc")}


@pytest.mark.slow
@pytest.mark.parametrize("name", UNARY)
def test_function_of_edges(name):
    low, high = DOMAIN.get(name, (-math.inf, math.inf))
    for edge in EDGES:
        if low < edge < high and not (name in ("sin", "cos", "tan") and abs(edge) > 1e20):
            digits = 60 if 1e-100 < abs(edge) < 1e10 else 420
            check(f"{name}(a)", {"a": edge}, digits=digits)


@pytest.mark.parametrize("name", [name for name in UNARY if name not in DOMAIN])
def test_function_at_zero(name):
    level, (slope,), hessian = computed(f"{name}(a)", {"a": 0.0})
    with mpmath.workdps(60):
        expected = [TRUTH[name](mpmath.mpf(0)), *(mpmath.diff(TRUTH[name], 0, k) for k in (1, 2))]
    if name == "abs":
        expected[1:] = [0, 0]  # the middle of the kink
    np.testing.assert_allclose(
        [level, slope, hessian.item()], [float(value) for value in expected], rtol=1e-12, atol=1e-14
    )


# Formulas with a finite limit at x = 0, whose derivatives have one too: text and parameters.
LIMITS = [
    ("(x/c)**b", {"c": 2.0, "b": 0.8}),
    ("(x/c)**b", {"c": 2.0, "b": 1.0}),
    ("(x/c)**b", {"c": 2.0, "b": 2.0}),
    ("a*exp(-(x/c)**b)", {"a": 3.0, "c": 2.0, "b": 0.7}),
    ("1 - exp(-(x/c)**b)", {"c": 2.0, "b": 0.7}),
    ("a + (d-a)/(1 + (x/c)**b)", {"a": 1.0, "d": 4.0, "c": 2.0, "b": 0.8}),
    ("a/(1 + (c/x)**b)", {"a": 1.0, "c": 2.0, "b": 1.5}),
    ("(c/x)**b/(1 + (c/x)**b)", {"c": 2.0, "b": 1.5}),
    ("a*(c/x)**b/(d + (c/x)**b)", {"a": 3.0, "c": 2.0, "b": 1.5, "d": 0.5}),
    ("exp(b*(log(x)-l))", {"b": 1.2, "l": 0.5}),
    ("a/(1 + exp(-b*(log(x)-l)))", {"a": 2.0, "b": 1.2, "l": 0.5}),
    ("a*sigmoid(b*(log(x)-l))", {"a": 2.0, "b": 1.2, "l": 0.5}),
    ("a*exp(-b/x)", {"a": 2.0, "b": 1.2}),
    ("a*tanh(b/x)", {"a": 2.0, "b": 1.2}),
    ("a*atan(b/x)", {"a": 2.0, "b": 1.2}),
    ("a*erf(b/x) + erfc(b/x)", {"a": 2.0, "b": 1.2}),
    ("a*exp(-(b/x)**4) - c*exp(-(b/x)**4)/x", {"a": 2.0, "b": 1.2, "c": 0.3}),
    ("a*(1-exp(-k*x))**m", {"a": 2.0, "k": 1.2, "m": 0.7}),
    ("a*(1-cos(k*x))/x**2", {"a": 2.0, "k": 1.2}),
    ("a*(1-exp(-k*x))/x", {"a": 2.0, "k": 1.2}),
    ("a*sin(k*x)/(k*x)", {"a": 2.0, "k": 1.2}),
    ("a*x*log(b*x)", {"a": 2.0, "b": 1.2}),
    ("1/(1/a + 1/(b*x))", {"a": 2.0, "b": 1.2}),
    ("1/(a + b*log(x)**2)*0 + a/(b + 1/x)", {"a": 2.0, "b": 1.2}),
    ("sqrt((x/c)**b)", {"c": 2.0, "b": 1.6}),
    ("log1p((x/c)**b)", {"c": 2.0, "b": 0.9}),
    ("expm1(a*x**b)", {"a": 2.0, "b": 0.9}),
    ("a*x**b*exp(-x/c)", {"a": 2.0, "b": 0.9, "c": 1.0}),
    ("a**(b/x)", {"a": 0.5, "b": 1.2}),
    ("min(a, b/x)", {"a": 0.5, "b": 1.2}),
    ("a*atan2(b, x)", {"a": 0.5, "b": 1.2}),
    ("exp(-exp(b - c*log(x)))*a", {"a": 2.0, "b": 0.2, "c": 0.5}),
]


@pytest.mark.parametrize(("text", "point"), LIMITS, ids=[text for text, _ in LIMITS])
def test_limit_at_zero(text, point):
    check(text, point, 0.0, digits=260, tolerance=1e-8)


@pytest.mark.parametrize("text", ["({})/exp(-(a/x)**4)", "atan(({})/({})**2)", "max({}, 1/({}))"])
def test_difference_of_what_is_below_all_numbers_is_not_of_a_sign_by_chance(text):
    difference = "exp(-(a/x)**4) - 2*exp(-(a/x)**4)*b"
    check(text.replace("{}", difference), {"a": 1.2, "b": 1.3}, 0.0, must_be_finite=False, digits=260)


# Formulas whose parts overflow: text, parameters and x.
OVERFLOWS = [
    ("1/(1 + exp(-u))", {"u": -800.0}),
    ("exp(u)/(1 + exp(u))", {"u": 800.0}),
    ("exp(u)/(1 + exp(u))**2", {"u": 800.0}),
    ("exp(a)/exp(b)", {"a": 1000.0, "b": 999.5}),
    ("exp(-a)*exp(b)", {"a": 1000.0, "b": 999.5}),
    ("log(exp(a) + exp(b))", {"a": 1000.0, "b": 999.5}),
    ("log(exp(-a) + exp(-b))", {"a": 1000.0, "b": 999.5}),
    ("exp(a)/(exp(a) + exp(b) + 1)", {"a": 800.0, "b": 799.0}),
    ("sinh(a)/cosh(a)", {"a": 900.0}),
    ("a**b/(1 + a**b)", {"a": 1e10, "b": 40.0}),
    ("1/(1 + (a/1e-9)**b)", {"a": 3.0, "b": 60.0}),
    ("sqrt(a**2 + b**2)", {"a": 1e200, "b": 2e200}),
    ("a/sqrt(a**2 + b**2)", {"a": 1e200, "b": 2e200}),
    ("a*exp(-b)*exp(c)", {"a": 2.0, "b": 800.0, "c": 801.0}),
    ("(exp(a) - exp(-a))/(exp(a) + exp(-a))", {"a": 800.0}),
    ("erfc(a)/exp(-a**2)", {"a": 30.0}),
    ("loggamma(a) - loggamma(a + b)", {"a": 1e-310, "b": 1.5}),
    ("log(erfc(a))", {"a": 40.0}),
    ("log(1 - sigmoid(a))", {"a": -800.0}),
    ("log(sigmoid(a))", {"a": -800.0}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("text", "point"), OVERFLOWS, ids=[text for text, _ in OVERFLOWS])
def test_parts_beyond_float64(text, point):
    check(text, point, digits=800)


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("(x/c)**b", {"c": 2.0, "b": -0.5}), ("(x/c)**b", {"c": 2.0, "b": 0.0}), ("a*log(x)", {"a": 1.0}),
        ("log(a*x)", {"a": 1.0}), ("b/x", {"b": 1.0}), ("a*x**b*x**-2", {"a": 1.0, "b": 1.5}),
        ("exp(a/x)", {"a": 1.0}), ("a*sin(1/x)", {"a": 1.0}), ("sqrt(a*x - x)/x", {"a": 2.0}),
    ],
)  # fmt: skip
def test_what_has_no_finite_limit_is_not_finite(text, point):
    level, slopes, _ = computed(text, point, 0.0)
    assert not all(map(math.isfinite, (level, *slopes)))


ATOMS = ["a", "b", "x", "a*x", "x/b", "b/x", "(a - b)", "1", "2"]
SHAPES = [
    "exp({0})", "exp(-{0})", "log({0})", "1/(1 + {0})", "({0})/(1 + {0})", "({0})**b", "({0})**2", "sqrt({0})",
    "({0}) + ({1})", "({0}) - ({1})", "({0})*({1})", "({0})/({1})", "tanh({0})", "sigmoid({0})", "log1p({0})",
    "expm1({0})", "atan({0})", "erf({0})", "cosh({0})", "sin({0})", "asinh({0})",
]  # fmt: skip


def larger(inner):
    return st.builds(str.format, st.sampled_from(SHAPES), inner, inner)


@pytest.mark.parametrize(
    ("text", "x", "level", "slope"),
    [
        ("log(exp(a*x))", 1e20, 1.3e20, math.nan),  # the slope is exp/exp, of which no digit is known
        ("1/(1 + exp(a*x))", 1e20, 0.0, 0.0),
        ("tanh(a*x)", 1e20, 1.0, 0.0),
        ("exp(a*x)/(exp(a*x) + exp(-a*x))", 1e20, math.nan, math.nan),
        ("exp(exp(a*x))/(1 + exp(exp(a*x)))", 1e20, math.nan, math.nan),
    ],
)
def test_an_exponential_without_digits_is_refused_where_they_matter(text, x, level, slope):
    actual, (derivative,), _ = computed(text, {"a": 1.3}, x)
    np.testing.assert_allclose([actual, derivative], [level, slope], rtol=1e-9)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    tree=st.recursive(st.sampled_from(ATOMS), larger, max_leaves=5),
    x=st.sampled_from([0.0, 1e-200, 1e-20, 1e20, 1e200, 3.0]),
    b=st.sampled_from([0.7, 1.0, 2.5]),
)
def test_what_is_finite_is_right(tree, x, b):
    text = f"({tree}) + 0.5*a*b"
    point = {"a": 1.3, "b": b}
    try:
        with mpmath.workdps(500):
            at = mpmath.mpf(x) if x else TINY
            expected = true(text, point, at, 500)
            nearer = expected if x else true(text, point, TINY**2, 500)
    except (ZeroDivisionError, ValueError, OverflowError, TypeError, mpmath.libmp.NoConvergence, MemoryError):
        return
    changes = [abs(one - other) / max(1, abs(one)) for one, other in zip(expected or [], nearer or [], strict=False)]
    if max(changes, default=0) > 1e-9:
        return  # it has not come to a limit yet, as the logarithm of a logarithm
    if expected is None or "x" not in tree or abs(expected[0]) > 1e200:  # derivatives lose their digits beside it
        return
    if x:
        with mpmath.workdps(500):
            beside = eval(
                text, {**TRUTH, **{name: mpmath.mpf(at) for name, at in point.items()}, "x": mpmath.mpf(x) * (1 + EPS)}
            )
        if abs(beside - expected[0]) > 1e-7 * max(abs(expected[0]), 1):
            return  # in the sine of a huge number rounding decides
    try:
        check(text, point, x, must_be_finite=False, digits=500, tolerance=1e-6)
    except InputError:
        return


NESTED = {
    "forward over forward": lambda value: torch.func.jacfwd(torch.func.jacfwd(value)),
    "forward over reverse": torch.func.hessian,
    "reverse over forward": lambda value: torch.func.jacrev(torch.func.jacfwd(value)),
    "over rows": lambda value: lambda theta: torch.func.vmap(NESTED["forward over forward"](value))(theta[None])[0],
}


@pytest.mark.parametrize("derivative", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize("x", [0.0, 1.5])
def test_second_derivatives_are_right_by_every_nest_of_transforms(derivative, x):
    """Of a x^b: 0, x^b log x and a x^b log(x)^2; the limits for x = 0 are 0."""
    model = FormulaModel("a*x^b", ["x"], {"a": 2.0, "b": 1.3})
    column = torch.tensor([x], dtype=torch.float64)

    def value(theta: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(model, dict(zip("ab", theta.unbind(), strict=True)), (column,)).sum()

    log = math.log(x) if x else 0.0
    expected = np.array([[0, log], [log, 2 * log**2]]) * x**1.3
    np.testing.assert_allclose(
        derivative(value)(torch.tensor([2.0, 1.3], dtype=torch.float64)), expected, rtol=1e-14, atol=0
    )


def test_third_derivatives_in_forward_mode_are_refused():
    model = FormulaModel("a*exp(-a*x)", ["x"], {"a": 2.0})
    column = torch.tensor([0.5], dtype=torch.float64)

    def value(a: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(model, {"a": a}, (column,)).sum()

    for _ in range(3):
        value = torch.func.jacfwd(value)
    with pytest.raises(NotImplementedError, match="jvp"):
        value(torch.tensor(2.0, dtype=torch.float64))
