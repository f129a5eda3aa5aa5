"""Updates by a solver, one for each pass over the training data: what the tasks that make them share."""

from typing import Any, Generic, TypeVar

from paramfit.data.base import EstimationDataModule
from paramfit.errors import InputError
from paramfit.observations import Observations
from paramfit.passes.base import Pass, Sums
from paramfit.solvers.loop import Start
from paramfit.solvers.value import as_plain, from_plain
from paramfit.tasks.base import EstimationTask
from paramfit.tasks.manual_optimization import refuse_automatic_options

__all__ = ["UnfinishedEpoch", "data_of_task", "refuse_other_rows", "refuse_what_solvers_do_not_know"]


S = TypeVar("S", bound=Sums)


class UnfinishedEpoch(Generic[S]):
    """The sums of the batches of an epoch so far, all at one trial point.

    Args:
        pass_: what is summed up.
        kinds: the dataclasses that the sums are made of.
    """

    def __init__(self, pass_: Pass[S], kinds: tuple[type, ...]) -> None:
        self.pass_ = pass_
        self._kinds = kinds
        self._sums: S | None = None
        self._resumed: S | None = None

    def begin(self) -> None:
        """Go on with the epoch that a checkpoint was in the middle of, or start afresh."""
        self._sums, self._resumed = self._resumed, None

    def with_batch(self, observations: Observations, state: Any, *, is_last: bool) -> S:
        """The sums with those of one more batch, at the parameters as they are; the last ends the epoch.

        Args:
            observations: the batch.
            state: of the solver that asks for them.
            is_last: whether no batch follows in this epoch.
        """
        look = self.pass_.at_start if isinstance(state, Start) else self.pass_
        here = look(observations, expected=state.expected)
        sums: S = here if self._sums is None else self._sums + here
        self._sums = None if is_last else sums
        return sums

    def state_dict(self) -> Any:
        """What is summed up of an unfinished epoch."""
        return as_plain(self._sums)

    def load_state_dict(self, kept: Any) -> None:
        """Take up what ``state_dict`` gave when training begins."""
        self._resumed = from_plain(kept, self._kinds)


def data_of_task(task: EstimationTask) -> EstimationDataModule | None:
    """The run's data module, where it is one of ours."""
    data = getattr(task.trainer, "datamodule", None)
    return data if isinstance(data, EstimationDataModule) else None


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
    refuse_automatic_options(
        task.trainer,
        f"{who} knows",
        {
            "accumulate_grad_batches": "leave it out, since all batches of an epoch are summed up anyway",
            "gradient_clip_val": "leave it out; --model.optimizer.damping keeps first steps short",
            "precision": "leave it out, since parameters and data are float64",
        },
    )
