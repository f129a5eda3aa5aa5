"""Whether a checkpoint, or the data, belong to a task."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import nn

from paramfit.data.base import EstimationDataModule
from paramfit.errors import InputError
from paramfit.models import DistributionModel, FormulaModel, FunctionModel, ParametricModel
from paramfit.results.json_form import to_plain
from paramfit.results.provenance import describe_model, describe_parameters

__all__ = ["check_checkpoint", "check_identity", "check_units", "checkpoint_mark", "described"]


class _Marked(Protocol):
    """What of a task goes into a checkpoint."""

    model: nn.Module
    updates_per_step: int

    @property
    def updates(self) -> int: ...

    def inner_optimizer(self) -> torch.optim.Optimizer: ...

    def state_dict(self) -> dict[str, Any]: ...


_ENTRIES = {
    "class": "the model",
    "formula": "the formula",
    "function": "the function",
    "distribution": "the distribution",
    "formulas": "the arguments",
    "variables": "the variables",
}
_FORMAT = 3  # of what a checkpoint holds beside Lightning's own: bounds that solvers keep, and the state of their steps
_OF_NO_MODULE = "__main__."
_AS_IT_IS = (0.0, 1.0)  # shift and scale of an input that is not normalised


def checkpoint_mark(task: _Marked) -> dict[str, Any]:
    """What marks a checkpoint as paramfit's: the task, its model, the updates it has made, and its optimizer."""
    optimizer = task.inner_optimizer()
    return {
        "format": _FORMAT,
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
    """Refuse a checkpoint that is foreign, of another version or model, or of one with other bounds.

    Where a fit is ``resuming`` from it, optimizer, learning rate and block size must be the same too.
    """
    mark = checkpoint.get("paramfit")
    if not isinstance(mark, dict):
        raise InputError("ckpt_path: the checkpoint was not made by paramfit")
    if mark.get("format") != _FORMAT:
        raise InputError(
            "ckpt_path: the checkpoint was written by another version of paramfit and cannot be read; fit again"
        )
    theirs = {name: tuple(value.shape) for name, value in checkpoint["state_dict"].items()}
    ours = {name: tuple(value.shape) for name, value in task.state_dict().items()}
    if theirs != ours:
        raise InputError(
            f"ckpt_path: the checkpoint is of another model: it has {_listed(theirs)}, the configuration"
            f" {_listed(ours)}; give --model as it was in that run's config.yaml"
        )
    check_identity(mark["model"], task.model)
    if resuming:
        _check_optimizer(task, mark)


def _check_optimizer(task: _Marked, mark: dict[str, Any]) -> None:
    optimizer = task.inner_optimizer()
    if mark["optimizer"] != type(optimizer).__name__:
        raise InputError(
            f"model.optimizer: the checkpoint was made with {mark['optimizer']}, the configuration names"
            f" {type(optimizer).__name__}; resume with the former, or start anew without --ckpt_path"
        )
    for group, saved in zip(optimizer.param_groups, mark["options"], strict=True):
        for key, value in _options(task, group).items():
            before = saved.get(key)
            if before != value and not (isinstance(value, list | tuple) and list(before or []) == list(value)):
                option = "model.updates_per_step" if key == "updates_per_step" else f"model.optimizer.{key}"
                raise InputError(
                    f"{option}: the checkpoint was made with {before}, the configuration says {value}, and a resumed"
                    f" fit keeps the former; give --{option} {before}, or start anew without --ckpt_path"
                )


def _listed(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name.removeprefix('model.')} {shape}" for name, shape in shapes.items())


def check_units(model: nn.Module, data: EstimationDataModule) -> None:
    """Refuse to fit a formula or a function, which is meant in the data's own units, on inputs it cannot unscale.

    Polynomials and lines, whose estimates are brought back to the data's units, may have normalised inputs; so may a
    module of which nobody knows what its inputs mean.
    """
    if not isinstance(model, FormulaModel | FunctionModel | DistributionModel):
        return
    for shift, scale in data.statistics:
        if (shift, scale) != _AS_IT_IS and model.original_units(shift, scale) is None:
            kind = "function" if isinstance(model, FunctionModel) else "formula"
            raise InputError(
                f"data.normalization: the {kind} is meant in the data's own units, but would be fitted on"
                f" (input - {shift:g}) * {scale:g}; leave it out, or write the scale into the {kind}"
            )


def described(model: nn.Module) -> dict[str, Any]:
    """A model in plain data: what its ``nn.Parameter``s, which are unconstrained numbers, need to mean something.

    Starts and units are left out: they change no meaning.
    """
    description = describe_model(model).as_plain()
    if isinstance(model, FunctionModel):
        name = getattr(model.function, "__qualname__", None)
        path = None if name is None else f"{model.function.__module__}.{name}"
        description |= {"function": path, "variables": list(model.variables)}
    if isinstance(model, ParametricModel):
        description["parameters"] = to_plain(describe_parameters(model))
    return description


def check_identity(fitted: Mapping[str, Any], model: nn.Module) -> None:
    """Refuse a model by which a checkpoint's numbers would be decoded wrongly, naming the first difference.

    ``fitted`` is what ``described`` told of the model that was fitted.
    """
    ours = described(model)
    for entry, called in _ENTRIES.items():
        before, now = fitted.get(entry), ours.get(entry)
        if before is not None and now is not None and not _is_same(before, now):
            _refuse(f"{called} was {_in_words(before)} in the fit", _in_words(now))
    before, now = fitted.get("parameters") or {}, ours.get("parameters") or {}
    for name in now:
        if name in before and before[name] != now[name]:
            if before[name] | {"encoding": None} == now[name] | {"encoding": None}:
                _refuse(f"{name} was kept as its {before[name].get('encoding')}", f"its {now[name].get('encoding')}")
            _refuse(f"{name} was fitted with {_limits(before[name])}", _limits(now[name]))


def _is_same(one: Any, other: Any) -> bool:
    """Whether two entries mean the same: spaces do not count, nor whether a script or a module holds a class."""
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    if not isinstance(one, str):
        return bool(one == other)
    first, second = ("".join(text.replace("^", "**").split()) for text in (one, other))
    if first.startswith(_OF_NO_MODULE) or second.startswith(_OF_NO_MODULE):
        return first.rpartition(".")[2] == second.rpartition(".")[2]
    return first == second


def _in_words(entry: Any) -> str:
    if isinstance(entry, Mapping):
        return ", ".join(f"{name} = {text}" for name, text in entry.items())
    return str(entry) if isinstance(entry, str) else ", ".join(entry) or "none"


def _limits(spec: Mapping[str, Any]) -> str:
    if spec["fixed"] is not None:
        return f"the fixed value {spec['fixed']:.12g}"
    return " and ".join(f"{key} {spec[key]:.12g}" for key in ("lower", "upper") if spec[key] is not None) or "no bounds"


def _refuse(before: str, now: str) -> None:
    raise InputError(
        f"ckpt_path: {before}, this configuration has {now}: the checkpoint's numbers would mean something else; give"
        " --config RUN/config.yaml, as it is in that run's directory"
    )
