"""What the observations cannot tell apart, on matrices whose null space is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from paramfit import Fact, FactKind, FormulaModel, fit
from paramfit.linalg.unit_free import (
    InverseInformation,
    ScaledColumns,
    ScaledCurvature,
    column_lengths,
    inverse_information,
)
from paramfit.shown.words import sentence

Array = NDArray[np.float64]

RANDOM = np.random.default_rng(21)
ROWS = RANDOM.normal(size=(30, 4))


def inverse(rows: Array, *names: str) -> InverseInformation:
    return inverse_information(np.linalg.qr(rows, mode="r"), names)


def covariance(actual: InverseInformation) -> Array:
    root = np.asarray(actual.root)
    return root @ root.T


@pytest.mark.parametrize("units", [(1.0, 1.0, 1.0, 1.0), (1e8, 1.0, 1e-9, 3.0)], ids=["alike", "far apart"])
def test_regular_matrix_has_its_inverse_whatever_the_units(units):
    actual = inverse(ROWS * np.array(units), "a", "b", "c", "d")
    expected = np.linalg.inv(ROWS.T @ ROWS) / np.outer(units, units)
    np.testing.assert_allclose(covariance(actual), expected, rtol=1e-10)
    assert actual.undetermined == {}
    assert actual.directions == ()


def test_nearly_equal_columns_are_still_told_apart():
    close = np.column_stack([ROWS[:, 0], ROWS[:, 0] + 1e-9 * ROWS[:, 1], ROWS[:, 2]])
    actual = inverse(close, "a", "b", "c")
    assert actual.directions == ()
    # The variance of the first two is that of the direction 1e-9 * ROWS[:, 1], net of the other columns.
    others = np.column_stack([ROWS[:, 0], ROWS[:, 2]])
    rest = ROWS[:, 1] - others @ np.linalg.lstsq(others, ROWS[:, 1], rcond=None)[0]
    assert covariance(actual)[1, 1] == pytest.approx(1e18 / (rest @ rest), rel=1e-5)


@pytest.mark.parametrize(("sign", "words"), [(1.0, "−1.00000"), (-1.0, "1.00000")], ids=["equal", "opposite"])
@pytest.mark.parametrize("unit", [1.0, 1e7], ids=["same unit", "other unit"])
def test_two_columns_in_one_direction_are_named_and_the_others_keep_their_errors(sign, words, unit):
    rows = np.column_stack([ROWS[:, 0], ROWS[:, 1], sign * unit * ROWS[:, 0], ROWS[:, 2]])
    actual = inverse(rows, "a", "b", "c", "d")
    assert tuple(map(sentence, actual.directions)) == (f"a and c cannot be told apart: correlation {words}",)
    assert set(actual.undetermined) == {0, 2}
    reduced = np.linalg.inv(ROWS[:, :3].T @ ROWS[:, :3])
    expected = np.zeros((4, 4))
    expected[np.ix_([1, 3], [1, 3])] = reduced[1:, 1:]
    np.testing.assert_allclose(covariance(actual), expected, atol=1e-12)


def test_direction_of_three_says_how_to_move_them():
    rows = np.column_stack([ROWS[:, 0], ROWS[:, 1], ROWS[:, 0] + 2 * ROWS[:, 1], ROWS[:, 2]])
    (direction,) = inverse(rows, "a", "b", "c", "d").directions
    words = sentence(direction)
    # 1 * a + 2 * b - 1 * c is the null space, here over its largest part.
    assert words.startswith("a, b and c cannot be told apart: moving them together by ")
    moves = [float(part) for part in words.split(" by ")[1].split(" changes")[0].split()[::2]]
    assert [moves[1] / moves[0], moves[2] / moves[0]] == pytest.approx([2.0, -1.0], rel=1e-2)
    assert max(map(abs, moves)) == pytest.approx(1.0)


def test_two_directions_are_two_sentences():
    rows = np.column_stack([ROWS[:, 0], ROWS[:, 0], ROWS[:, 1], -3 * ROWS[:, 1]])
    actual = inverse(rows, "a", "b", "c", "d")
    assert len(actual.directions) == 2
    assert set(actual.undetermined) == {0, 1, 2, 3}


def test_column_of_zeros_is_named_and_the_others_keep_their_errors():
    rows = np.column_stack([ROWS[:, 0], np.zeros(30), ROWS[:, 1]])
    actual = inverse(rows, "a", "idle", "c")
    assert actual.directions == (Fact(FactKind.IDLE, ("idle",)),)
    assert list(actual.undetermined) == [1]
    expected = np.zeros((3, 3))
    expected[np.ix_([0, 2], [0, 2])] = np.linalg.inv(ROWS[:, :2].T @ ROWS[:, :2])
    np.testing.assert_allclose(covariance(actual), expected, atol=1e-13)


def test_matrix_of_zeros_determines_nothing():
    actual = inverse_information(np.zeros((2, 2)), ("a", "b"))
    assert set(actual.undetermined) == {0, 1}
    assert len(actual.directions) == 2
    assert np.asarray(actual.root).shape == (2, 0)


X = np.linspace(0.1, 3.0, 15)
Y = 2 * X + 1 + 0.1 * np.cos(9 * X)


@pytest.mark.parametrize(("formula", "starts", "involved"), [
    ("a * exp(b) * x + c", {"a": 1, "b": 0.1, "c": 0}, ("a", "b")),
    ("c + a * x + b * x", {"a": None, "b": None, "c": None}, ("a", "b")),
    ("a * b * x + c", {"a": 1, "b": 1, "c": 0}, ("a", "b")),
    ("(a / b) * x + c", {"a": 1, "b": 1, "c": 0}, ("a", "b")),
], ids=["amplitude and exponent", "two slopes", "product", "quotient"])  # fmt: skip
def test_redundant_formula_names_its_parameters_and_keeps_the_error_of_the_other(formula, starts, involved):
    result = fit(FormulaModel(formula, ["x"], starts), (X, Y))
    reduced = fit(FormulaModel("m * x + c", ["x"], {"m": 1, "c": 0}), (X, Y))
    assert any(warning.startswith(f"{' and '.join(involved)} cannot be told apart") for warning in result.warnings)
    assert all(result.parameters[name].standard_error is None for name in involved)
    ours, theirs = result.parameters["c"], reduced.parameters["c"]
    assert ours.estimate == pytest.approx(theirs.estimate, rel=1e-8)
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=1e-6)
    assert ours.interval_95 == pytest.approx(theirs.interval_95, rel=1e-6)
    bands, expected = result.predict([1.5]), reduced.predict([1.5])
    assert bands.prediction.item() == pytest.approx(expected.prediction.item(), rel=1e-8)


def test_statistics_of_a_redundant_formula_are_those_of_the_reduced_one():
    result = fit(FormulaModel("c + a * x + b * x", ["x"], {"a": None, "b": None, "c": None}), (X, Y))
    reduced = fit(FormulaModel("c + a * x", ["x"], {"a": None, "c": None}), (X, Y))
    for name, value in reduced.least_squares.items():
        assert result.least_squares[name] == (value if value is None else pytest.approx(value, rel=1e-9)), name


def test_column_below_what_counts_is_named_and_the_others_keep_their_errors():
    rows = np.column_stack([ROWS[:, 0], 1e-30 * ROWS[:, 2], ROWS[:, 1]])
    factor = np.linalg.qr(rows, mode="r")
    actual = inverse_information(factor, ("a", "faint", "c"), np.array([0.0, 1e-28, 0.0]))
    assert actual.directions == (Fact(FactKind.IDLE, ("faint",)),)
    assert list(actual.undetermined) == [1]
    expected = np.zeros((3, 3))
    expected[np.ix_([0, 2], [0, 2])] = np.linalg.inv(ROWS[:, :2].T @ ROWS[:, :2])
    np.testing.assert_allclose(covariance(actual), expected, atol=1e-13)


UNITS = np.array([1e8, 1.0, 1e-9, 3.0])


def test_column_of_zeros_has_length_one_to_divide_by():
    assert column_lengths(np.array([[3.0, 0.0], [4.0, 0.0]])).tolist() == [5.0, 1.0]


def test_least_squares_step_is_numpys_in_any_units():
    target = RANDOM.normal(size=30)
    expected = np.linalg.lstsq(ROWS, target, rcond=None)[0]
    step, decrease = ScaledColumns.of(ROWS * UNITS).towards(target)
    np.testing.assert_allclose(step * UNITS, expected, rtol=1e-10)
    assert decrease == pytest.approx(target @ target - np.square(target - ROWS @ expected).sum(), rel=1e-10)


def test_weak_directions_have_no_part_in_an_inverse():
    twice = np.column_stack([ROWS[:, 0], ROWS[:, 0]]) * [1.0, 1e6]
    columns = ScaledColumns.of(twice)
    assert columns.strong().tolist() == [True, False]
    # The shortest in units of the columns' lengths: both take half.
    shares = columns.inverse() @ ROWS[:, 0] * [1.0, 1e6]
    np.testing.assert_allclose(shares, [0.5, 0.5], rtol=1e-10)
    np.testing.assert_allclose(
        ScaledColumns.of(ROWS * UNITS).inverse() * UNITS[:, None], np.linalg.pinv(ROWS), rtol=1e-9
    )


def test_newtons_step_goes_downhill_where_the_curvature_is_negative():
    bent = np.diag([4.0, -9.0])
    step, decrease = ScaledCurvature.of(bent).downhill(np.array([2.0, 3.0]))
    np.testing.assert_allclose(step, [-0.5, -1 / 3])
    assert decrease == pytest.approx(2.0**2 / 4 + 3.0**2 / 9)


def test_curvature_in_any_units_has_the_same_inverse_and_root():
    matrix = ROWS.T @ ROWS
    scaled = ScaledCurvature.of(matrix * np.outer(UNITS, UNITS))
    np.testing.assert_allclose(scaled.inverse() * np.outer(UNITS, UNITS), np.linalg.inv(matrix), rtol=1e-9)
    root = scaled.root(scaled.values) / UNITS
    np.testing.assert_allclose(root.T @ root, matrix, rtol=1e-9, atol=1e-9)
    assert scaled.values[-1] == scaled.strongest
