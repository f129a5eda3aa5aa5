"""Whether a checkpoint, or the data, belong to a task."""

from typing import Any, Protocol

import torch
from torch import nn

from paramfit.data.base import EstimationDataModule
from paramfit.errors import InputError
from paramfit.models import DistributionModel, FormulaModel, FunctionModel
from paramfit.tasks.model_identity import check_identity, described

__all__ = ["check_checkpoint", "check_units", "checkpoint_mark"]


class _Marked(Protocol):
    """What of a task goes into a checkpoint."""

    model: nn.Module
    updates_per_step: int

    @property
    def updates(self) -> int: ...

    def inner_optimizer(self) -> torch.optim.Optimizer: ...

    def state_dict(self) -> dict[str, Any]: ...


_AS_IT_IS = (0.0, 1.0)  # shift and scale of an input that is not normalised


def checkpoint_mark(task: _Marked) -> dict[str, Any]:
    """What marks a checkpoint as paramfit's: the task, its model, the updates it has made, and its optimizer."""
    optimizer = task.inner_optimizer()
    return {
        "task": type(task).__name__,
        "model": described(task.model),
        "updates": task.updates,
        "optimizer": type(optimizer).__name__,
        # as configured: schedulers change what the optimizer's own state says of them
        "options": [_options(task, group) for group in optimizer.param_groups],
    }


def _options(task: _Marked, group: dict[str, Any]) -> dict[str, Any]:
    """The settings of a fresh parameter group that a checkpoint can keep as plain values."""
    plain = {key: value for key, value in group.items() if isinstance(value, int | float | str | None | list | tuple)}
    return {key: value for key, value in plain.items() if key != "params"} | {"updates_per_step": task.updates_per_step}


def check_checkpoint(task: _Marked, checkpoint: dict[str, Any], *, resuming: bool) -> None:
    """Refuse a checkpoint that would be loaded wrongly.

    Args:
        task: the configured task.
        checkpoint: what ``torch.load`` gave.
        resuming: whether the fit goes on from it; then the way updates are made must be the same too.

    Raises:
        InputError: if the checkpoint is foreign, of another model or one with other bounds, or (resuming) of another
            optimizer, learning rate or block size.
    """
    mark = checkpoint.get("paramfit")
    if not isinstance(mark, dict):
        msg = "ckpt_path: the checkpoint was not made by paramfit"
        raise InputError(msg)
    theirs = {name: tuple(value.shape) for name, value in checkpoint["state_dict"].items()}
    ours = {name: tuple(value.shape) for name, value in task.state_dict().items()}
    if theirs != ours:
        msg = (
            f"ckpt_path: the checkpoint is of another model: it has {_listed(theirs)}, the configuration"
            f" {_listed(ours)}; give --model as it was in that run's config.yaml"
        )
        raise InputError(msg)
    check_identity(mark.get("model", {}), task.model)  # which checkpoints of older versions do not hold
    if resuming:
        _check_optimizer(task, mark)


def _check_optimizer(task: _Marked, mark: dict[str, Any]) -> None:
    optimizer = task.inner_optimizer()
    if mark["optimizer"] != type(optimizer).__name__:
        msg = (
            f"model.optimizer: the checkpoint was made with {mark['optimizer']}, the configuration names"
            f" {type(optimizer).__name__}; resume with the former, or start anew without --ckpt_path"
        )
        raise InputError(msg)
    for group, saved in zip(optimizer.param_groups, mark["options"], strict=True):
        for key, value in _options(task, group).items():
            before = saved.get(key)
            if before != value and not (isinstance(value, list | tuple) and list(before or []) == list(value)):
                option = "model.updates_per_step" if key == "updates_per_step" else f"model.optimizer.{key}"
                msg = (
                    f"{option}: the checkpoint was made with {before}, the configuration says {value}, and a resumed"
                    f" fit keeps the former; give --{option} {before}, or start anew without --ckpt_path"
                )
                raise InputError(msg)


def _listed(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name.removeprefix('model.')} {shape}" for name, shape in shapes.items())


def check_units(model: nn.Module, data: EstimationDataModule) -> None:
    """Refuse to fit a formula or a function, which is meant in the data's own units, on normalised inputs.

    Args:
        model: polynomials and lines, whose estimates are brought back to the data's units, may be normalised; so may a
            module of which nobody knows what its inputs mean.
        data: read, and with its statistics.

    Raises:
        InputError: if an input is shifted or scaled, and the formula or the function cannot undo it.
    """
    if not isinstance(model, FormulaModel | FunctionModel | DistributionModel):
        return
    for shift, scale in data.statistics:
        if (shift, scale) != _AS_IT_IS and model.original_units(shift, scale) is None:
            kind = "function" if isinstance(model, FunctionModel) else "formula"
            msg = (
                f"data.normalization: the {kind} is meant in the data's own units, but would be fitted on"
                f" (input - {shift:g}) * {scale:g}; leave it out, or write the scale into the {kind}"
            )
            raise InputError(msg)
