"""An abstract method that was not written is named."""

from typing import ClassVar, Literal

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
from paramfit.tasks.updates import PRECISIONS

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


BEFORE = "no class is named; give"


@pytest.mark.parametrize(("given", "line"), [
    (
        ["--model", "ThermometerRegression", "--model.objective.l2", "0.1"],
        f"model.objective: {BEFORE} --model.objective CLASS --model.objective.l2 0.1, where CLASS is one of"
        " AbsoluteError, CauchyError, HuberError, NegativeLogLikelihood, SoftL1Error, SquaredError",
    ),
    (
        ["--model", "LeastSquares", "--model.objective.scale", "2"],
        f"model.objective: {BEFORE} --model.objective CLASS --model.objective.scale 2, where CLASS is one of"
        " CauchyError, HuberError, SoftL1Error",
    ),
    (
        ["--model", "HandWrittenDescent", "--model.gradient.unheard_of", "2"],
        f"model.gradient: {BEFORE} --model.gradient CLASS --model.gradient.unheard_of 2, where CLASS is one of"
        " AnalyticGradient, AutogradGradient, NumericalGradient",
    ),
    (["--data.path", "x.csv"], f"data: {BEFORE} --data TableDataModule --data.path x.csv"),
    (
        ["--data", "ThermometerDataModule", "--data.normalization.scale", "3"],
        f"data.normalization: {BEFORE} --data.normalization FixedScale --data.normalization.scale 3",
    ),
])  # fmt: skip
def test_an_option_without_its_class_says_which_class_to_name(given, line, capsys):
    assert main(["fit", *given]) == 2
    assert capsys.readouterr().err == f"error: {line}\n"


@pytest.mark.parametrize(("kind", "choices"), [
    (Literal["a", "b"], "a, b"),
    (Literal[1, 2] | Literal["b"] | None, "1, 2, b"),
    (int | Literal["auto", "none"], "auto, none"),
])  # fmt: skip
def test_choices_are_told_all_of_them(kind, choices):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--part", type=kind)
    with pytest.raises(Exception, match="part") as refused:
        parser.parse_args(["--part", "c"])
    assert explained(refused.value) == f"part: expected one of {choices}, but got 'c'"


@pytest.mark.parametrize("given", ["17", "half", "[1]"])
def test_precisions_are_those_that_work(given, capsys):
    config = ["--model", "ThermometerRegression", "--data", "ThermometerDataModule", "--trainer.max_epochs", "1"]
    assert main(["fit", *config, "--trainer.precision", given]) == 2
    assert capsys.readouterr().err.startswith("error: trainer.precision: expected one of 32-true, 64-true, but got ")
    for precision in PRECISIONS:
        assert main(["fit", *config, "--trainer.precision", precision]) == 0


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
