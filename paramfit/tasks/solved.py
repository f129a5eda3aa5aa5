"""Updates by a solver: one for each pass over the training data."""

from collections.abc import Callable
from typing import Any, Protocol, cast

from paramfit.data.base import EstimationDataModule
from paramfit.errors import InputError
from paramfit.observations import Observations
from paramfit.tasks.base import EstimationTask
from paramfit.tasks.lightnings_own import refuse_lightnings_own

__all__ = ["SolvedUpdates", "data_of_task", "refuse_other_rows", "refuse_what_solvers_do_not_know"]


class _Sums(Protocol):
    n: int

    def state_dict(self) -> dict[str, Any]: ...


class SolvedUpdates:
    """Sums up the batches of an epoch at the solver's trial point; the last of them lets the solver judge it.

    Args:
        add: adds a batch to the sums so far (None at first), for a solver; at the parameters as it finds them.
        restored: the sums that ``state_dict`` kept.
    """

    def __init__(
        self, add: Callable[[Observations, Any, Any], _Sums], restored: Callable[[dict[str, Any]], _Sums]
    ) -> None:
        self._add = add
        self._restored = restored
        self._sums: _Sums | None = None
        self._resumed: _Sums | None = None

    def begin(self) -> None:
        """Go on with the epoch that a checkpoint was in the middle of, or start afresh."""
        self._sums, self._resumed = self._resumed, None

    def take(self, task: EstimationTask, observations: Observations) -> tuple[float, _Sums, bool] | None:
        """Take one batch.

        Args:
            task: whose solver it is; it is training.
            observations: the batch.

        Returns:
            After the last batch of an epoch the summed loss at the parameters as they are then, the sums at the trial
            point, and whether there was no other batch; None before.
        """
        optimizer = cast("Any", task.optimizers())
        solver = optimizer.optimizer
        alone = self._sums is None and task.trainer.is_last_batch
        with solver.at_trial():
            sums = self._sums = self._add(observations, self._sums, solver)
        if not task.trainer.is_last_batch:
            return None
        self._sums = None
        return optimizer.step(closure=lambda: sums), sums, alone

    def state_dict(self) -> dict[str, Any] | None:
        """What is summed up of an unfinished epoch."""
        return None if self._sums is None else self._sums.state_dict()

    def load_state_dict(self, kept: dict[str, Any] | None) -> None:
        """Take up what ``state_dict`` gave when training begins."""
        self._resumed = None if kept is None else self._restored(kept)


def data_of_task(task: EstimationTask) -> EstimationDataModule | None:
    """The run's data module, where it is one of ours."""
    found = getattr(task.trainer, "datamodule", None)
    return found if isinstance(found, EstimationDataModule) else None


def refuse_other_rows(task: EstimationTask, who: str) -> None:
    """Refuse data that change from one update to the next.

    Args:
        task: about to train.
        who: the message's subject.

    Raises:
        InputError: for jitter, or a shuffled part of the batches.
    """
    data = data_of_task(task)
    if data is None:
        return
    if data.jitter:
        msg = f"data.jitter: {who} needs the same rows at every update; leave it out"
        raise InputError(msg)
    if data.shuffle and task.trainer.limit_train_batches not in (1, 1.0, None):
        msg = (
            f"trainer.limit_train_batches: {who} needs the same rows at every update, but data.shuffle gives others to"
            " each; leave one of them out"
        )
        raise InputError(msg)


def refuse_what_solvers_do_not_know(task: EstimationTask, who: str) -> None:
    """Refuse accumulation, clipping and 16-bit precision.

    Args:
        task: configured.
        who: the message's subject.

    Raises:
        InputError: if one of them is on.
    """
    refuse_lightnings_own(
        task.trainer,
        f"{who} knows",
        {
            "accumulate_grad_batches": "leave it out, since all batches of an epoch are summed up anyway",
            "gradient_clip_val": "leave it out; --model.optimizer.damping keeps first steps short",
            "precision": "leave it out, since parameters and data are float64",
        },
    )
