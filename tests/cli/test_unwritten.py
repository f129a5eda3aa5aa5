"""An abstract method that was not written is named."""

from typing import ClassVar

import pytest
import torch
from jsonargparse import ArgumentParser
from torch.distributions import Distribution, constraints

from paramfit import DistributionModel, EstimationDataModule, GradientRule, MaximumLikelihood, Objective, Observations
from paramfit.cli import main
from paramfit.cli.error_line import explained
from paramfit.errors import InputError
from paramfit.objectives import RobustError
from paramfit.tasks import try_model

REMEDY = "write what is missing, or give a class that has it"


class NoLoss(Objective):
    """Without ``per_observation``."""


class NoRho(RobustError):
    """Without ``rho``."""


class NoGradient(GradientRule):
    """Without ``__call__``."""


class NoRows(EstimationDataModule):
    """Without ``read``."""


class NoDensity(Distribution):
    """Without ``log_prob``."""

    arg_constraints: ClassVar = {"rate": constraints.positive}
    support = constraints.positive

    def __init__(self, rate: torch.Tensor, validate_args: bool | None = None) -> None:
        self.rate = rate
        super().__init__(rate.shape, validate_args=validate_args)


@pytest.mark.parametrize(("base", "unwritten", "method"), [
    (Objective, Objective, "per_observation"),  # by its short name
    (Objective, NoLoss, "per_observation"),
    (Objective, NoRho, "rho"),
    (GradientRule, NoGradient, "__call__"),
])  # fmt: skip
def test_the_line_names_what_a_class_has_not(base, unwritten, method):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--part", type=base)
    path = unwritten.__name__ if unwritten is base else f"{__name__}.{unwritten.__name__}"
    with pytest.raises(Exception, match="is abstract") as refused:
        parser.parse_args(["--part", path])
    assert explained(refused.value) == f"part: {path} is an abstract class without {method}; {REMEDY}"


def test_the_command_line_ends_with_that_line_alone(capsys):
    path = f"{NoRows.__module__}.NoRows"
    assert main(["fit", "--model", "Regression", "--model.model", "LinearModel", "--data", path]) == 2
    assert capsys.readouterr().err == f"error: data: {path} is an abstract class without read; {REMEDY}\n"


def test_a_module_that_imports_what_is_missing_is_not_told_to_be_missing_itself(own_directory, monkeypatch):
    monkeypatch.syspath_prepend(own_directory)
    (own_directory / "importing.py").write_text("import nowhere_at_all\n", encoding="utf-8")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--part", type=Objective)
    with pytest.raises(Exception, match="nowhere_at_all") as refused:
        parser.parse_args(["--part", "importing.Loss"])
    said = "part: importing.Loss cannot be imported: No module named 'nowhere_at_all'"
    assert explained(refused.value) == f"{said} ({own_directory / 'importing.py'}:1)"


def test_a_distribution_without_a_density_is_told_so():
    task = MaximumLikelihood(DistributionModel(f"{__name__}.NoDensity", {"rate": 1.0}))
    with pytest.raises(InputError, match="log_prob is not written"):
        try_model(task, Observations((), torch.ones(3, dtype=torch.float64)))
