"""Updates by a solver, one for each pass over the training data: what the tasks that make them share."""

from abc import ABC, abstractmethod
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar, cast

import torch
from lightning.pytorch import Callback

from paramfit.errors import InputError
from paramfit.fits.ending import how_it_ended
from paramfit.observations import Observations
from paramfit.passes.base import Pass, Sums
from paramfit.solvers.loop import Start
from paramfit.solvers.solver_optimizer import SolverOptimizer
from paramfit.solvers.value import as_plain, from_plain
from paramfit.tasks.base import EstimationTask
from paramfit.tasks.updates import refuse_automatic_options

__all__ = ["SolvedTask", "UnfinishedEpoch"]

S = TypeVar("S", bound=Sums)


class UnfinishedEpoch(Generic[S]):
    """The sums of the batches of an epoch so far, all at one trial point; ``kinds`` are the dataclasses in them."""

    def __init__(self, pass_: Pass[S], kinds: tuple[type, ...]) -> None:
        self.pass_ = pass_
        self._kinds = kinds
        self._sums: S | None = None
        self._resumed: S | None = None

    def begin(self) -> None:
        """Go on with the epoch that a checkpoint was in the middle of, or start afresh."""
        self._sums, self._resumed = self._resumed, None

    def with_batch(self, observations: Observations, state: Any, *, is_last: bool) -> S:
        """The sums with those of one more batch, at the parameters as they are; the last ends the epoch."""
        if isinstance(state, Start):
            here = self.pass_.at_start(observations, expected=state.expected)
        else:
            here = self.pass_(observations, expected=state.expected, slacks=state.slacks)
        sums: S = here if self._sums is None else self._sums + here
        self._sums = None if is_last else sums
        return sums

    def state_dict(self) -> Any:
        """What is summed up of an unfinished epoch."""
        return as_plain(self._sums)

    def load_state_dict(self, kept: Any) -> None:
        """Take up what ``state_dict`` gave when training begins."""
        self._resumed = from_plain(kept, self._kinds)


class SolvedTask(EstimationTask, ABC):
    """A task whose solver runs to convergence: each epoch is one pass over the training data, and one update.

    Its batches are summed up at the trial point, and the last of them judges the trial; the first trial is the start
    itself. Between updates the parameters are at the best point so far.
    """

    #: Who has no use for an option, in refusals.
    who: ClassVar[str]
    #: The sums so far; None where another optimizer descends.
    epoch: UnfinishedEpoch[Any] | None = None

    def solved_by(self, epoch: UnfinishedEpoch[Any]) -> None:
        """Let the solver make the updates, of these sums."""
        self.automatic_optimization = False
        self.is_solved = True
        self.epoch = epoch

    @abstractmethod
    def after_step(self, solver: Any, observations: Observations, sums: Any, total: float) -> float:
        """Refine what the solver has reached, and fill the gradients; the summed loss where the parameters are then.

        ``observations`` is the epoch's last batch, ``sums`` are those of the epoch, ``total`` is the summed loss at the
        solver's best point.
        """

    def configure_callbacks(self) -> list[Callback]:
        """Refuse what a solver has no use for: in the hook before Lightning's own, terser, checks."""
        super().configure_callbacks()
        if not self.is_solved:
            return []
        refuse_automatic_options(
            self.trainer,
            f"{self.who} knows",
            {
                "accumulate_grad_batches": "leave it out, since all batches of an epoch are summed up anyway",
                "gradient_clip_val": "leave it out; --model.optimizer.damping keeps first steps short",
                "precision": "leave it out, since parameters and data are float64",
            },
        )
        if self.updates_per_step > 1:
            raise InputError(
                f"model.updates_per_step: {self.who} makes one update of each pass over the data, not"
                f" {self.updates_per_step}; leave it out, or give a torch optimizer"
            )
        return []

    def on_fit_start(self) -> None:
        """Begin, or go on with, an epoch; refuse data that change from one update to the next."""
        super().on_fit_start()
        if self.epoch is None:
            return
        self.epoch.begin()
        data = self.own_data
        if data is not None and data.jitter:
            raise InputError(f"data.jitter: {self.who} needs the same rows at every update; leave it out")
        if data is not None and data.shuffle and self.trainer.limit_train_batches not in (1, 1.0, None):
            raise InputError(
                f"trainer.limit_train_batches: {self.who} needs the same rows at every update, but data.shuffle gives"
                " others to each; leave one of them out"
            )

    def training_step(self, observations: Observations, batch_idx: int) -> Any:
        """Sum up one batch at the trial point; with the last batch of the epoch, judge it."""
        if self.epoch is None:
            return super().training_step(observations, batch_idx)
        optimizer = cast("Any", self.optimizers())
        solver = cast("SolverOptimizer[Any]", optimizer.optimizer)
        if not solver.is_done():
            observations, is_last = self.in_precision(observations), self.trainer.is_last_batch
            with torch.no_grad(), solver.at_trial() as state:
                sums = self.epoch.with_batch(observations, state, is_last=is_last)
            if not is_last:
                return None
            total = optimizer.step(sums=sums)  # Lightning's, which counts it
            with torch.no_grad():
                total = self.after_step(solver, observations, sums, total)
            self.log_of_updates.after_update(self.objective.finish(torch.tensor(total, dtype=torch.float64), sums.n))
            self.log_block()
        if solver.is_done():
            every = self.every_row(observations)
            loss = None if every is None else partial(self.loss_function, every)
            self.request_stop(how_it_ended(solver.reached, self.model, self.updates, loss))
        return None

    def every_row(self, observations: Observations) -> Observations | None:
        """All training rows, of which a batch may be a part; None where they are not at hand."""
        if self.trainer.num_training_batches == 1:
            return observations
        return None if self.own_data is None else self.in_precision(self.own_data.train)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what is summed up of an unfinished epoch."""
        super().on_save_checkpoint(checkpoint)
        if self.epoch is not None:
            checkpoint["paramfit"]["sums"] = self.epoch.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the unfinished epoch."""
        super().on_load_checkpoint(checkpoint)
        if self.epoch is not None:
            self.epoch.load_state_dict(checkpoint["paramfit"].get("sums"))
