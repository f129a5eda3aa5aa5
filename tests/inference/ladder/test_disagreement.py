"""Where intervals disagree, and by how much."""

import math

import pytest

from paramfit.inference.ladder.disagreement import disagreements
from paramfit.inference.ladder.rungs import Interval, Rung
from paramfit.shown.words import sentence

PLAIN = Rung("observed information", {"a": 1.0}, {"a": (0.0, 4.0)}, "")


def against(name: str, ends: Interval) -> list[str]:
    return list(map(sentence, disagreements([PLAIN, Rung(name, None, {"a": ends}, "")], PLAIN.name)))


@pytest.mark.parametrize("ends", [(0.0, 4.0), (0.99, 4.99), (-0.99, 3.01), (None, 4.5), (None, None)])
def test_up_to_a_quarter_of_the_width_is_agreement(ends):
    assert against("profile likelihood", ends) == []


@pytest.mark.parametrize(
    ("name", "meaning"),
    [("sandwich", "the error model is wrong"), ("bootstrap BCa", "another sample would scatter otherwise")],
)
def test_more_is_told_with_the_number_and_what_it_means(name, meaning):
    (caution,) = against(name, (0.5, 6.0))
    assert caution.startswith(
        f"a: the upper end of its interval is 6.0 by the {name} and 4.0 by the observed information"
    )
    assert "0.50 of that one's width apart" in caution
    assert meaning in caution


def test_end_that_there_is_not_is_told():
    (caution,) = against("profile likelihood", (0.5, math.inf))
    assert caution.startswith("a: by the profile likelihood its interval has no upper end")
