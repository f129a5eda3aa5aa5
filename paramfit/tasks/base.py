"""What every task shares: parameters, updates, evaluation, checkpoints."""

import inspect
import math
import warnings
from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable, ReduceLROnPlateau
from lightning.pytorch.profilers import PyTorchProfiler
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.distributions import Distribution
from torchmetrics import Metric

from paramfit.data.base import EstimationDataModule
from paramfit.distributions import stand_ins
from paramfit.distributions.center import predicted_mean
from paramfit.distributions.domain import (
    OutsideDomain,
    outside_fact,
    raised_by_distribution,
    refuse_outside,
    refuse_rows,
    refused_fact,
    unchecked,
)
from paramfit.errors import InputError
from paramfit.facts import Fact, Stop
from paramfit.inference.loss_function import LossFunction
from paramfit.instances import check_instance
from paramfit.models import DistributionModel, match_columns
from paramfit.models.base import trainable_parameters
from paramfit.models.compiled import unwrapped
from paramfit.objectives import NegativeLogLikelihood, Objective
from paramfit.objectives.base import check_shapes
from paramfit.observations import Observations
from paramfit.optimizers import BlockOptimizer
from paramfit.optimizers.factory import optimizer_factory
from paramfit.passes.descent_losses import DescentLosses, DescentSums
from paramfit.shown.text import say
from paramfit.solvers.solver_optimizer import SolverOptimizer
from paramfit.tasks.checkpoint_compatibility import check_checkpoint, check_units, checkpoint_mark
from paramfit.tasks.lightning_callbacks import (
    UpdateMethod,
    metrics_are_read,
    refuse_callbacks,
    scheduled_steps,
)
from paramfit.tasks.metrics import HeldOutMetrics
from paramfit.tasks.monitors import ComingMetrics, refuse_monitors
from paramfit.tasks.updates import UpdateListener, UpdateLog, refuse_half_precision
from paramfit.tasks.watching import evaluating

__all__ = ["EstimationTask"]

_EXAMPLES = 2  # rows: one alone would be taken for a constant by shapes


class EstimationTask(LightningModule, ABC):
    """A model, an objective and an optimizer, joined: what Lightning trains.

    A training step makes a block of ``updates_per_step`` updates on one batch. ``updates`` counts them over the whole
    fit; ``trainer.global_step`` and ``max_steps`` count blocks. After each update that a listener wants to see, it is
    told (``listeners``); a block ends early after an update whose loss or gradient is not finite.

    Args:
        model: its trainable parameters are estimated.
        objective: the loss.
        optimizer: makes a ``torch.optim`` optimizer from the parameters; an optimizer of these parameters does, too.
        scheduler: makes a learning-rate scheduler from the optimizer; it steps once per training step.
        updates_per_step: updates in a block, at least 1.
        metrics: of torchmetrics, by the names they are to have: of predictions and targets, in report and TensorBoard.

    Raises:
        InputError: for a model without trainable parameters, a block without updates, or what is no metric.
    """

    #: The optimizer that solves to convergence, where the task has one; it makes one update of each pass over the data.
    solver: ClassVar[type[torch.optim.Optimizer] | None] = None

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        optimizer: OptimizerCallable,
        scheduler: LRSchedulerCallable | None,
        updates_per_step: int,
        metrics: Mapping[str, Metric] | None = None,
    ) -> None:
        super().__init__()
        if updates_per_step < 1:
            raise InputError(f"updates_per_step: a block has at least one update, but got {updates_per_step}")
        self.model = unwrapped(model, stays_compiled=True)
        check_instance("objective", objective, Objective, "SquaredError()")
        if scheduler is not None:
            _check_scheduler(scheduler)
        self.objective = objective
        self.make_scheduler = scheduler
        self.updates_per_step = updates_per_step
        #: Whether updates are the solver's, and not repeated in blocks.
        self.is_solved = False
        self.metrics = HeldOutMetrics(objective, metrics)
        self.losses = DescentLosses(self.model, objective)
        self._trainable = self.losses.parameters
        self.make_optimizer = optimizer_factory(optimizer, self._trainable)
        self.log_of_updates = UpdateLog(self._trainable)
        self._logs_blocks = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the trainable parameters."""
        return tuple(trainable_parameters(self.model))

    @property
    def updates(self) -> int:
        """Updates made so far, over the whole fit."""
        return self.log_of_updates.count

    @property
    def stop(self) -> Stop | None:
        """Why the fit ended before its last update, if it did."""
        return self.log_of_updates.stop

    @property
    def listeners(self) -> list[UpdateListener]:
        """Who is told of updates; a callback adds itself when training starts."""
        return self.log_of_updates.listeners

    @property
    def planned_updates(self) -> int:
        """How many updates the run makes if nothing stops it; 0 where no limit is set."""
        if self.trainer.max_epochs is None:
            return 0  # no fit
        steps = self.trainer.estimated_stepping_batches
        if not math.isfinite(steps):
            return 0
        if self.is_solved:
            return int(steps) // max(1, int(self.trainer.num_training_batches))
        scheduled = scheduled_steps(self.trainer)
        steps = steps if scheduled is None else scheduled
        return int(steps) * self.updates_per_step

    @property
    def own_data(self) -> EstimationDataModule | None:
        """The run's data module, where it is one of ours."""
        data = getattr(self.trainer, "datamodule", None)
        return data if isinstance(data, EstimationDataModule) else None

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; that which Lightning sets around each of its hooks without looking for parameters in it."""
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
            return
        try:
            super().__setattr__(name, value)
        except AttributeError as refusal:
            if "_modules" in vars(self):
                raise
            raise InputError(_unmade(self)) from refusal

    def check_made(self) -> None:
        """Refuse a task of the user's that never called the constructor of ours.

        Raises:
            InputError: saying what is to be called.
        """
        if "log_of_updates" not in vars(self):
            raise InputError(_unmade(self))

    def forward(self, *inputs: Tensor) -> Any:
        """The model's prediction."""
        return self.model(*inputs)

    def predicted(self, observations: Observations) -> Tensor:
        """One value for each observation ``(n,)``: the prediction, or the mean of the predicted distribution."""
        with unchecked():
            prediction = self.model(*observations.inputs)
        if isinstance(prediction, Distribution):
            prediction = predicted_mean(prediction)
        if prediction.ndim:
            check_shapes(prediction, observations.target)
        return cast("Tensor", prediction.expand(observations.target.shape))

    def loss_function(self, observations: Observations) -> LossFunction:
        """The objective over some observations as a function of the parameters."""
        return LossFunction(self.model, self.objective, observations)

    def loss(self, observations: Observations) -> Tensor:
        """The objective of one batch with its penalty, ``()``.

        Raises:
            InputError: if the prediction broadcasts with the target to something larger; the message names both shapes.
        """
        return self.sums(observations).loss(self.objective, self._trainable)

    def sums(self, observations: Observations) -> DescentSums:
        """The losses of one batch; infinite where an update has left the domain of a distribution.

        Raises:
            InputError: if the prediction broadcasts with the target to something larger; the message names both shapes.
        """
        try:
            return self.losses(observations)
        except ValueError as outside:
            return DescentSums(self.infinite_outside_domain(outside), observations.n)

    def infinite_outside_domain(self, outside: ValueError) -> Tensor:
        """The loss where an argument has left what its distribution allows, as a scale below 0 after a long update.

        It is infinite, without a slope, so that the fit ends as any other that diverged; the log of updates says which.

        Raises:
            InputError: if it is not an update's doing.
            ValueError: the same, where it is no argument's.
        """
        if isinstance(outside, InputError) or not raised_by_distribution(outside):
            raise outside
        fact = outside.fact if isinstance(outside, OutsideDomain) else refused_fact(outside)
        if not self.log_of_updates.has_moved:
            refuse_outside(outside)
            raise outside
        self.log_of_updates.left_domain = None if fact is None else self._row_of_table(fact)
        # Parameters that are no numbers any more have made none.
        loss = math.inf if fact is not None else math.nan
        return torch.stack([parameter.sum() for parameter in self._trainable]).sum() * 0.0 + loss

    def _row_of_table(self, fact: Fact) -> Fact:
        """The same by the row's number in the table, which a batch does not know."""
        if self.own_data is None:
            return fact
        every = self.in_precision(self.own_data.every)
        with torch.no_grad():
            try:
                prediction = self.model(*every.inputs)
            except ValueError as outside:
                return refused_fact(outside, every.inputs) or fact
        whole = outside_fact(prediction, inputs=every.inputs) if isinstance(prediction, Distribution) else None
        return whole or fact

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The injected optimizer in blocks, and its scheduler, stepped once per training step.

        Raises:
            InputError: if the optimizer refuses its arguments or a learning rate is not above 0.
        """
        inner = self.inner_optimizer()
        if self.is_solved:
            return inner
        block = BlockOptimizer(inner, self.updates_per_step, self.log_of_updates.after_update)
        if self.make_scheduler is None:
            return block
        try:
            scheduler = self.make_scheduler(block)
        except (ValueError, TypeError) as refusal:
            raise InputError(f"model.scheduler: {refusal}") from refusal
        if not hasattr(scheduler, "step"):
            raise InputError(
                f"model.scheduler: what makes it returns {scheduler!r:.60}; return a scheduler of"
                " torch.optim.lr_scheduler, of the optimizer that it is given"
            )
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            monitor = getattr(scheduler, "monitor", None)
            if monitor is None or (monitor != "train/loss" and not monitor.startswith("val/")):
                raise InputError(
                    "model.scheduler: give lightning.pytorch.cli.ReduceLROnPlateau with monitor train/loss or val/loss,"
                    f" but got {type(scheduler).__module__}.{type(scheduler).__name__} with monitor {monitor}"
                )
        settings: dict[str, Any] = {"scheduler": scheduler, "interval": "step"}
        if isinstance(scheduler, ReduceLROnPlateau) and self.automatic_optimization:
            settings |= {"monitor": scheduler.monitor, "strict": False}
        return {"optimizer": block, "lr_scheduler": settings}  # type: ignore[return-value]  # a dict is what it takes

    def inner_optimizer(self) -> torch.optim.Optimizer:
        """A fresh optimizer over the trainable parameters, its arguments checked."""
        try:
            optimizer = self.make_optimizer(self._trainable)
        except (ValueError, TypeError) as refusal:
            raise InputError(f"model.optimizer: {refusal}") from refusal
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise InputError(
                f"model.optimizer: what makes it returns {optimizer!r:.60}; return a torch.optim.Optimizer of the"
                " parameters that it is given"
            )
        self._check_kind(optimizer)
        if inspect.unwrap(type(optimizer).step) is torch.optim.Optimizer.step:  # torch wraps it
            raise InputError(
                f"model.optimizer: {type(optimizer).__name__} has no step; write step(self, closure), which calls the"
                " closure for the loss and changes the parameters of its groups by their grad"
            )
        try:
            inspect.signature(optimizer.step).bind(None)
        except TypeError:
            raise InputError(
                f"model.optimizer: {type(optimizer).__name__}.step takes no closure; write step(self, closure), which"
                " calls the closure for the loss, and returns that"
            ) from None
        for group in optimizer.param_groups:
            if "lr" in group and not group["lr"] > 0:
                raise InputError(f"model.optimizer.lr: a learning rate is above 0, but got {group['lr']}")
            for option, value in group.items():
                if isinstance(value, float) and not math.isfinite(value):
                    raise InputError(f"model.optimizer.{option}: expected a finite number, but got {value}")
        return optimizer

    def _check_kind(self, optimizer: torch.optim.Optimizer) -> None:
        """Refuse a solver that is another task's, and for a task that only a solver can do, any other optimizer."""
        if isinstance(optimizer, SolverOptimizer) and not (self.solver and isinstance(optimizer, self.solver)):
            raise InputError(
                f"model.optimizer: {type(self).__name__} takes any torch optimizer but {type(optimizer).__name__}; give"
                f" that one to {optimizer.task}"
            )
        if self.is_solved and self.solver is not None and not isinstance(optimizer, self.solver):
            raise InputError(
                f"model.optimizer: {type(self).__name__} takes {self.solver.__name__}, but got"
                f" {type(optimizer).__name__}; give that one to Regression"
            )

    def setup(self, stage: str) -> None:
        """Forget the last fit's listeners and its end; let the model find the starts that its sample gives."""
        if stage == "fit":
            self.log_of_updates.listeners = []
            self.log_of_updates.stop = self.log_of_updates.left_domain = None
            data = self.own_data
            if isinstance(self.model, DistributionModel) and data is not None:
                self.model.begin_at(stand_ins(data.train))
            self.example_input_array = self._example_inputs()
            if self.example_input_array is None:
                self._say_why_no_graph()

    def _example_inputs(self) -> tuple[Tensor, ...] | None:
        """A few rows of each input, by which Lightning draws the graph and tells sizes; None where there is no input.

        Nor are there any of a distribution, which torch cannot trace.
        """
        data = self.own_data
        if data is None or not data.raw.inputs or isinstance(self.objective, NegativeLogLikelihood):
            return None
        return self.in_precision(data.train.rows(slice(_EXAMPLES))).inputs

    def _say_why_no_graph(self) -> None:
        """Say why a graph that was asked for is not drawn, in place of Lightning's words about an attribute."""
        trainer = self._trainer
        if trainer is None or not any(getattr(logger, "_log_graph", False) for logger in trainer.loggers):
            return
        if isinstance(self.objective, NegativeLogLikelihood):
            why = "torch cannot trace a model that gives a distribution"
        elif self.own_data is None:
            why = "the rows come from no DataModule of paramfit, of which some would be examples"
        else:
            why = "the model has no inputs"
        say(f"log_graph: there is no graph, since {why}")
        warnings.filterwarnings("ignore", message="Could not log computational graph to TensorBoard")

    @property
    def method(self) -> UpdateMethod:
        """Who makes the updates."""
        return UpdateMethod.AUTOMATIC if self.automatic_optimization else UpdateMethod.HAND_WRITTEN

    def configure_callbacks(self) -> list[Callback]:
        """Refuse callbacks of Lightning's that the fit cannot mean: in the hook before any of them does something.

        The same holds of the profiler: the hooks by which it names modules cannot be copied with the model.
        """
        profiler = self.trainer.profiler  # type: ignore[attr-defined]  # Lightning sets it without declaring it
        if isinstance(profiler, PyTorchProfiler):
            profiler._record_module_names = False  # as its argument of that name does
        if self.trainer.state.fn == "fit":
            refuse_callbacks(self.trainer.callbacks, self.method, self.updates_per_step)  # type: ignore[attr-defined]
        return []

    def on_fit_start(self) -> None:
        """Refuse what would give a wrong gradient, or estimates in other units, without an error.

        Raises:
            InputError: for several processes, half precision, blocks together with accumulation, callbacks that wait
                for a metric that never comes, a formula on normalised inputs, or inputs in another order than its
                variables.
        """
        trainer = self.trainer
        if trainer.world_size > 1:
            raise InputError(f"trainer.devices: one process is supported, but {trainer.world_size} were asked for")
        refuse_half_precision(trainer.precision)
        if trainer.accumulate_grad_batches > 1 and self.updates_per_step > 1:
            raise InputError(
                "trainer.accumulate_grad_batches and updates_per_step exclude each other: a block repeats one batch,"
                " accumulation joins several; set one of them to 1"
            )
        data = self.own_data
        callbacks = trainer.callbacks  # type: ignore[attr-defined]  # Lightning sets it without declaring it
        has_validation = None if data is None else data.validation.n > 0
        refuse_monitors(
            self,
            callbacks,
            self.lr_schedulers(),
            ComingMetrics(self.metrics.names, has_validation, has_rate=not self.is_solved),
        )
        if data is not None:
            check_units(self.model, data)
            match_columns(self.model, data.columns.inputs)

    def on_train_start(self) -> None:
        """Ask the listeners what they want to hear, and whether anyone reads metrics."""
        self.log_of_updates.begin()
        callbacks = self.trainer.callbacks  # type: ignore[attr-defined]  # Lightning sets it without declaring it
        self._logs_blocks = metrics_are_read(callbacks) or isinstance(self.lr_schedulers(), ReduceLROnPlateau)

    def log_block(self) -> None:
        """Tell callbacks that read metrics the loss before the last update, ``train/loss``, and ``lr``, if any."""
        if not self._logs_blocks:
            return
        like = self._trainable[0]
        loss = torch.tensor(self.log_of_updates.loss, dtype=like.dtype, device=like.device)  # of a float: float32
        self.log("train/loss", loss, logger=False)
        rate = self.trainer.optimizers[0].param_groups[0].get("lr")
        if rate is not None:
            self.log("lr", torch.as_tensor(rate, dtype=torch.float64), logger=False)

    def request_stop(self, stop: Stop) -> None:
        """End the fit after this update, whatever ``min_epochs`` and ``min_steps`` say; the first reason is kept."""
        if self.log_of_updates.stop is None:
            self.log_of_updates.stop = stop
        loop = self.trainer.fit_loop
        loop.min_epochs = 0
        loop.epoch_loop.min_steps = None
        self.trainer.should_stop = True

    def in_precision(self, batch: Any) -> Observations:
        """The observations in the model's precision.

        Raises:
            InputError: if the loader gave something else.
        """
        if not isinstance(batch, Observations):
            raise InputError(f"data: expected batches of paramfit's Observations, but got {type(batch).__name__}")
        dtype = self._trainable[0].dtype
        return batch if batch.target.dtype == dtype else batch.to(dtype)

    def validation_step(self, observations: Observations) -> None:
        """Take one batch into the held-out metrics."""
        self._evaluate(observations)

    def test_step(self, observations: Observations) -> None:
        """Take one batch into the held-out metrics."""
        self._evaluate(observations)

    def _evaluate(self, batch: Any) -> None:
        observations = self.in_precision(batch)
        with unchecked():  # during a fit a held-out row may be outside what a distribution allows: its loss is infinite
            try:
                prediction = self.model(*observations.inputs)
                self.metrics.update(prediction, *observations.measured)
            except ValueError as outside:
                self._refuse_rows(outside, observations)
                raise
            if isinstance(prediction, Distribution) and self.trainer.state.fn != "fit":
                self._refuse_rows(prediction, observations)

    def _refuse_rows(self, prediction: Distribution | ValueError, observations: Observations) -> None:
        """Refuse rows for which there is no distribution, by their numbers in the table."""
        try:
            refuse_rows(prediction, observations.inputs)
        except InputError:
            if self.own_data is not None:
                every = self.in_precision(self.own_data.every)
                try:
                    refuse_rows(self.model(*every.inputs), every.inputs)
                except ValueError as outside:
                    refuse_rows(outside, every.inputs)
                    raise
            raise

    def own_metrics(self, observations: Observations) -> dict[str, float]:
        """The metrics that were given, over some observations."""
        rows = self.in_precision(observations)
        if not (rows.n and self.metrics.has_own):
            return {}
        with evaluating(self.model):
            return self.metrics.own_values(self.predicted(rows), rows.target)

    def predict_step(self, observations: Observations) -> Tensor:
        """One predicted value for each observation, ``(n,)``."""
        return self.predicted(self.in_precision(observations))

    def on_validation_epoch_end(self) -> None:
        """Make the metrics known as ``val/...``."""
        self._log_metrics("val")

    def on_test_epoch_end(self) -> None:
        """Make the metrics known as ``test/...``."""
        self._log_metrics("test")

    def _log_metrics(self, prefix: str) -> None:
        # During a fit the history callback writes them: Lightning's own x-axis counts blocks, not updates.
        # Elsewhere None, which unlike True does not warn where there is no logger.
        logger = False if self.trainer.state.fn == "fit" else None
        further = self.further_test_metrics() if prefix == "test" else {}
        for name, value in {**self.metrics.compute(), **further}.items():
            self.log(f"{prefix}/{name}", value, logger=logger)

    def further_test_metrics(self) -> dict[str, Tensor]:
        """What else ``paramfit test`` tells of the held-out rows."""
        return {}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the number of updates and what made them."""
        checkpoint["paramfit"] = checkpoint_mark(self)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on counting where the checkpoint stopped.

        Raises:
            InputError: if the checkpoint is not paramfit's, is of another model or one with other bounds or, when a fit
                resumes, of another optimizer, learning rate or block size.
        """
        check_checkpoint(self, checkpoint, resuming=self._trainer is not None and self.trainer.state.fn == "fit")
        self.log_of_updates.count = int(checkpoint["paramfit"]["updates"])


def _unmade(task: EstimationTask) -> str:
    kind = type(task)
    return (
        f"model: {kind.__name__}.__init__ does not call that of {kind.__mro__[1].__name__} first; begin it with"
        " super().__init__(model, ...), which takes the model, the objective and the optimizer"
    )


def _check_scheduler(given: Any) -> None:
    """Refuse a scheduler in place of what makes one."""
    if callable(given):
        return
    name = type(given).__name__
    raise InputError(
        f"scheduler: this {name} belongs to another optimizer; give what makes it of one:"
        f" lambda optimizer: {name}(optimizer, ...)"
        if isinstance(given, torch.optim.lr_scheduler.LRScheduler)
        else f"scheduler: expected what makes a scheduler, such as lambda optimizer: StepLR(optimizer, 10), but got"
        f" one of {name}"
    )
