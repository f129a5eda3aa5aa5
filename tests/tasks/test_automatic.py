"""Blocks under automatic optimisation: the first update goes through Lightning's hooks, the later ones do not."""

from functools import partial

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.optim import LBFGS, SGD, Adam, Optimizer

from paramfit import FixedScale, SquaredError, ThermometerDataModule, ThermometerRegression
from tests.quiet import QUIET


class CountingTask(ThermometerRegression):
    """Counts the calls of a Lightning hook."""

    hooks = 0

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        del optimizer
        self.hooks += 1


def fitted(task: LightningModule, epochs: int, **options: object) -> LightningModule:
    trainer = Trainer(**QUIET, max_epochs=epochs, **options)  # type: ignore[arg-type]
    trainer.fit(task, datamodule=ThermometerDataModule(normalization=FixedScale(0.1)))
    return task


@pytest.mark.parametrize(
    "optimizer",
    [partial(SGD, lr=1e-2, momentum=0.9), partial(Adam, lr=1e-1), partial(LBFGS, lr=0.1, max_iter=3)],
    ids=["SGD with momentum", "Adam", "LBFGS"],
)
@pytest.mark.parametrize("l2", [0.0, 0.1], ids=["no penalty", "penalty"])
def test_blocks_change_nothing_but_the_number_of_steps(optimizer, l2):
    def task(block: int) -> ThermometerRegression:
        return ThermometerRegression(objective=SquaredError(l2=l2), optimizer=optimizer, updates_per_step=block)

    one_by_one, in_blocks = fitted(task(1), 12), fitted(task(4), 3)
    for a, b in zip(one_by_one.parameters(), in_blocks.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_hooks_of_a_step_are_called_once_for_a_block():
    task = fitted(CountingTask(updates_per_step=10), 3)
    assert (task.hooks, task.updates) == (3, 30)


def test_clipping_reaches_every_update_of_a_block():
    one_by_one = fitted(ThermometerRegression(), 12, gradient_clip_val=1.0)
    in_blocks = fitted(ThermometerRegression(updates_per_step=4), 3, gradient_clip_val=1.0)
    free = fitted(ThermometerRegression(updates_per_step=4), 3)
    for a, b, c in zip(one_by_one.parameters(), in_blocks.parameters(), free.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
