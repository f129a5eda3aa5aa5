"""Least squares, solved."""

from typing import Any, cast

import torch
from lightning.pytorch import Callback
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn

from paramfit.data import EstimationDataModule
from paramfit.errors import InputError
from paramfit.estimates import FittedCurve, summarise_least_squares
from paramfit.gradients import ResidualRows
from paramfit.models import ParametricModel
from paramfit.objectives import Objective, SquaredError
from paramfit.observations import Observations
from paramfit.optimizers import LevenbergMarquardt
from paramfit.optimizers.residual_sums import ResidualSums
from paramfit.solvers import MOST_ROWS_POLISHED
from paramfit.tasks.base import EstimationTask
from paramfit.tasks.lightnings_own import refuse_lightnings_own
from paramfit.updates import Status, Stop

__all__ = ["LeastSquares"]


class LeastSquares(EstimationTask):
    r"""Any model, fitted to a target by least squares, to convergence.

    .. math:: \hat\theta = \arg\min_\theta \sum_i \Big(\frac{f_\theta(x_i) - y_i}{\sigma_i}\Big)^2

    Each epoch is one update: its batches are summed up into one triangle, at the trial point, and the last of them
    judges the trial. Between updates the parameters are at the best point so far. A model that is linear in its
    parameters takes one update; one that is linear in some of them has those solved for exactly at each point.
    Parameters and data are float64.

    Args:
        model: ``forward(*inputs)`` takes one tensor ``(n,)`` for each input column and returns ``(n,)``. Its Jacobian
            is its own ``jacobian(*inputs)``, or that of ``torch.func``.
        objective: ``SquaredError``, or ``HuberError``, ``SoftL1Error`` or ``CauchyError`` against outliers.
        optimizer: makes the ``LevenbergMarquardt`` solver, with its tolerances.

    Raises:
        InputError: for a model without trainable parameters, another objective, a penalty, or (when the fit starts)
            jitter, fewer observations than parameters, accumulation, clipping or 16-bit precision.
    """

    makes_blocks = False
    one_update_an_epoch = True
    summariser = staticmethod(summarise_least_squares)

    def __init__(
        self,
        model: nn.Module,
        objective: Objective | None = None,
        optimizer: OptimizerCallable = lambda parameters: LevenbergMarquardt(parameters),
    ) -> None:
        in_float64 = model.to(torch.float64)
        if isinstance(model, ParametricModel):
            model.restore_fixed()
        super().__init__(in_float64, objective or SquaredError(), optimizer, None, 1)
        self.automatic_optimization = False
        self.rows = ResidualRows(self.model, self.objective)
        self._sums: ResidualSums | None = None
        self._resumed: ResidualSums | None = None
        self._curve: FittedCurve | None = None
        self._hits = 0
        self._seen = 0

    def configure_callbacks(self) -> list[Callback]:
        """Refuse what has no meaning here: in the hook before Lightning's own, terser, checks.

        Raises:
            InputError: for accumulation, clipping or 16-bit precision.
        """
        refuse_lightnings_own(
            self.trainer,
            "least squares knows",
            {
                "accumulate_grad_batches": "leave it out, since all batches of an epoch are summed up anyway",
                "gradient_clip_val": "leave it out; --model.optimizer.damping keeps first steps short",
                "precision": "leave it out, since parameters and data are float64",
            },
        )
        return []

    def on_fit_start(self) -> None:
        """Refuse data that least squares cannot use.

        Raises:
            InputError: for jitter or too few observations.
        """
        super().on_fit_start()
        self._sums, self._resumed = self._resumed, None
        data = self.data
        if data is None:
            return
        if data.jitter:
            msg = "data.jitter: least squares needs the same rows at every update; leave it out"
            raise InputError(msg)
        if data.shuffle and self.trainer.limit_train_batches not in (1, 1.0, None):
            msg = (
                "trainer.limit_train_batches: least squares needs the same rows at every update, but data.shuffle gives"
                " others to each; leave one of them out"
            )
            raise InputError(msg)
        self.rows.check_count(data.train.n)

    @property
    def data(self) -> EstimationDataModule | None:
        """The run's data module, where it is one of ours."""
        found = getattr(self.trainer, "datamodule", None)
        return found if isinstance(found, EstimationDataModule) else None

    @torch.no_grad()
    def training_step(self, observations: Observations, batch_idx: int) -> None:
        """Sum up one batch at the trial point; with the last batch of the epoch, judge it."""
        del batch_idx
        observations = self.in_precision(observations)
        optimizer = cast("Any", self.optimizers())
        solver = cast("LevenbergMarquardt", optimizer.optimizer)
        if solver.is_done():
            self._request_stop(solver)
            return
        alone = self._sums is None and self.trainer.is_last_batch
        with solver.at_trial():
            add = self.rows.sums_checked if solver.point is None else self.rows.sums
            sums = self._sums = add(observations, self._sums)
        if not self.trainer.is_last_batch:
            return
        self._sums = None
        total = optimizer.step(closure=lambda: sums)
        if alone and observations.n <= MOST_ROWS_POLISHED:
            solver.polish(lambda: self.rows.slope(observations))
            if solver.converged:
                total = self.objective.total(*self._compared(observations)).item()
        solver.fill_gradients()
        self.log_of_updates.after_update(self.objective.finish(torch.tensor(total, dtype=torch.float64), sums.n))
        if solver.is_done():
            self._request_stop(solver)

    def _compared(self, observations: Observations) -> tuple[Tensor, Tensor, Tensor | None]:
        return self.predicted(observations), observations.target, observations.sigma

    def _request_stop(self, solver: LevenbergMarquardt) -> None:
        self.request_stop(Stop(Status.CONVERGED if solver.converged else Status.STALLED, f"{solver.reason}."))

    def fitted_curve(self, data: EstimationDataModule) -> FittedCurve | None:
        """The fitted curve with its bands, from the training rows; None where there are no errors.

        Args:
            data: read, and with its split.
        """
        loss = self.loss_function(data.train)
        summary = self.summariser(loss, None, data.statistics, None, absolute_sigma=data.absolute_sigma)
        return summary.curve

    def on_test_start(self) -> None:
        """Find the prediction band that held-out rows are compared with."""
        data = self.data
        self._curve = None if data is None else self.fitted_curve(data)
        self._hits = self._seen = 0

    def test_step(self, observations: Observations) -> None:
        """Take one batch into the held-out metrics, and count what falls into the prediction band."""
        there = self.in_precision(observations)
        self._evaluate(there)
        band = None if self._curve is None else self._curve.at(there.inputs, there.sigma).prediction_band
        if band is not None:
            target = there.target.cpu()
            self._hits += int(((target >= band[0]) & (target <= band[1])).sum())
            self._seen += there.n

    def further_test_metrics(self) -> dict[str, Tensor]:
        """The share of the test rows that fell into the 95 % prediction band."""
        return {"band_coverage": torch.tensor(self._hits / self._seen, dtype=torch.float64)} if self._seen else {}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what is summed up of an unfinished epoch."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["paramfit"]["sums"] = None if self._sums is None else self._sums.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the unfinished epoch.

        Raises:
            InputError: if the checkpoint is not of this task.
        """
        super().on_load_checkpoint(checkpoint)
        kept = checkpoint["paramfit"].get("sums")
        self._resumed = None if kept is None else ResidualSums.from_state_dict(kept)
