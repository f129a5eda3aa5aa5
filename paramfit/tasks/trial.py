"""Trying a model on its data before anything is written."""

import copy
import inspect
import traceback
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from paramfit.distributions import check_observations
from paramfit.distributions.domain import refuse_outside, refused_fact, unchecked
from paramfit.errors import InputError
from paramfit.models import ParametricModel, free_arguments
from paramfit.observations import Observations
from paramfit.tasks.base import EstimationTask
from paramfit.tasks.hand_written import HandWrittenDescent
from paramfit.users_code import Place, place_in_users_code, place_of

__all__ = ["try_model"]


def try_model(
    task: EstimationTask, observations: Observations, *, is_start: bool = True, held_out: Tensor | None = None
) -> None:
    """Evaluate a copy of the model once, so that a model that does not fit its data is found out before the fit.

    Of parameters that a checkpoint is going to replace, which are no start, nobody needs to know where they are. Rows
    that are ``held_out`` ``(n,)`` may be outside of what a distribution allows: no fit starts from them.

    Raises:
        InputError: if ``forward`` fails or returns no prediction for each observation, if the observations are outside
            a distribution's support, if an argument of a distribution is outside what it allows at the start, or if
            autograd, where the task needs it, cannot follow the model.
    """
    objective = type(task.objective).__name__
    if not all(hasattr(task.objective, part) for part in ("reduction", "l1", "l2", "summation")):
        raise InputError(
            f"model.objective: {objective}.__init__ does not call that of Objective; begin it with super().__init__()"
        )
    for method, arguments in (
        ("per_observation", "prediction, target, sigma=None"),
        ("derivative", "prediction, target, sigma=None"),
        ("censored", "prediction, target, sigma, censoring"),
    ):
        _check_call("model.objective", task.objective, method, arguments)
    if isinstance(task, HandWrittenDescent):
        _check_call("model.gradient", task.gradient, "__call__", "model, objective, observations")
    model = copy.deepcopy(task.model).eval()
    name = type(model).__name__
    forward = f"model: {name}.forward"
    observations = task.in_precision(observations)
    _check_forward(model, len(observations.inputs))
    shapes = ", ".join(str(tuple(column.shape)) for column in observations.inputs) or "no input"
    checks = nullcontext() if is_start else unchecked()
    with torch.random.fork_rng(devices=[]), torch.enable_grad(), checks:
        try:
            prediction = _predicted(model, observations.inputs, held_out)
        except InputError:
            raise
        except Exception as failure:  # whatever the user's model raises
            if isinstance(failure, ValueError):
                refuse_outside(failure, observations.inputs)
            where = _in_one_line(failure, type(model))
            raise InputError(f"{forward} failed on inputs of shapes {shapes}: {where}") from failure
        if not isinstance(prediction, Tensor | Distribution):
            raise InputError(f"{forward} returned {type(prediction).__name__}, not a tensor or a distribution")
        if isinstance(prediction, Distribution):
            check_observations(prediction, observations, free_arguments(model))
        try:
            losses = task.objective.losses(prediction, *observations.measured)
        except InputError:
            raise
        except (ValueError, RuntimeError, TypeError) as failure:
            if isinstance(failure, ValueError):
                refuse_outside(failure, observations.inputs)
            if place_of(type(task.objective)) is not None:
                where = _in_one_line(failure, type(task.objective))
                raise InputError(f"model.objective: {objective}.per_observation failed: {where}") from failure
            where = _in_one_line(failure, type(model))
            raise InputError(f"model: {name} and the observations do not belong together: {where}") from failure
        if not isinstance(losses, Tensor):
            raise InputError(
                f"model.objective: {objective}.per_observation returned {type(losses).__name__}, not a tensor; return"
                " the loss of each observation, by torch's functions"
            )
        if isinstance(task, HandWrittenDescent) and is_start:
            _check_gradient(task, model, observations)
    if is_start and isinstance(prediction, Distribution) and not bool(losses.isfinite().all()):
        refuse_outside(prediction, observations.inputs, None if held_out is None else ~held_out)
    if isinstance(prediction, Tensor) and not prediction.ndim and observations.inputs:
        raise InputError(
            f"shapes do not match: {name} gives one value for all {observations.n} observations; it must give one for"
            " each"
        )
    if losses.shape != observations.target.shape:
        if _shape(prediction) in (observations.target.shape, ()):
            raise InputError(
                f"model.objective: {objective}.per_observation returned {tuple(losses.shape)} for {observations.n}"
                f" observations{_at(type(task.objective))}; return the loss of each, before any mean or sum"
            )
        raise InputError(
            f"shapes do not match: {name} gives {tuple(losses.shape)} losses for a target of"
            f" {tuple(observations.target.shape)}; the model must return one value for each observation"
        )
    if task.automatic_optimization and not losses.requires_grad:
        if _is_followed(prediction):
            raise InputError(
                f"model.objective: autograd cannot follow {objective}.per_observation to the"
                f" prediction{_at(type(task.objective))}; compute the loss by torch's functions, without detach() or"
                " NumPy"
            )
        raise InputError(
            f"model: autograd cannot follow {name}.forward to its parameters (detached, integer or NumPy values?);"
            " HandWrittenDescent with NumericalGradient needs no autograd"
        )


def _check_gradient(task: HandWrittenDescent, model: nn.Module, observations: Observations) -> None:
    """Refuse a gradient rule that does not give the loss and a derivative for each parameter."""
    rule = type(task.gradient).__name__
    wants = "return the loss, and a dictionary with the derivative by each parameter"
    try:
        given = task.gradient(model, task.objective, observations)
    except ValueError:  # as a rule's own refusal, or a distribution's, which the fit tells
        return
    if not (isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping)):
        raise InputError(f"model.gradient: {rule} returned no pair of a loss and gradients; {wants}")
    loss, gradients = given
    if not isinstance(loss, Tensor) or loss.ndim:
        raise InputError(f"model.gradient: {rule} returned a loss that is no tensor of one number; {wants}")
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        slope = gradients.get(name)
        if not isinstance(slope, Tensor):
            raise InputError(f"model.gradient: {rule} gave no tensor for {name}; {wants}")
        if slope.shape != parameter.shape:
            raise InputError(
                f"model.gradient: {rule} gave {tuple(slope.shape)} for {name}, which has {tuple(parameter.shape)};"
                " give each derivative in its parameter's shape"
            )


def _predicted(model: nn.Module, inputs: tuple[Tensor, ...], held_out: Tensor | None) -> Any:
    """The prediction; of a distribution that refuses its arguments, without them being checked in held-out rows."""
    try:
        return model(*inputs)
    except InputError:
        raise
    except ValueError as refused:
        if held_out is None or refused_fact(refused) is None:
            raise
        with unchecked():
            prediction = model(*inputs)
        if isinstance(prediction, Distribution):
            refuse_outside(prediction, inputs, ~held_out)
        return prediction


def _check_call(option: str, part: Any, method: str, arguments: str) -> None:
    """Refuse a method that does not take what it is called with."""
    bound = getattr(part, method)
    if not _takes(bound, len(arguments.split(", "))):
        owner = type(part)
        raise InputError(
            f"{option}: {owner.__name__}.{method} takes {_arguments(bound)}{_at(owner)}; write"
            f" def {method}(self, {arguments})"
        )


def _check_forward(model: nn.Module, count: int) -> None:
    """Refuse a module without a forward, or with one that takes another number of inputs."""
    kind = type(model)
    if kind.forward is nn.Module.forward and "forward" not in vars(model):
        raise InputError(
            f"model: {kind.__name__} has no forward{_at(kind)}; write def forward(self, x), which returns a prediction"
            " for each observation"
        )
    if not isinstance(model, ParametricModel) and not _takes(model.forward, count):
        raise InputError(
            f"model: {kind.__name__}.forward takes {_arguments(model.forward)}, but the data have {_inputs(count)}"
            f"{_at(kind)}; it takes one argument for each input column"
        )


def _takes(call: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(call).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # it does not say
        return True
    return True


def _arguments(call: Callable[..., Any]) -> str:
    return ", ".join(map(str, inspect.signature(call).parameters)) or "nothing"


def _inputs(count: int) -> str:
    return "no input" if not count else "1 input" if count == 1 else f"{count} inputs"


def _at(kind: type) -> str:
    """Where a person's own class is, in brackets."""
    place = place_of(kind)
    return "" if place is None else f" ({place})"


def _shape(prediction: Tensor | Distribution) -> tuple[int, ...]:
    return tuple(prediction.batch_shape if isinstance(prediction, Distribution) else prediction.shape)


def _is_followed(part: Any) -> bool:
    """Whether autograd follows a prediction, or some argument of a distribution or of one within it."""
    if isinstance(part, Distribution):
        return any(map(_is_followed, vars(part).values()))
    return isinstance(part, Tensor) and part.requires_grad


def _in_one_line(failure: BaseException, kind: type) -> str:
    """The failure in one line, with the place in the user's own file: at least that of the class that it arose in."""
    frame = traceback.extract_tb(failure.__traceback__)[-1]
    place = place_in_users_code(failure) or place_of(kind) or Place(frame.filename, frame.lineno or 1, frame.name)
    reason = " ".join(str(failure).split())[:300]
    if not reason and isinstance(failure, NotImplementedError):  # as torch's Distribution raises it
        reason = f"{frame.name} is not written"
    return f"{type(failure).__name__}: {reason} ({place})"
