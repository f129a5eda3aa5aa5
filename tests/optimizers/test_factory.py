"""Optimizers in place of what makes them."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import LBFGS, SGD, Adam, AdamW

from paramfit import InputError, LinearModel, Regression
from paramfit.optimizers.factory import optimizer_factory


@pytest.mark.parametrize("make", [
    partial(SGD, lr=0.3, momentum=0.5), partial(Adam, lr=0.2, betas=(0.5, 0.9)), partial(AdamW, weight_decay=0.1),
    partial(LBFGS, history_size=3),
], ids=lambda make: make.func.__name__)  # fmt: skip
def test_options_are_kept_and_the_state_is_fresh(make):
    model = LinearModel()
    given = make(model.parameters())

    def closure() -> torch.Tensor:
        given.zero_grad()
        loss = (model(torch.tensor([1.0, 2.0])) - torch.tensor([3.0, 4.0])).square().sum()
        loss.backward()
        return loss

    given.step(closure)
    fresh = Regression(model, optimizer=given).inner_optimizer()
    assert type(fresh) is type(given)
    assert fresh is not given
    assert not fresh.state
    for ours, theirs in zip(fresh.param_groups, given.param_groups, strict=True):
        assert {k: v for k, v in ours.items() if k != "params"} == {k: v for k, v in theirs.items() if k != "params"}


def test_groups_keep_their_own_rates():
    model = LinearModel()
    given = SGD([{"params": [model.weight], "lr": 0.1}, {"params": [model.bias], "lr": 0.7}], momentum=0.5)
    groups = Regression(model, optimizer=given).inner_optimizer().param_groups
    assert [(group["lr"], group["momentum"]) for group in groups] == [(0.1, 0.5), (0.7, 0.5)]
    assert groups[0]["params"] == [model.weight]


def test_optimizer_of_another_model_is_refused():
    with pytest.raises(InputError, match=r"this SGD holds other parameters .*; make it of model.parameters"):
        Regression(LinearModel(), optimizer=SGD(LinearModel().parameters(), lr=0.1))


def test_what_makes_no_optimizer_is_refused():
    with pytest.raises(InputError, match=r"model.optimizer: expected what makes an optimizer, .* but got a str"):
        optimizer_factory("SGD", [nn.Parameter(torch.zeros(()))])


def test_optimizer_without_a_step_is_told_what_to_write():
    class NoStep(torch.optim.Optimizer):
        def __init__(self, params, lr=0.1):
            super().__init__(params, {"lr": lr})

    with pytest.raises(InputError, match=r"model.optimizer: NoStep has no step; write step\(self, closure\)"):
        Regression(LinearModel(), optimizer=NoStep).configure_optimizers()
