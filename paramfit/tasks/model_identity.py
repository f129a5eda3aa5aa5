"""Whether a checkpoint's numbers mean in a configuration what they meant in the fit."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from paramfit.errors import InputError
from paramfit.models import FunctionModel, ParametricModel
from paramfit.results.origin import describe_model, describe_parameters

__all__ = ["check_identity", "described"]

_ENTRIES = {
    "class": "the model",
    "formula": "the formula",
    "function": "the function",
    "distribution": "the distribution",
    "formulas": "the arguments",
    "variables": "the variables",
}
_OF_NO_MODULE = "__main__."


def described(model: nn.Module) -> dict[str, Any]:
    """A model in plain data: what its ``nn.Parameter``s, which are unconstrained numbers, need to mean something.

    Returns:
        What ``describe_model`` tells; of a ``FunctionModel`` also ``function``, the path of its function (None where
        it has none), and ``variables``; of all that declare parameters ``parameters``: for each name its value where
        it is ``fixed``, and its bounds ``lower`` and ``upper``. Starts and units are left out: they change no meaning.
    """
    description = describe_model(model)
    if isinstance(model, FunctionModel):
        description |= {"function": _path_of(model.function), "variables": list(model.variables)}
    if isinstance(model, ParametricModel):
        description["parameters"] = describe_parameters(model)
    return description


def _path_of(function: Any) -> str | None:
    name = getattr(function, "__qualname__", None)
    return None if name is None else f"{function.__module__}.{name}"


def check_identity(fitted: Mapping[str, Any], model: nn.Module) -> None:
    """Refuse a model by which a checkpoint's numbers would be decoded wrongly.

    Args:
        fitted: what ``described`` told of the model that was fitted.
        model: the configured one.

    Raises:
        InputError: naming the first difference, and what it was in the fit.
    """
    ours = described(model)
    for entry, called in _ENTRIES.items():
        before, now = fitted.get(entry), ours.get(entry)
        if before is not None and now is not None and not _is_same(before, now):
            _refuse(f"{called} was {_in_words(before)} in the fit", _in_words(now))
    before, now = fitted.get("parameters") or {}, ours.get("parameters") or {}
    for name in now:
        if name in before and before[name] != now[name]:
            _refuse(f"{name} was fitted with {_limits(before[name])}", _limits(now[name]))


def _is_same(one: Any, other: Any) -> bool:
    """Whether two entries mean the same: spaces do not count, nor whether a script or a module holds a class."""
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    if not isinstance(one, str):
        return bool(one == other)
    first, second = _normal(one), _normal(other)
    if first.startswith(_OF_NO_MODULE) or second.startswith(_OF_NO_MODULE):
        return first.rpartition(".")[2] == second.rpartition(".")[2]
    return first == second


def _normal(text: str) -> str:
    return "".join(text.replace("^", "**").split())


def _in_words(entry: Any) -> str:
    if isinstance(entry, Mapping):
        return ", ".join(f"{name} = {text}" for name, text in entry.items())
    return str(entry) if isinstance(entry, str) else ", ".join(entry) or "none"


def _limits(spec: Mapping[str, Any]) -> str:
    if spec["fixed"] is not None:
        return f"the fixed value {spec['fixed']:.12g}"
    return " and ".join(f"{key} {spec[key]:.12g}" for key in ("lower", "upper") if spec[key] is not None) or "no bounds"


def _refuse(before: str, now: str) -> None:
    msg = (
        f"ckpt_path: {before}, this configuration has {now}: the checkpoint's numbers would mean something else; give"
        " --config RUN/config.yaml, as it is in that run's directory"
    )
    raise InputError(msg)
