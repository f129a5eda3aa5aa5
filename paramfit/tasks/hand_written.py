"""Gradient descent written out by hand."""

import math
from typing import Any, cast

import torch
from lightning.pytorch import Callback
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable, ReduceLROnPlateau
from torch import Tensor, nn
from torchmetrics import Metric

from paramfit.gradients import GradientRule
from paramfit.instances import check_instance
from paramfit.objectives import NegativeLogLikelihood, Objective, SquaredError
from paramfit.observations import Observations
from paramfit.optimizers import BlockOptimizer, GradientDescent
from paramfit.tasks.base import EstimationTask
from paramfit.tasks.updates import refuse_automatic_options

__all__ = ["HandWrittenDescent"]


class HandWrittenDescent(EstimationTask):
    r"""Descent along a gradient that is computed as the lesson says, under Lightning's manual optimisation.

    .. math:: \theta \leftarrow \theta - \eta\, \frac{dL}{d\theta}

    Args:
        model: any model; the analytic rule needs a ``DistributionModel``, or one with a ``jacobian(*inputs)``.
        gradient: the rule: ``NumericalGradient``, ``AnalyticGradient`` or ``AutogradGradient``.
        objective: the loss; the mean squared error where it is not given. A distribution needs
            ``NegativeLogLikelihood``.
        optimizer: what makes the update; ``GradientDescent`` with a learning rate of 0.01 where it is not given.
        scheduler: a learning-rate scheduler, stepped once per training step.
        updates_per_step: updates that a training step makes on its batch.
        metrics: of torchmetrics, by the names they are to have: of predictions and targets, in report and TensorBoard.

    Raises:
        InputError: for a model without trainable parameters, a block without updates, or (when the fit starts)
            accumulation, gradient clipping or 16-bit precision, which belong to Lightning's own backward pass.
    """

    def __init__(
        self,
        model: nn.Module,
        gradient: GradientRule,
        objective: Objective | None = None,
        optimizer: OptimizerCallable = lambda parameters: GradientDescent(parameters, lr=1e-2),
        scheduler: LRSchedulerCallable | None = None,
        updates_per_step: int = 1,
        metrics: dict[str, Metric] | None = None,
    ) -> None:
        check_instance("gradient", gradient, GradientRule, "AutogradGradient()")
        super().__init__(model, objective or SquaredError(), optimizer, scheduler, updates_per_step, metrics)
        self.automatic_optimization = False
        self.gradient = gradient
        # By value: of a subclass, the command line hands on its own arguments alone.
        self.save_hyperparameters({"updates_per_step": updates_per_step}, logger=False)

    def configure_callbacks(self) -> list[Callback]:
        """Refuse what only Lightning's own backward pass can do: in the hook before Lightning's own, terser, checks.

        Raises:
            InputError: for accumulation, clipping or 16-bit precision, and callbacks that cannot work.
        """
        super().configure_callbacks()
        refuse_automatic_options(
            self.trainer,
            "hand-written gradients know",
            {
                "accumulate_grad_batches": "use a larger --data.batch_size, or a task with automatic optimisation",
                "gradient_clip_val": "use a smaller --model.optimizer.lr, or a task with automatic optimisation",
                "precision": "leave --trainer.precision alone; --model.model.dtype chooses that of the parameters",
            },
        )
        return []

    def training_step(self, observations: Observations) -> None:
        """Make one block of updates on one batch."""
        observations = self.in_precision(observations)
        optimizer = cast("Any", self.optimizers())
        block = cast("BlockOptimizer", optimizer.optimizer)
        parameters = list(zip(self.names, self._trainable, strict=True))
        rule, model, objective = self.gradient, self.model, self.objective  # an nn.Module's attributes are slow to find
        is_likelihood = isinstance(objective, NegativeLogLikelihood)

        def fill_gradients() -> Tensor:
            try:
                loss, gradients = rule(model, objective, observations)
                if is_likelihood and not math.isfinite(loss.item()):
                    self.losses(observations)  # which says what has left its domain
            except ValueError as outside:
                loss = self.infinite_outside_domain(outside).detach()
                gradients = {name: torch.zeros_like(parameter) for name, parameter in parameters}
            for name, parameter in parameters:
                parameter.grad = gradients[name]
            return loss

        loss = block.run(fill_gradients, lambda: optimizer.step(closure=fill_gradients))
        self.log_block()
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, ReduceLROnPlateau):
            monitored = {**self.trainer.callback_metrics, "train/loss": loss}
            if scheduler.monitor in monitored:
                scheduler.step(monitored[scheduler.monitor])
        elif scheduler is not None:
            cast("Any", scheduler).step()
