"""Options under the names that they have elsewhere."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping

import paramfit
from paramfit.cli import main
from paramfit.cli.front_door import OPTIONS
from paramfit.synonyms import CALLED_ELSEWHERE, nearest_options
from tests.command_line import one_error_line

CLASSES = [getattr(paramfit, name) for name in paramfit.__all__ if inspect.isclass(getattr(paramfit, name))]
TAKERS: list[Callable[..., Any]] = [paramfit.fit, Trainer, EarlyStopping, torch.optim.SGD]
TAKERS += [kind for kind in CLASSES if kind is not paramfit.InputError]
TAKEN = {f"{taker.__module__}.{taker.__qualname__}": list(inspect.signature(taker).parameters) for taker in TAKERS}
TAKEN["command line"] = [option.removeprefix("--") for option in OPTIONS] + ["seed_everything"]


@pytest.mark.parametrize("option", CALLED_ELSEWHERE)
def test_each_name_from_elsewhere_leads_to_the_option_where_there_is_one(option):
    takers = [options for options in TAKEN.values() if option in options]
    assert takers
    for options in takers:
        for name in CALLED_ELSEWHERE[option] - {*options}:
            assert repr(option) in nearest_options(name, options), (name, options)


def test_any_other_name_leads_to_the_nearest():
    assert nearest_options("strt", ["start", "lower"]) == "did you mean 'start'?"
    assert nearest_options("zzz", ["start"], "no") == "no"


TABLE = ["--data", "TableDataModule", "--data.path", "t.csv", "--data.inputs", "[x]", "--data.target", "y"]
LINE = ["--model", "LeastSquares", "--model.model", "LinearModel"]
LIKELIHOOD = ["--model", "MaximumLikelihood", "--model.model", "DistributionModel"]
DESCENT = ["--model", "Regression", "--model.model", "LinearModel", "--model.optimizer", "torch.optim.SGD"]


@pytest.mark.parametrize(("given", "words"), [
    ([*LIKELIHOOD, "--model.model.arguments.loc", "1"], "model.model.arguments: DistributionModel has no such option; did you mean 'parameters'?"),  # noqa: E501
    ([*LINE, "--model.model.intercept", "1"], "model.model.intercept: LinearModel has no such option; did you mean 'bias'?"),  # noqa: E501
    ([*LINE, "--model.loss", "SquaredError"], "model.loss: LeastSquares has no such option; did you mean 'objective'?"),
    ([*LINE, "--data.val_split", "0.1"], "data.val_split: TableDataModule has no such option; did you mean 'validation_fraction'?"),  # noqa: E501
    ([*LINE, "--trainer.epochs", "3"], "trainer.epochs: there is no such option; did you mean 'trainer.max_epochs'?"),
    ([*LINE, "--max_epochs", "3"], "max_epochs: there is no such option; did you mean 'trainer.max_epochs'?"),
    ([*LINE, "--early_stopping.wait", "3"], "early_stopping.wait: there is no such option; did you mean 'early_stopping.patience'?"),  # noqa: E501
    ([*DESCENT, "--model.step_size", "3"], "model.step_size: there is no such option; did you mean 'model.optimizer.lr'?"),  # noqa: E501
    ([*DESCENT, "--model.optimizer.eta0", "3"], "model.optimizer.eta0: there is no such option; did you mean 'model.optimizer.lr'?"),  # noqa: E501
], ids=lambda case: case[-2] if isinstance(case, list) else "")  # fmt: skip
def test_command_line_suggests_by_meaning(given, words, capsys):
    assert main(["fit", *TABLE, *given]) == 2
    assert one_error_line(capsys) == f"error: {words}"


def test_configuration_and_python_suggest_by_meaning(capsys):
    with open("c.yaml", "w", encoding="utf-8") as file:
        file.write("model: {class_path: MaximumLikelihood, init_args: {model: {class_path: DistributionModel,\n"
                   "  init_args: {distribution: torch.distributions.Normal, arguments: {loc: 1}}}}}\n")  # fmt: skip
    assert main(["fit", *TABLE, "--config", "c.yaml"]) == 2
    assert "model.model.arguments: DistributionModel has no such option; did you mean 'parameters'?" in one_error_line(
        capsys
    )
    with pytest.raises(paramfit.InputError, match=r"^y: fit has no such option; did you mean 'target'\?$"):
        paramfit.fit(paramfit.LinearModel(), {"x": [0.0], "y": [1.0]}, y="y")
    with pytest.raises(paramfit.InputError, match=r"^parameters.b: there is no 'min'; did you mean 'lower'\?$"):
        paramfit.FormulaModel("b * x", ["x"], {"b": {"min": 0}})
