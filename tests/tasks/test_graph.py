"""The graph of a task in TensorBoard, or in one line why there is none."""

import warnings
from functools import partial

import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch.optim import SGD

from paramfit import (
    DistributionModel,
    EstimationDataModule,
    FormulaModel,
    GaussianDataModule,
    GaussianLocation,
    LeastSquares,
    MaximumLikelihood,
    Observations,
    Regression,
)


class Counts(EstimationDataModule):
    """Counts over one input."""

    def read(self) -> Observations:
        x = torch.arange(1.0, 9.0, dtype=torch.float64)
        return Observations((x,), x.square().round())


class Sample(EstimationDataModule):
    """Without inputs."""

    def read(self) -> Observations:
        return Observations((), torch.arange(1.0, 9.0, dtype=torch.float64))


def poisson() -> DistributionModel:
    return DistributionModel("torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, {"a": 0, "b": 0})


DISTRIBUTION = "torch cannot trace a model that gives a distribution"
TASKS = {
    "likelihood": (lambda: MaximumLikelihood(poisson()), Counts, DISTRIBUTION),
    "by descent": (lambda: MaximumLikelihood(poisson(), optimizer=partial(SGD, lr=1e-6)), Counts, DISTRIBUTION),
    "location": (GaussianLocation, GaussianDataModule, DISTRIBUTION),
    "constant": (lambda: LeastSquares(FormulaModel("a", [], {"a": 1})), Sample, "the model has no inputs"),
    "curve": (
        lambda: Regression(FormulaModel("a*x", ["x"], {"a": 1}), optimizer=partial(SGD, lr=1e-6)),
        Counts,
        None,
    ),
}


@pytest.mark.parametrize(("task", "data", "why"), TASKS.values(), ids=TASKS)
@pytest.mark.parametrize("log_graph", [True, False])
def test_why_there_is_no_graph_is_one_line(task, data, why, log_graph, make_trainer, tmp_path, capsys):
    logger = TensorBoardLogger(tmp_path, log_graph=log_graph)
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        make_trainer(1, logger=logger).fit(task(), datamodule=data())
    assert not [each for each in raised if "computational graph" in str(each.message)]
    said = [line for line in capsys.readouterr().out.splitlines() if "graph" in line]
    assert said == ([f"log_graph: there is no graph, since {why}"] if why and log_graph else [])
