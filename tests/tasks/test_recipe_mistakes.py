"""What is forgotten in an objective, a gradient rule or an optimizer of one's own is one line, not a traceback."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from paramfit import GradientRule, HandWrittenDescent, InputError, LinearModel, Objective, Regression
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.tasks import EstimationTask, try_model


class WithoutReturn(Objective):
    def per_observation(self, prediction: Any, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        (prediction - target).abs()  # type: ignore[return]


class InNumpy(Objective):
    def per_observation(self, prediction: Any, target: Tensor, sigma: Tensor | None = None) -> Any:
        return (prediction - target).square().detach().numpy()


class WithoutSuper(Objective):
    def __init__(self) -> None:
        self.weight = 2.0

    def per_observation(self, prediction: Any, target: Tensor, sigma: Tensor | None = None) -> Tensor:
        return self.weight * (prediction - target).square()


class Rule(GradientRule):
    """Gives whatever it was made with."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def __call__(self, *_: Any) -> Any:
        return self.given


class Plain(torch.optim.Optimizer):
    def __init__(self, params: Any) -> None:
        super().__init__(params, {"lr": 1e-5})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # as many tutorials have it
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter -= group["lr"] * parameter.grad


class WithoutLoss(Plain):
    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        with torch.enable_grad():
            closure()
        super().step()


ONE, SLOPE = torch.tensor(1.0), torch.tensor(1.0)
MISTAKES = {
    "no return": (Regression, {"objective": WithoutReturn()}, "WithoutReturn.per_observation returned NoneType"),
    "numpy": (Regression, {"objective": InNumpy()}, "InNumpy.per_observation returned ndarray, not a tensor"),
    "no super": (Regression, {"objective": WithoutSuper()}, r"WithoutSuper.__init__ .* begin it with super"),
    "loss only": (HandWrittenDescent, {"gradient": Rule(ONE)}, "Rule returned no pair of a loss and gradients"),
    "list": (HandWrittenDescent, {"gradient": Rule((ONE, [SLOPE, SLOPE]))}, "returned no pair of a loss"),
    "float": (HandWrittenDescent, {"gradient": Rule((1.0, {}))}, "returned a loss that is no tensor of one number"),
    "missing": (HandWrittenDescent, {"gradient": Rule((ONE, {"weight": SLOPE}))}, "gave no tensor for bias"),
    "shape": (
        HandWrittenDescent,
        {"gradient": Rule((ONE, {"weight": torch.ones(3), "bias": SLOPE}))},
        r"gave \(3,\) for weight, which has \(\)",
    ),
    "no closure": (Regression, {"optimizer": Plain}, r"Plain.step takes no closure; write step\(self, closure\)"),
    "no loss": (Regression, {"optimizer": WithoutLoss}, "WithoutLoss.step returned no loss; end it with return loss"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "options", "words"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_refused_in_one_line(kind, options, words, make_trainer):
    given = {"optimizer": partial(torch.optim.SGD, lr=1e-5), **options}
    task: EstimationTask = kind(LinearModel(), **given)
    data = ThermometerDataModule()
    data.prepare_data()
    data.setup("fit")

    def tried_and_fitted() -> None:
        try_model(task, data.every)
        make_trainer(2).fit(task, datamodule=data)

    with pytest.raises(InputError, match=words) as refusal:
        tried_and_fitted()
    assert "\n" not in str(refusal.value)
