"""Where the maximum of the likelihood can be written down, and where it is no maximum at all."""

import numpy as np
import pytest

from paramfit import DistributionModel, fit
from paramfit.errors import InputError
from paramfit.fits.result import FitResult
from tests.reference.likelihood.truth import Array, estimates_of

N = 121
TIGHT = 1e-8


def fitted(name: str, sample: Array, *arguments: str) -> FitResult:
    result: FitResult = fit(DistributionModel(f"torch.distributions.{name}", dict.fromkeys(arguments)), (sample,))
    assert result.status == "converged"
    return result


def test_normal() -> None:
    sample = np.random.default_rng(0).normal(5, 3, N)
    values, errors = estimates_of(fitted("Normal", sample, "loc", "scale"))
    scale = sample.std()  # of maximum likelihood: divided by n
    assert values == pytest.approx([sample.mean(), scale], rel=TIGHT)
    assert errors == pytest.approx([scale / np.sqrt(N), scale / np.sqrt(2 * N)], rel=TIGHT)


def test_log_normal() -> None:
    logs = np.random.default_rng(0).normal(-1, 0.4, N)
    values, errors = estimates_of(fitted("LogNormal", np.exp(logs), "loc", "scale"))
    assert values == pytest.approx([logs.mean(), logs.std()], rel=TIGHT)
    assert errors == pytest.approx([logs.std() / np.sqrt(N), logs.std() / np.sqrt(2 * N)], rel=TIGHT)


def test_exponential() -> None:
    sample = np.random.default_rng(0).exponential(20, N)
    values, errors = estimates_of(fitted("Exponential", sample, "rate"))
    rate = 1 / sample.mean()
    assert values == pytest.approx([rate], rel=TIGHT)
    assert errors == pytest.approx([rate / np.sqrt(N)], rel=TIGHT)


def test_poisson() -> None:
    sample = np.random.default_rng(0).poisson(2.5, N).astype(float)
    values, errors = estimates_of(fitted("Poisson", sample, "rate"))
    assert values == pytest.approx([sample.mean()], rel=TIGHT)
    assert errors == pytest.approx([np.sqrt(sample.mean() / N)], rel=TIGHT)


def test_bernoulli_by_probability_and_by_logit() -> None:
    sample = (np.random.default_rng(0).random(N) < 0.2).astype(float)
    share = sample.mean()
    values, errors = estimates_of(fitted("Bernoulli", sample, "probs"))
    assert values == pytest.approx([share], rel=TIGHT)
    assert errors == pytest.approx([np.sqrt(share * (1 - share) / N)], rel=TIGHT)
    values, errors = estimates_of(fitted("Bernoulli", sample, "logits"))
    assert values == pytest.approx([np.log(share / (1 - share))], rel=TIGHT)
    assert errors == pytest.approx([1 / np.sqrt(N * share * (1 - share))], rel=TIGHT)


def test_the_one_line_through_counts_of_two_groups() -> None:
    """A saturated Poisson regression: the rates are the groups' own means."""
    random = np.random.default_rng(0)
    group = np.repeat([0.0, 1.0], 40)
    counts = random.poisson(np.where(group > 0, 9.0, 2.0)).astype(float)
    model = DistributionModel("torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, {"a": 0.0, "b": 0.0}, ["x"])
    values, errors = estimates_of(fit(model, (group, counts)))
    first, second = counts[group == 0], counts[group == 1]
    assert values == pytest.approx([np.log(first.mean()), np.log(second.mean() / first.mean())], rel=TIGHT)
    assert errors == pytest.approx([1 / np.sqrt(first.sum()), np.sqrt(1 / first.sum() + 1 / second.sum())], rel=TIGHT)


@pytest.mark.parametrize(
    ("name", "argument", "edge", "other"),
    [
        ("Uniform", "high", "largest", {"low": {"start": 0.0, "fixed": True}}),
        ("Uniform", "low", "smallest", {"high": {"start": 9.0, "fixed": True}}),
        ("Pareto", "scale", "smallest", {"alpha": None}),
    ],
)
def test_an_end_of_the_support_is_refused_with_its_reason(
    name: str, argument: str, edge: str, other: dict[str, object]
) -> None:
    with pytest.raises(InputError) as refusal:
        DistributionModel(f"torch.distributions.{name}", {argument: None, **other})
    told = str(refusal.value)
    assert told.startswith(f"parameters.{argument}: the support of {name} ends at it")
    assert f"{argument} = the {edge} observation" in told
    assert "{start: ..., fixed: true}" in told


def test_a_fixed_uniform_is_no_estimate() -> None:
    """With both ends given nothing is left to estimate, and that is said."""
    ends = {"low": {"start": 0.0, "fixed": True}, "high": {"start": 1.0, "fixed": True}}
    with pytest.raises(InputError, match="no trainable parameter"):
        fit(DistributionModel("torch.distributions.Uniform", ends), (np.array([0.2, 0.7]),))
