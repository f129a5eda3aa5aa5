"""Least squares, solved."""

from typing import Any

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn
from torchmetrics import Metric

from paramfit.data.base import EstimationDataModule
from paramfit.fits.solved_model import MOST_ROWS_POLISHED, SlopeLook
from paramfit.inference.bands import FittedCurve
from paramfit.models import ParametricModel
from paramfit.models.base import leave_bounds_to_solver
from paramfit.models.compiled import unwrapped
from paramfit.objectives import Objective, SquaredError
from paramfit.observations import Observations
from paramfit.passes.residual_rows import ResidualRows
from paramfit.results.summary import summarise
from paramfit.solvers.levenberg_marquardt import LevenbergMarquardt
from paramfit.solvers.sums import Layout, ResidualSums
from paramfit.tasks.lightning_callbacks import UpdateMethod
from paramfit.tasks.solved import SolvedTask, UnfinishedEpoch

__all__ = ["LeastSquares"]


class LeastSquares(SolvedTask):
    r"""Any model, fitted to a target by least squares, to convergence.

    .. math:: \hat\theta = \arg\min_\theta \sum_i \Big(\frac{f_\theta(x_i) - y_i}{\sigma_i}\Big)^2

    Each epoch is one update: its batches are summed up into one triangle, at the trial point, and the last of them
    judges the trial; the first trial is the start itself. Between updates the parameters are at the best point so far.
    A model that is linear in its parameters takes one update; one that is linear in some of them has those solved for
    exactly at each point. Parameters and data are float64.

    Args:
        model: ``forward(*inputs)`` takes one tensor ``(n,)`` for each input column and returns ``(n,)``. Its Jacobian
            is its own ``jacobian(*inputs)``, or that of ``torch.func``.
        objective: ``SquaredError``, or ``HuberError``, ``SoftL1Error`` or ``CauchyError`` against outliers.
        optimizer: makes the ``LevenbergMarquardt`` solver, with its tolerances.
        metrics: of torchmetrics, by the names they are to have: of predictions and targets, in report and TensorBoard.

    Raises:
        InputError: for a model without trainable parameters, another objective, a penalty, or (when the fit starts)
            jitter, fewer observations than parameters, accumulation, clipping or 16-bit precision.
    """

    solver = LevenbergMarquardt
    who = "least squares"

    def __init__(
        self,
        model: nn.Module,
        objective: Objective | None = None,
        optimizer: OptimizerCallable = lambda parameters: LevenbergMarquardt(parameters),
        metrics: dict[str, Metric] | None = None,
    ) -> None:
        model = unwrapped(model)
        in_float64 = model.to(torch.float64)
        if isinstance(model, ParametricModel):
            model.restore_fixed()
            leave_bounds_to_solver(model)
        super().__init__(in_float64, objective or SquaredError(), optimizer, None, 1, metrics)
        self.rows = ResidualRows(self.model, self.objective)
        self.solved_by(UnfinishedEpoch(self.rows, (ResidualSums, Layout)))
        self._curve: FittedCurve | None = None
        self._hits = 0
        self._tested = 0

    @property
    def method(self) -> UpdateMethod:
        """By Levenberg-Marquardt."""
        return UpdateMethod.LEAST_SQUARES

    def on_fit_start(self) -> None:
        """Refuse data that least squares cannot use: with jitter, or with too few observations."""
        super().on_fit_start()
        data = self.own_data
        if data is not None:
            self.rows.check_count(data.train.n)

    def after_step(self, solver: Any, observations: Observations, sums: Any, total: float) -> float:
        """Win the last digits where the epoch is one batch, and fill the gradients."""
        uphill = None
        if observations.n == sums.n <= MOST_ROWS_POLISHED:
            before, look = solver.reached, SlopeLook(self.rows, observations, solver.vector)
            solver.go_to(solver.solver.polished(before, look))
            # Where a polish has moved them, this time or at the end of a first search, steps know neither.
            has_moved = solver.reached is not before or solver.reached.best is not solver.reached
            if solver.converged or has_moved:
                total = self.objective.total(self.predicted(observations), *observations.measured).item()
                uphill = self.rows.slope(observations, solver.reached.best.unit)
        solver.fill_gradients(sums.n if self.objective.reduction == "mean" else 1, uphill)
        return total

    def fitted_curve(self, data: EstimationDataModule) -> FittedCurve | None:
        """The fitted curve with its bands, from the training rows of split data; None where there are no errors."""
        loss = self.loss_function(data.train)
        return summarise(loss, None, data.statistics, None, absolute_sigma=data.absolute_sigma).curve

    def on_test_start(self) -> None:
        """Find the prediction band that held-out rows are compared with."""
        data = self.own_data
        self._curve = None if data is None else self.fitted_curve(data)
        self._hits = self._tested = 0

    def test_step(self, observations: Observations) -> None:
        """Take one batch into the held-out metrics, and count what falls into the prediction band."""
        observations = self.in_precision(observations)
        self._evaluate(observations)
        band = None if self._curve is None else self._curve.at(observations.inputs, observations.sigma).prediction_band
        if band is not None:
            target = observations.target.cpu()
            self._hits += int(((target >= band[0]) & (target <= band[1])).sum())
            self._tested += observations.n

    def further_test_metrics(self) -> dict[str, Tensor]:
        """The share of the test rows that fell into the 95 % prediction band."""
        return {"band_coverage": torch.tensor(self._hits / self._tested, dtype=torch.float64)} if self._tested else {}
