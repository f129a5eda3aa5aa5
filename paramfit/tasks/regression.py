"""Regression: any model, fitted to a target."""

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import nn
from torch.optim import SGD

from paramfit.objectives import Objective, SquaredError
from paramfit.tasks.automatic import AutomaticTask

__all__ = ["Regression"]


class Regression(AutomaticTask):
    r"""Any model whose forward returns one prediction for each observation, by any torch optimizer.

    .. math:: \hat\theta = \arg\min_\theta L(f_\theta(x), y)

    Args:
        model: the user's model; ``forward(*inputs)`` takes one tensor ``(n,)`` for each input column and returns
            ``(n,)``.
        objective: the loss; the mean squared error where it is not given.
        optimizer: a ``torch.optim`` optimizer; SGD with a learning rate of 0.01 where it is not given.
        scheduler: a learning-rate scheduler, stepped once per training step.
        updates_per_step: updates that a training step makes on its batch.

    Raises:
        InputError: for a model without trainable parameters or a block without updates.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective | None = None,
        optimizer: OptimizerCallable = lambda parameters: SGD(parameters, lr=1e-2),
        scheduler: LRSchedulerCallable | None = None,
        updates_per_step: int = 1,
    ) -> None:
        super().__init__(model, objective or SquaredError(), optimizer, scheduler, updates_per_step)
        # By value: of a subclass, the command line hands on its own arguments alone.
        self.save_hyperparameters({"updates_per_step": updates_per_step}, logger=False)
