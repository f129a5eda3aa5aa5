"""Where the maximum of the likelihood can be written down, and where it is no maximum at all."""

from collections.abc import Callable

import numpy as np
import pytest

from paramfit import DistributionModel, FitResult, InputError, fit
from tests.reference.likelihood.truth import Array, estimates_of

N = 121
TIGHT = 1e-8


def fitted(name: str, sample: Array, *arguments: str) -> FitResult:
    result: FitResult = fit(DistributionModel(f"torch.distributions.{name}", dict.fromkeys(arguments)), (sample,))
    assert result.status == "converged"
    return result


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def by_scale(logs: Array) -> tuple[list[float], list[float]]:
    """Location and scale of normal numbers; that of maximum likelihood is divided by n."""
    scale = logs.std()
    return [logs.mean(), scale], [scale / np.sqrt(N), scale / np.sqrt(2 * N)]


# The arguments that are estimated, a sample, and of the sample the estimates and their errors.
SAMPLES: dict[str, tuple[tuple[str, ...], Array, Callable[[Array], tuple[list[float], list[float]]]]] = {
    "Normal": (("loc", "scale"), rng().normal(5, 3, N), by_scale),
    "LogNormal": (("loc", "scale"), np.exp(rng().normal(-1, 0.4, N)), lambda y: by_scale(np.log(y))),
    "Exponential": (("rate",), rng().exponential(20, N), lambda y: ([1 / y.mean()], [1 / y.mean() / np.sqrt(N)])),
    "Poisson": (("rate",), rng().poisson(2.5, N).astype(float), lambda y: ([y.mean()], [np.sqrt(y.mean() / N)])),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_estimates_and_errors_are_written_down(name):
    arguments, sample, truth = SAMPLES[name]
    values, errors = estimates_of(fitted(name, sample, *arguments))
    assert values == pytest.approx(truth(sample)[0], rel=TIGHT)
    assert errors == pytest.approx(truth(sample)[1], rel=TIGHT)


def test_bernoulli_by_probability_and_by_logit():
    sample = (np.random.default_rng(0).random(N) < 0.2).astype(float)
    share = sample.mean()
    values, errors = estimates_of(fitted("Bernoulli", sample, "probs"))
    assert values == pytest.approx([share], rel=TIGHT)
    assert errors == pytest.approx([np.sqrt(share * (1 - share) / N)], rel=TIGHT)
    values, errors = estimates_of(fitted("Bernoulli", sample, "logits"))
    assert values == pytest.approx([np.log(share / (1 - share))], rel=TIGHT)
    assert errors == pytest.approx([1 / np.sqrt(N * share * (1 - share))], rel=TIGHT)


def test_the_one_line_through_counts_of_two_groups():
    """A saturated Poisson regression: the rates are the groups' own means."""
    random = np.random.default_rng(0)
    group = np.repeat([0.0, 1.0], 40)
    counts = random.poisson(np.where(group > 0, 9.0, 2.0)).astype(float)
    model = DistributionModel("torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, {"a": 0.0, "b": 0.0}, ["x"])
    values, errors = estimates_of(fit(model, (group, counts)))
    first, second = counts[group == 0], counts[group == 1]
    assert values == pytest.approx([np.log(first.mean()), np.log(second.mean() / first.mean())], rel=TIGHT)
    assert errors == pytest.approx([1 / np.sqrt(first.sum()), np.sqrt(1 / first.sum() + 1 / second.sum())], rel=TIGHT)


@pytest.mark.parametrize(("name", "argument", "edge", "other"), [
    ("Uniform", "high", "largest", {"low": {"start": 0.0, "fixed": True}}),
    ("Uniform", "low", "smallest", {"high": {"start": 9.0, "fixed": True}}),
    ("Pareto", "scale", "smallest", {"alpha": None}),
])  # fmt: skip
def test_an_end_of_the_support_is_refused_with_its_reason(name, argument, edge, other):
    with pytest.raises(InputError) as refusal:
        DistributionModel(f"torch.distributions.{name}", {argument: None, **other})
    words = str(refusal.value)
    assert words.startswith(f"parameters.{argument}: the support of {name} ends at it")
    assert f"{argument} = the {edge} observation" in words
    assert "{start: ..., fixed: true}" in words
