"""Why a descent diverged, and what would cure it."""

import re

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer

from paramfit import AbsoluteError, GaussianModel, GradientDescent, NegativeLogLikelihood, Observations
from paramfit.inference.descent_stability import cure_of_divergence, stability
from paramfit.inference.loss_function import LossFunction
from paramfit.shown.words import sentence
from tests.inference.cases import thermometer

NOTHING = [nn.Parameter(torch.tensor(0.0))]


def cure(loss: LossFunction, optimizer: Optimizer) -> str:
    return sentence(cure_of_divergence(loss, optimizer))


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+\.?\d*(?:e[+-]?\d+)?", text)]


def test_cure_of_the_diverging_lesson_names_its_numbers():
    text = cure(thermometer(), GradientDescent(NOTHING, lr=1e-2))
    assert re.fullmatch(
        r"learning rate \S+ is \S+ times the largest stable rate \S+; scaling the input by \S+ raises the limit to \S+",
        text,
    )
    assert numbers(text) == [0.01, 29, 3.4e-4, 0.1, 0.033]


def test_promised_scaling_really_makes_the_rate_stable():
    rate = 0.5
    *_, scale, promised = numbers(cure(thermometer(), SGD(NOTHING, lr=rate)))
    limit = stability(thermometer(scale), SGD(NOTHING, lr=rate)).learning_rate_limit
    assert limit > rate
    assert promised == pytest.approx(limit, rel=0.05)


def test_sample_without_inputs_has_nothing_to_scale():
    # The curvature of n summed observations is n: the limit is 2 / 10 000.
    data = Observations((), torch.zeros(10_000, dtype=torch.float64))
    text = cure(LossFunction(GaussianModel(), NegativeLogLikelihood(), data), SGD(NOTHING, lr=1e-3))
    assert numbers(text) == [1e-3, 5, 2e-4, 1e-4]
    assert "scaling" not in text


@pytest.mark.parametrize(("loss", "optimizer", "why"), [
    (thermometer(), Adam(NOTHING, lr=10.0), "no fixed limit holds for Adam"),
    (thermometer(objective=AbsoluteError()), SGD(NOTHING, lr=10.0), "no upward curvature"),
], ids=["Adam", "absolute error"])  # fmt: skip
def test_without_a_limit_the_reason_is_told(loss, optimizer, why):
    text = cure(loss, optimizer)
    assert why in text
    assert "below 10" in text
