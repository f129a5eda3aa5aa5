"""Which of Lightning's callbacks a task takes, and which of them read its metrics."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import (
    BaseFinetuning,
    BasePredictionWriter,
    BatchSizeFinder,
    DeviceStatsMonitor,
    EMAWeightAveraging,
    GradientAccumulationScheduler,
    LearningRateFinder,
    LearningRateMonitor,
    ModelCheckpoint,
    ModelPruning,
    ModelSummary,
    OnExceptionCheckpoint,
    RichModelSummary,
    RichProgressBar,
    SpikeDetection,
    StochasticWeightAveraging,
    ThroughputMonitor,
    Timer,
    TQDMProgressBar,
    WeightAveraging,
)

from paramfit.errors import InputError

__all__ = [
    "UpdateMethod",
    "metrics_are_read",
    "refuse_callbacks",
    "scheduled_steps",
    "schedules_accumulation",
]


class UpdateMethod(Enum):
    """Who makes the updates of a task."""

    AUTOMATIC = "Lightning's automatic optimisation"
    HAND_WRITTEN = "hand-written descent"
    LEAST_SQUARES = "least squares"
    NEWTON = "Newton's method"


_SOLVED = (UpdateMethod.LEAST_SQUARES, UpdateMethod.NEWTON)
_DESCENT = (UpdateMethod.AUTOMATIC, UpdateMethod.HAND_WRITTEN)
_NO_RATE = "{method} has no learning rate; leave {callback} out"
_AVERAGED = "{method} ends at the optimum, and the average of the way to it is worse; leave {callback} out"


@dataclass(frozen=True)
class CallbackUse:
    """A callback of Lightning's that reads no metrics, and where it is refused.

    Attributes:
        kind: of the callback.
        refused: by which tasks, and in which words: why, and what to do instead.
    """

    kind: type[Callback]
    refused: dict[UpdateMethod, str] = field(default_factory=dict)


_USES = (
    CallbackUse(
        BaseFinetuning,
        refused=dict.fromkeys(
            UpdateMethod,
            "{callback} freezes parameters that are to be estimated, and chooses them anew while the fit runs; leave it"
            " out, and fit twice: with those parameters fixed (fixed: true, or requires_grad_(False) in the model), and"
            " all of them from the values reached",
        ),
    ),
    CallbackUse(BasePredictionWriter),
    CallbackUse(
        BatchSizeFinder,
        refused=dict.fromkeys(
            UpdateMethod,
            "{callback} looks for the largest batch that fits into memory, but all rows are in it already, in one batch"
            " where --data.batch_size is not given; leave it out (the report's largest stable learning rate is that of"
            " all rows)",
        ),
    ),
    CallbackUse(DeviceStatsMonitor),
    CallbackUse(
        GradientAccumulationScheduler,
        refused={
            UpdateMethod.HAND_WRITTEN: "{method} knows nothing of accumulation; leave {callback} out, and use a larger"
            " --data.batch_size, or a task with automatic optimisation",
            **dict.fromkeys(
                _SOLVED, "{method} sums up all batches of an epoch for each update anyway; leave {callback} out"
            ),
        },
    ),
    CallbackUse(
        LearningRateFinder,
        refused={
            **dict.fromkeys(
                _DESCENT,
                "{callback} would guess what the report calculates: the largest stable learning rate; leave it out, and"
                " give --model.optimizer.lr a value below that",
            ),
            **dict.fromkeys(_SOLVED, _NO_RATE),
        },
    ),
    CallbackUse(LearningRateMonitor, refused=dict.fromkeys(_SOLVED, _NO_RATE)),
    CallbackUse(
        ModelPruning,
        refused=dict.fromkeys(
            UpdateMethod,
            "{callback} sets parameters to 0 that are to be estimated; leave it out, fit a model without them (or with"
            " fixed: true) as well, and set both side by side with paramfit compare",
        ),
    ),
    CallbackUse(ModelSummary),
    CallbackUse(OnExceptionCheckpoint),
    CallbackUse(RichModelSummary),
    CallbackUse(RichProgressBar),
    CallbackUse(
        SpikeDetection,
        refused=dict.fromkeys(
            (UpdateMethod.HAND_WRITTEN, *_SOLVED),
            "{callback} needs the loss of Lightning's automatic optimisation; leave it out, since DivergenceDetection"
            " looks at every update",
        ),
    ),
    CallbackUse(StochasticWeightAveraging, refused=dict.fromkeys(_SOLVED, _AVERAGED)),
    CallbackUse(ThroughputMonitor),
    CallbackUse(Timer),
    CallbackUse(TQDMProgressBar),
    CallbackUse(WeightAveraging, refused=dict.fromkeys(_SOLVED, _AVERAGED)),
    CallbackUse(EMAWeightAveraging),
)
_BLIND = {use.kind for use in _USES}


def refuse_callbacks(callbacks: Sequence[Callback], method: UpdateMethod, updates_per_step: int) -> None:
    """Refuse what a fit by this method cannot mean.

    Raises:
        InputError: naming the callback, why, and what to do instead.
    """
    for callback in callbacks:
        name = type(callback).__name__
        for use in _USES:
            if isinstance(callback, use.kind) and method in use.refused:
                why = use.refused[method].format(method=method.value, callback=name)
                raise InputError(f"trainer.callbacks: {why}")
    if updates_per_step > 1 and schedules_accumulation(callbacks):
        raise InputError(
            "trainer.callbacks: GradientAccumulationScheduler and updates_per_step exclude each other: a block repeats"
            " one batch, accumulation joins several; set updates_per_step to 1, or leave the callback out"
        )


def schedules_accumulation(callbacks: Sequence[Callback]) -> bool:
    """Whether the batches of one update change from epoch to epoch."""
    return any(
        isinstance(callback, GradientAccumulationScheduler) and callback.going_to_accumulate_grad_batches()
        for callback in callbacks
    )


def scheduled_steps(trainer: Trainer) -> int | None:
    """How many steps of an optimizer a ``GradientAccumulationScheduler`` leaves to a run; None where there is none.

    Lightning's own estimate takes the present epoch's number of batches for that of all epochs.
    """
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning does not declare it
    schedulers = [callback for callback in callbacks if isinstance(callback, GradientAccumulationScheduler)]
    batches, epochs = trainer.num_training_batches, trainer.max_epochs
    if not schedulers or epochs is None or epochs < 0 or not isinstance(batches, int):
        return None
    steps = sum(math.ceil(batches / schedulers[-1].get_accumulate_grad_batches(epoch)) for epoch in range(epochs))
    return steps if trainer.max_steps < 0 else min(steps, trainer.max_steps)


def metrics_are_read(callbacks: Sequence[Callback]) -> bool:
    """Whether any of the callbacks may look into ``trainer.callback_metrics`` for what training steps log.

    Logging costs as much as a small update: none of ours needs it, but where one says so (``reads_metrics``), nor do
    those of Lightning that are known not to. A class of the user's may.
    """
    return any(_may_read(callback) for callback in callbacks)


def _is_ours(callback: Callback) -> bool:
    return type(callback).__module__.partition(".")[0] == "paramfit"


def _may_read(callback: Callback) -> bool:
    if _is_ours(callback):
        return bool(getattr(callback, "reads_metrics", False))
    if type(callback) is ModelCheckpoint:  # as Lightning's Trainer adds it by itself
        return callback.monitor is not None or callback.filename is not None
    return type(callback) not in _BLIND
