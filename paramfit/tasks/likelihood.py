"""Maximum likelihood: any model that returns a distribution."""

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import nn
from torch.optim import Adam

from paramfit.objectives import NegativeLogLikelihood
from paramfit.precision import precision
from paramfit.tasks.automatic import AutomaticTask

__all__ = ["MaximumLikelihood"]


class MaximumLikelihood(AutomaticTask):
    r"""Any model whose forward returns a ``torch.distributions.Distribution``, by any torch optimizer.

    .. math:: \hat\theta = \arg\min_\theta -\sum_i \log p_\theta(y_i \mid x_i)

    Args:
        model: the user's model; ``forward(*inputs)`` takes one tensor ``(n,)`` for each input column and returns a
            distribution of batch shape ``(n,)`` or one that broadcasts to it.
        objective: the negative log-likelihood, summed where it is not given.
        optimizer: a ``torch.optim`` optimizer; Adam with a learning rate of 0.01 where it is not given.
        scheduler: a learning-rate scheduler, stepped once per training step.
        updates_per_step: updates that a training step makes on its batch.
        dtype: precision of parameters and data; ``float64``, since a sum over many observations needs its digits.

    Raises:
        InputError: for a model without trainable parameters or a block without updates.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: NegativeLogLikelihood | None = None,
        optimizer: OptimizerCallable = lambda parameters: Adam(parameters, lr=1e-2),
        scheduler: LRSchedulerCallable | None = None,
        updates_per_step: int = 1,
        dtype: str = "float64",
    ) -> None:
        super().__init__(
            model.to(precision(dtype)), objective or NegativeLogLikelihood(), optimizer, scheduler, updates_per_step
        )
        self.save_hyperparameters("updates_per_step", "dtype", logger=False)
