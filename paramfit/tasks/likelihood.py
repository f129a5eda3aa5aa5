"""Maximum likelihood: any model that returns a distribution."""

from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import nn
from torch.distributions import Distribution
from torchmetrics import Metric

from paramfit.data.base import EstimationDataModule
from paramfit.distributions import check_observations
from paramfit.distributions.domain import unchecked
from paramfit.fits.no_maximum import beyond_doubt
from paramfit.inference.bands import FittedCurve
from paramfit.models import free_arguments
from paramfit.models.base import leave_bounds_to_solver
from paramfit.models.compiled import unwrapped
from paramfit.objectives import NegativeLogLikelihood
from paramfit.observations import Observations
from paramfit.parameters import dtype_named
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.results.summary import summarise
from paramfit.solvers.newton import Newton
from paramfit.solvers.sums import BarrierSums, LikelihoodSums
from paramfit.tasks.automatic import AutomaticTask
from paramfit.tasks.lightning_callbacks import UpdateMethod
from paramfit.tasks.solved import SolvedTask, UnfinishedEpoch

__all__ = ["MaximumLikelihood"]


class MaximumLikelihood(SolvedTask, AutomaticTask):
    r"""Any model whose forward returns a ``torch.distributions.Distribution``, by Newton or any torch optimizer.

    .. math:: \hat\theta = \arg\min_\theta -\sum_i \log p_\theta(y_i \mid x_i)

    With ``Newton``, which is what it takes where no optimizer is given, the fit runs to convergence: each epoch is one
    update, for which its batches are summed up. Any other optimizer descends.

    Args:
        model: ``DistributionModel``, or the user's own; ``forward(*inputs)`` takes one tensor ``(n,)`` for each input
            column and returns a distribution of batch shape ``(n,)`` or one that broadcasts to it.
        objective: the negative log-likelihood, summed where it is not given.
        optimizer: ``Newton``, with its tolerances, or a ``torch.optim`` optimizer.
        scheduler: a learning-rate scheduler, stepped once per training step; Newton has none.
        updates_per_step: updates that a training step makes on its batch; Newton makes one a pass, and takes no more.
        dtype: precision of parameters and data; ``float64``, since a sum over many observations needs its digits.
        metrics: of torchmetrics, by the names they are to have: of predictions and targets, in report and TensorBoard.

    Raises:
        InputError: for a model without trainable parameters or a block without updates; when the fit starts, for an
            observation outside the distribution's support, and with Newton for blocks, jitter, accumulation, clipping
            or 16-bit precision.
    """

    solver = Newton
    who = "Newton's method"

    def __init__(
        self,
        model: nn.Module,
        objective: NegativeLogLikelihood | None = None,
        optimizer: OptimizerCallable = lambda parameters: Newton(parameters),
        scheduler: LRSchedulerCallable | None = None,
        updates_per_step: int = 1,
        dtype: str = "float64",
        metrics: dict[str, Metric] | None = None,
    ) -> None:
        model = unwrapped(model).to(dtype_named(dtype))
        super().__init__(model, objective or NegativeLogLikelihood(), optimizer, scheduler, updates_per_step, metrics)
        # By value: of a subclass, the command line hands on its own arguments alone.
        self.save_hyperparameters({"updates_per_step": updates_per_step, "dtype": dtype}, logger=False)
        if isinstance(self.inner_optimizer(), Newton):
            leave_bounds_to_solver(self.model)
            self.solved_by(UnfinishedEpoch(LikelihoodTerms(self.model, self.objective), (LikelihoodSums, BarrierSums)))

    @property
    def method(self) -> UpdateMethod:
        """By Newton's method, or with another optimizer in descent."""
        return UpdateMethod.NEWTON if self.is_solved else super().method

    def after_step(self, solver: Any, observations: Observations, sums: Any, total: float) -> float:
        """Look with all rows into a search that may have no end, and fill the gradients."""
        every = self.every_row(observations) if solver.reached.is_doubtful else None
        if every is not None and every.n == sums.n:
            terms = LikelihoodTerms(self.model, self.objective)
            solver.go_to(beyond_doubt(solver.reached, solver.solver, terms, every, solver.vector))
            total = solver.reached.loss
        solver.fill_gradients(sums.n if self.objective.reduction == "mean" else 1)
        return total

    def on_fit_start(self) -> None:
        """Refuse data outside the distribution's support, and with Newton jitter."""
        super().on_fit_start()
        data = self.own_data
        if data is not None:
            with torch.no_grad(), unchecked():
                every = self.in_precision(data.every)
                prediction = self.model(*every.inputs)
            if isinstance(prediction, Distribution):
                check_observations(prediction, every, free_arguments(self.model))

    def fitted_curve(self, data: EstimationDataModule) -> FittedCurve | None:
        """The fitted mean with its band, from the training rows of split data; None where there are no errors."""
        # Predictions are made in inference mode, in which nothing can be differentiated, and whose tensors cannot be.
        with torch.inference_mode(False), torch.enable_grad():
            copied = data.train.rows(torch.arange(data.train.n))
            return summarise(self.loss_function(copied), self.inner_optimizer(), data.statistics, None).curve
