"""Underfitting, overfitting, or neither, from scripted curves."""

import pytest

from paramfit.results.verdict import CurvePoint, Verdict, fit_verdict
from paramfit.shown.words import sentence

OVERFITTING = [(0, 10.0, 10.0), (100, 4.0, 5.0), (200, 2.0, 4.0), (300, 1.0, 5.0), (400, 0.5, 7.0)]
STILL_FALLING = [(0, 10.0, 11.0), (100, 8.0, 9.0), (200, 6.0, 7.0), (300, 4.0, 5.0), (400, 2.0, 3.0)]
NEVER_FELL = [(0, 10.0, 11.0), (100, 9.9, 11.0), (200, 9.9, 11.1), (300, 9.9, 11.0)]
SETTLED = [(0, 10.0, 11.0), (100, 3.0, 4.0), (200, 2.01, 3.01), (300, 2.0, 3.0), (400, 2.0, 3.0)]
BARELY_RISEN = [(0, 10.0, 11.0), (100, 3.0, 4.0), (200, 2.01, 3.0), (300, 2.0, 3.05), (400, 2.0, 3.1)]
ONLY_TRAINING_FALLS = [(0, 10.0, 11.0), (100, 6.0, 5.0), (200, 4.0, 4.0), (300, 3.0, 3.99), (400, 2.0, 3.98)]
BOTH_ROSE = [(0, 10.0, 10.0), (100, 2.0, 2.0), (200, 3.0, 3.0), (300, 4.0, 4.0), (400, 5.0, 5.0)]
EARLY_DIP = [(0, 10.0, 3.0), (10, 9.0, 2.0), (20, 8.0, 4.0), (30, 7.0, 5.0)]


@pytest.mark.parametrize(
    ("curve", "verdict", "updates"),
    [
        (OVERFITTING, Verdict.OVERFITTING, (200, 400)), (EARLY_DIP, Verdict.OVERFITTING, (10, 30)),
        (STILL_FALLING, Verdict.UNDERFITTING, (300, 400)), (NEVER_FELL, Verdict.UNDERFITTING, (0, 300)),
        (SETTLED, Verdict.NEITHER, (300, 400)), (BARELY_RISEN, Verdict.NEITHER, (300, 400)),
        (ONLY_TRAINING_FALLS, Verdict.NEITHER, (300, 400)), (BOTH_ROSE, Verdict.NEITHER, (300, 400)),
    ],
    ids=[
        "validation rises while training falls",
        "validation rises from early on",
        "both still fall",
        "training never fell",
        "both settled",
        "a rise of 3 % is none",
        "only training still falls",
        "both rise: no overfitting",
    ],
)  # fmt: skip
def test_verdict_and_the_updates_it_rests_on(curve, verdict, updates):
    judged = fit_verdict([CurvePoint(*point) for point in curve])
    assert judged.verdict is verdict
    assert judged.updates == updates


@pytest.mark.parametrize("points", [0, 1, 3])
def test_too_few_points_cannot_tell(points):
    judged = fit_verdict([CurvePoint(*point) for point in OVERFITTING[:points]])
    assert judged.verdict is None
    assert judged.updates is None
    assert f"validation ran {points} times" in sentence(judged.reason)
