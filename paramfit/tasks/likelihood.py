"""Maximum likelihood: any model that returns a distribution."""

from typing import Any, cast

import torch
from lightning.pytorch import Callback
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.distributions import Distribution

from paramfit.data.base import EstimationDataModule
from paramfit.distributions import check_observations
from paramfit.errors import InputError
from paramfit.fits.ending import how_it_ended
from paramfit.inference.bands import FittedCurve
from paramfit.models import free_arguments
from paramfit.objectives import NegativeLogLikelihood
from paramfit.observations import Observations
from paramfit.passes.likelihood_terms import LikelihoodTerms
from paramfit.precision import dtype_named
from paramfit.results.summary import summarise
from paramfit.solvers.newton import Newton
from paramfit.solvers.sums import LikelihoodSums
from paramfit.tasks.automatic import AutomaticTask
from paramfit.tasks.solved import UnfinishedEpoch, data_of_task, refuse_other_rows, refuse_what_solvers_do_not_know

__all__ = ["MaximumLikelihood"]

_WHO = "Newton's method"


class MaximumLikelihood(AutomaticTask):
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

    Raises:
        InputError: for a model without trainable parameters or a block without updates; when the fit starts, for an
            observation outside the distribution's support, and with Newton for blocks, jitter, accumulation, clipping
            or 16-bit precision.
    """

    solver = Newton

    def __init__(
        self,
        model: nn.Module,
        objective: NegativeLogLikelihood | None = None,
        optimizer: OptimizerCallable = lambda parameters: Newton(parameters),
        scheduler: LRSchedulerCallable | None = None,
        updates_per_step: int = 1,
        dtype: str = "float64",
    ) -> None:
        super().__init__(
            model.to(dtype_named(dtype)), objective or NegativeLogLikelihood(), optimizer, scheduler, updates_per_step
        )
        self.save_hyperparameters("updates_per_step", "dtype", logger=False)
        self._epoch: UnfinishedEpoch[LikelihoodSums] | None = None
        if isinstance(self.inner_optimizer(), Newton):
            self.automatic_optimization = False
            self.is_solved = True
            self.terms = LikelihoodTerms(self.model, self.objective)
            self._epoch = UnfinishedEpoch(self.terms, (LikelihoodSums,))

    def configure_callbacks(self) -> list[Callback]:
        """Refuse what Newton's method has no use for: in the hook before Lightning's own, terser, checks.

        Raises:
            InputError: for accumulation, clipping, 16-bit precision or blocks.
        """
        if self.is_solved:
            refuse_what_solvers_do_not_know(self, _WHO)
            if self.updates_per_step > 1:
                msg = (
                    f"model.updates_per_step: {_WHO} makes one update of each pass over the data, not"
                    f" {self.updates_per_step}; leave it out, or give a torch optimizer"
                )
                raise InputError(msg)
        return []

    def on_fit_start(self) -> None:
        """Refuse data that the distribution or the solver cannot use.

        Raises:
            InputError: for an observation outside the support; with Newton for jitter.
        """
        super().on_fit_start()
        data = data_of_task(self)
        if data is not None:
            with torch.no_grad():
                every = self.in_precision(data.every)
                prediction = self.model(*every.inputs)
            if isinstance(prediction, Distribution):
                check_observations(prediction, every, free_arguments(self.model))
        if self._epoch is not None:
            self._epoch.begin()
            refuse_other_rows(self, _WHO)

    def training_step(self, observations: Observations, batch_idx: int) -> Tensor | None:  # type: ignore[override]
        """The loss of one batch; with Newton, sum it up, and with the last batch of the epoch make the update."""
        if self._epoch is None:
            return super().training_step(observations, batch_idx)
        optimizer = cast("Any", self.optimizers())
        solver = cast("Newton", optimizer.optimizer)
        if not solver.is_done():
            is_last = self.trainer.is_last_batch
            with torch.no_grad(), solver.at_trial() as state:
                sums = self._epoch.with_batch(self.in_precision(observations), state, is_last=is_last)
            if not is_last:
                return None
            total = optimizer.step(sums=sums)  # Lightning's, which counts it
            solver.fill_gradients(sums.n if self.objective.reduction == "mean" else 1)
            self.log_of_updates.after_update(self.objective.finish(torch.tensor(total, dtype=torch.float64), sums.n))
        if solver.is_done():
            self.request_stop(how_it_ended(solver.reached, self.model, self.updates))
        return None

    def fitted_curve(self, data: EstimationDataModule) -> FittedCurve | None:
        """The mean of the fitted distribution with its band, from the training rows; None where there are no errors.

        Args:
            data: read, and with its split.
        """
        # Predictions are made in inference mode, in which nothing can be differentiated, and whose tensors cannot be.
        with torch.inference_mode(False), torch.enable_grad():
            copied = data.train.rows(torch.arange(data.train.n))
            return summarise(self.loss_function(copied), self.inner_optimizer(), data.statistics, None).curve

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what is summed up of an unfinished epoch."""
        super().on_save_checkpoint(checkpoint)
        if self._epoch is not None:
            checkpoint["paramfit"]["sums"] = self._epoch.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the unfinished epoch.

        Raises:
            InputError: if the checkpoint is not of this task.
        """
        super().on_load_checkpoint(checkpoint)
        if self._epoch is not None:
            self._epoch.load_state_dict(checkpoint["paramfit"].get("sums"))
