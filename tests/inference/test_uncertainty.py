"""What is said of parameters that the observations do not determine."""

import pytest

from paramfit.inference.uncertainty import weak_direction_in_words
from paramfit.linalg.unit_free import WeakDirection

NAMES = ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("places", "shares", "words"),
    [
        ((1,), (1.0,), "b does not change the prediction at the estimate"),
        ((0, 2), (3.0, 1e-9), "a and c cannot be told apart: correlation 1.00000"),
        ((0, 2), (3.0, -1e-9), "a and c cannot be told apart: correlation −1.00000"),
        (
            (0, 1, 3),
            (1.0, -4.0, 0.5),
            "a, b and d cannot be told apart: moving them together by +0.25 a -1 b +0.125 d changes no prediction",
        ),
    ],
    ids=["alone", "two", "two against each other", "three"],
)
def test_a_weak_direction_names_its_parameters(places: tuple[int, ...], shares: tuple[float, ...], words: str) -> None:
    assert weak_direction_in_words(WeakDirection(places, shares), NAMES) == words


def test_what_a_parameter_does_not_do_is_said_of_one_alone() -> None:
    alone = weak_direction_in_words(WeakDirection((3,), (1.0,)), NAMES, "bend the likelihood")
    assert alone == "d does not bend the likelihood at the estimate"
