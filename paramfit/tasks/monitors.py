"""Metrics that callbacks and schedulers wait for: those that will come, and the refusal of those that never will."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import Checkpoint, LearningRateMonitor

from paramfit.errors import InputError
from paramfit.wording import nearest_names, quoted

__all__ = ["ComingMetrics", "refuse_monitors"]

_OF_CHECKPOINTS = ("epoch", "step")  # which Lightning's checkpoints may monitor too
_OWN = ("paramfit", "lightning", "torch", "builtins", "abc", "typing")  # packages that log nothing under another name


@dataclass(frozen=True)
class ComingMetrics:
    """The metrics of a fit that can be monitored.

    Attributes:
        held_out: names of those of held-out rows, without ``val/``.
        has_validation: whether rows are held out; None where that is not known.
        has_rate: whether there is a learning rate.
    """

    held_out: tuple[str, ...]
    has_validation: bool | None
    has_rate: bool

    @property
    def names(self) -> tuple[str, ...]:
        """What each is called."""
        return ("train/loss", *(f"val/{name}" for name in self.held_out), *(["lr"] if self.has_rate else []))


def refuse_monitors(
    module: LightningModule, callbacks: Sequence[Callback], scheduler: Any, metrics: ComingMetrics
) -> None:
    """Refuse to wait for a metric that will never come.

    Another name than those is left to Lightning, which looks for it when it is needed, only where a module or a
    callback of the user's may log it.

    Args:
        module: the task.
        callbacks: those of the trainer.
        scheduler: of the learning rate, if any.
        metrics: those of the fit.

    Raises:
        InputError: naming what waits for it, and what to monitor instead.
    """
    may_be_logged = any(_may_log(part) for part in (module, *callbacks))
    rates = any(isinstance(callback, LearningRateMonitor) for callback in callbacks)
    for waiting in (*callbacks, scheduler):
        monitor = getattr(waiting, "monitor", None)
        if not isinstance(monitor, str) or not getattr(waiting, "enabled", True):
            continue
        also = _OF_CHECKPOINTS if isinstance(waiting, Checkpoint) else ()
        if monitor in also or (rates and monitor.startswith("lr-")):  # as lr-SGD
            continue
        _refuse(_place(waiting), monitor, metrics, may_be_logged)


def _place(waiting: Any) -> str:
    """What waits, as the beginning of a message."""
    if not isinstance(waiting, Callback):
        return "model.scheduler: it"
    if type(waiting).__module__.partition(".")[0] == "paramfit":
        return "early_stopping.monitor: it"
    return f"trainer.callbacks: {type(waiting).__name__}"


def _refuse(place: str, monitor: str, metrics: ComingMetrics, may_be_logged: bool) -> None:
    if monitor == "lr" and not metrics.has_rate:
        raise InputError(f"{place} monitors lr, but a solver has no learning rate; monitor train/loss or val/loss")
    if monitor not in metrics.names and not may_be_logged:
        held_out = f"val/{monitor}"
        instead = (
            f"did you mean {quoted(held_out)}?"
            if held_out in metrics.names
            else nearest_names(monitor, metrics.names, most=1)
        )
        raise InputError(f"{place} monitors {quoted(monitor)}, but there is no such metric; {instead}")
    if monitor.startswith("val/") and metrics.has_validation is False:
        raise InputError(
            f"{place} monitors {monitor}, but no row is held out; give --data.validation_fraction 0.2, or monitor"
            " train/loss"
        )


def _may_log(part: object) -> bool:
    """Whether code of the user's, in the class of a part or given to it, calls anything that has to do with a log."""
    foreign = [kind for kind in type(part).__mro__ if kind.__module__.partition(".")[0] not in _OWN]
    members = [member for kind in foreign for member in vars(kind).values()]
    members += [given for given in vars(part).values() if isinstance(given, FunctionType)]  # of a LambdaCallback
    return any("log" in name.lower() for member in members for name in _names_in(member))


def _names_in(member: object) -> Iterator[str]:
    """All names that a function or property, and the functions in it, look up."""
    functions = (member, *(getattr(member, way, None) for way in ("fget", "__func__", "__wrapped__")))
    codes = [function.__code__ for function in functions if isinstance(function, FunctionType)]
    while codes:
        code = codes.pop()
        yield from code.co_names
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
