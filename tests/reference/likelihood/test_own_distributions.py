"""A distribution and a model of the user's own, found by class_path, on the command line."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import stats

from paramfit.cli import main
from tests.reference.likelihood.truth import Array, Truth, maximum

# Rayleigh: nothing in torch knows its name, score or moments.
DISTRIBUTION = """
import torch
from torch.distributions import Distribution, constraints


class Rayleigh(Distribution):
    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, scale, validate_args=None):
        self.scale = torch.as_tensor(scale)
        super().__init__(self.scale.shape, validate_args=validate_args)

    def log_prob(self, value):
        return value.log() - 2 * self.scale.log() - 0.5 * (value / self.scale) ** 2
"""

MODULE = """
import torch
from torch import nn
from torch.distributions import Categorical, MixtureSameFamily, Normal


class TwoPeaks(nn.Module):
    def __init__(self, low: float = 0.0, high: float = 1.0) -> None:
        super().__init__()
        self.locations = nn.Parameter(torch.tensor([low, high]))
        self.log_scales = nn.Parameter(torch.zeros(2))
        self.logit = nn.Parameter(torch.tensor(0.0))

    def forward(self) -> MixtureSameFamily:
        logits = torch.stack([self.logit, torch.zeros_like(self.logit)])
        return MixtureSameFamily(Categorical(logits=logits), Normal(self.locations, self.log_scales.exp()))


class Regression(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(2))

    def forward(self, x: torch.Tensor) -> Normal:
        return Normal(self.weights[0] + self.weights[1] * x, 1.0)
"""


def written(name: str) -> dict[str, Any]:
    return json.loads(Path(f"lightning_logs/{name}/version_0/estimates.json").read_text())


def run(name: str, model: dict[str, Any], columns: dict[str, Array]) -> dict[str, Any]:
    """Fit the last column, given the others, by a YAML file and a table."""
    rows = zip(*columns.values(), strict=True)
    Path(f"{name}.csv").write_text(
        ",".join(columns) + "\n" + "".join(",".join(repr(float(value)) for value in row) + "\n" for row in rows)
    )
    *inputs, target = columns
    config = {
        "model": {"class_path": "MaximumLikelihood", "init_args": {"model": model}},
        "data": {
            "class_path": "TableDataModule",
            "init_args": {"path": f"{name}.csv", "inputs": inputs, "target": target},
        },
        "plots": {"enabled": False},
    }
    Path(f"{name}.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", f"{name}.yaml"]) == 0
    return written(name)


def agree(result: dict[str, Any], truth: Truth) -> None:
    assert result["status"] == "converged"
    actual = result["parameters"].values()
    assert [one["estimate"] for one in actual] == pytest.approx(truth.values, rel=1e-6)
    assert [one["standard_error"] for one in actual] == pytest.approx(truth.errors, rel=1e-4)
    assert result["likelihood"]["log_likelihood"] == pytest.approx(truth.log_likelihood, rel=1e-9)


@pytest.fixture(autouse=True)
def own_modules(own_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the console script does: modules of the working directory can be imported."""
    Path("own_distribution.py").write_text(DISTRIBUTION)
    Path("peaks_and_lines.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(own_directory))
    for name in ("own_distribution", "peaks_and_lines"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_a_distribution_of_ones_own():
    sample = np.random.default_rng(5).rayleigh(3.0, 200)
    scale = np.sqrt(np.square(sample).mean() / 2)
    error = scale / np.sqrt(4 * 200)
    log_likelihood = stats.rayleigh.logpdf(sample, scale=scale).sum()
    arguments = {"distribution": "own_distribution.Rayleigh", "parameters": {"scale": 1.0}}
    result = run("waves", {"class_path": "DistributionModel", "init_args": arguments}, {"height": sample})
    agree(result, Truth(np.array([scale]), np.array([error]), log_likelihood))


def test_a_mixture_of_ones_own():
    random = np.random.default_rng(6)
    sample = np.where(random.random(300) < 0.3, random.normal(-2, 0.7, 300), random.normal(2, 1.2, 300))

    def log_likelihood(low: float, high: float, log_low: float, log_high: float, logit: float) -> float:
        share = 1 / (1 + np.exp(-logit))
        density = share * stats.norm.pdf(sample, low, np.exp(log_low))
        density = density + (1 - share) * stats.norm.pdf(sample, high, np.exp(log_high))
        return float(np.log(density).sum())

    truth = maximum(log_likelihood, [-2, 2, -0.3, 0.2, -0.8])
    model = {"class_path": "peaks_and_lines.TwoPeaks", "init_args": {"low": -1.0, "high": 1.0}}
    agree(run("peaks", model, {"energy": sample}), truth)


def test_a_regression_of_ones_own():
    random = np.random.default_rng(7)
    x = random.uniform(0, 5, 60)
    y = random.normal(3 - x, 1.0)
    design = np.column_stack([np.ones(60), x])
    inverse = np.linalg.inv(design.T @ design)
    weights = inverse @ design.T @ y
    truth = Truth(weights, np.sqrt(np.diagonal(inverse)), stats.norm.logpdf(y, design @ weights).sum())
    agree(run("line", {"class_path": "peaks_and_lines.Regression"}, {"x": x, "y": y}), truth)
