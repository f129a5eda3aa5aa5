"""What Lightning says, leaves behind and times, kept out of the user's way."""

import logging
import os
import traceback
import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from jsonargparse._deprecated import JsonargparseDeprecationWarning
from lightning.pytorch.profilers import PassThroughProfiler

__all__ = ["NoProfiler", "raised_by_lightning", "silence_lightning"]


def silence_lightning() -> None:
    """Silence what Lightning says of itself; what the user did is still commented."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    profiles = logging.getLogger("lightning.pytorch.profilers.profiler")
    if not profiles.handlers:
        profiles.addHandler(_Printed())
    profiles.setLevel(logging.INFO)
    profiles.propagate = False
    # A full batch is one batch an epoch; curves are recorded by updates, not by batches.
    warnings.filterwarnings("ignore", message="The number of training batches")
    # A schedule of accumulation is taken up by the task, which overrides the step of the optimizer.
    warnings.filterwarnings("ignore", message="When using `Trainer.accumulate_grad_batches != 1.` and overriding")
    # A fit need not hold out rows.
    warnings.filterwarnings("ignore", message="Total length of `list` across ranks is zero")
    # An evaluation needs none of the callbacks whose state the checkpoint keeps.
    warnings.filterwarnings("ignore", message="Be aware that when using `ckpt_path`")
    # What Lightning calls in other libraries is not the user's affair.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    warnings.filterwarnings("ignore", category=JsonargparseDeprecationWarning)


class _Printed(logging.Handler):
    """Prints what is logged: a profile was asked for, and is no comment of Lightning's on itself."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message as it is."""
        print(record.getMessage())


def raised_by_lightning(error: BaseException) -> bool:
    """Whether Lightning itself refused something: a Trainer option, or a callback of its own."""
    return f"{os.sep}lightning{os.sep}" in traceback.extract_tb(error.__traceback__)[-1].filename


_NOTHING = nullcontext()


class NoProfiler(PassThroughProfiler):
    """Lightning's profiler that profiles nothing, without a new generator around each hook of each callback.

    With one update an epoch Lightning opens some seventy of them for every update, a tenth of its cost.
    """

    def profile(self, action_name: str) -> AbstractContextManager[Any]:  # type: ignore[override]  # a generator there
        """Do nothing around an action."""
        return _NOTHING
