"""Observations from what Python users have at hand: arrays, tensors, dataframes."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paramfit.data.array_column import as_array, float_column
from paramfit.data.censored_rows import (
    Bounds,
    censored,
    check_censored,
    complaint_about_no_ends,
    one_sided,
    statuses_of_words,
)
from paramfit.data.columns import Columns
from paramfit.distributions import Censoring
from paramfit.errors import InputError
from paramfit.observations import Censored, Observations
from paramfit.wording import nearest_names, quoted

__all__ = ["column_names", "observations_from"]


def observations_from(
    data: Any,
    inputs: str | Sequence[str] | None = None,
    target: str | None = None,
    sigma: Any = None,
    dtype: torch.dtype = torch.float64,
    censoring: Any = None,
    upper: Any = None,
) -> tuple[Observations, Columns]:
    """Observations from what ``paramfit.fit`` takes, and what their columns are called.

    The values are copied, so that later changes of the arrays do not reach the fit; tensors come to the CPU. Data
    without names have their columns called as ``inputs`` and ``target`` say.

    Raises:
        InputError: naming the column (and the row, from 0), for a column that is not there, that is not a row of
            numbers or has another length, for a value that is not finite, and for a sigma that is not above 0.

    Example:
        >>> observations, columns = observations_from({"t": [0, 1, 2], "h": [1.0, 3.0, 5.0]}, inputs="t", target="h")
        >>> observations.n, columns.inputs
        (3, ('t',))
    """
    asked = (inputs,) if isinstance(inputs, str) else None if inputs is None else tuple(inputs)
    available = None
    bounds = None
    if isinstance(data, Observations):
        given, sigma = [*data.inputs, data.target], data.sigma if sigma is None else sigma
        bounds = data.censoring
        if bounds is not None and bounds.status.shape == bounds.upper.shape == data.target.shape:
            given[-1], bounds = _kept_one_sided(data.target, bounds)
        columns = _named(len(data.inputs), asked, target)
    elif isinstance(data, tuple | list):
        if not data or isinstance(data[0], Real | str):
            msg = "data: expected (x, y), or (y,) for a plain sample, each of them an array, but got a list of values"
            raise InputError(msg)
        given = list(data)
        columns = _named(len(given) - 1, asked, target)
    else:
        available = column_names(data)
        if asked is not None and target is None:
            taken = [role for role in (sigma, censoring, upper) if isinstance(role, str)]
            target = _only_other(available, (*asked, *taken))
        if asked is None or target is None:
            missing = "inputs" if asked is None else "target"
            listed = ", ".join(map(quoted, available))
            raise InputError(f"{missing}: say which of the columns {listed} are the inputs and the target")
        columns = Columns(asked, target)
        given = [_column(data, name, available) for name in (*asked, target)]
    roles: dict[str, Any] = {"sigma": sigma, "censoring": censoring, "upper": upper}
    called = {role: role for role in roles}
    for role, values in roles.items():
        if isinstance(values, str):
            if available is None:
                msg = f"{role}: {quoted(values)} names a column, but the data have no names; give the array itself"
                raise InputError(msg)
            roles[role] = _column(data, values, available)
            called[role] = values
    if sigma is not None:
        columns = columns._replace(sigma=called["sigma"])
    names = (*columns.inputs, columns.target)
    if roles["censoring"] is not None and roles["upper"] is not None:
        ends = (columns.target, called["censoring"], called["upper"])
        given[-1], roles["censoring"], roles["upper"] = _with_one_sided(
            ends, given[-1], roles["censoring"], roles["upper"]
        )
    if len(set(names)) < len(names):
        raise InputError(f"inputs, target: a column has one role, but {', '.join(map(quoted, names))} name one twice")
    observations = _observations(names, given, roles["sigma"], dtype)
    if roles["censoring"] is not None or roles["upper"] is not None:
        names = (columns.target, called["censoring"], called["upper"])
        bounds = _censored(names, observations.target, roles["censoring"], roles["upper"])
    observations = observations._replace(censoring=None if bounds is None else bounds.to(observations.target))
    check_censored(observations)
    return observations, columns


def _with_one_sided(names: tuple[str, str, str], target: Any, words: Any, upper: Any) -> tuple[Any, Any, Any]:
    """The three columns, with intervals that have one end as what they are; as they were where they do not fit."""
    statuses = statuses_of_words(np.asarray(words).ravel(), lambda row: f"data: {quoted(names[1])} in row {row}")
    lower, ends = as_array(names[0], target), as_array(names[2], _read(upper, statuses == Censoring.INTERVAL))
    if not statuses.shape == lower.shape == ends.shape:
        return target, words, upper
    bounds = one_sided(Bounds(statuses, lower, ends))
    nothing = (bounds.status == Censoring.INTERVAL) & np.isneginf(bounds.target) & np.isposinf(bounds.upper)
    if nothing.any():
        raise InputError(f"data: row {int(nothing.argmax())}: {complaint_about_no_ends()}")
    if bounds.status is statuses:
        return target, words, upper
    return bounds.target, [Censoring(int(status)).name.lower() for status in bounds.status], bounds.upper


def _kept_one_sided(target: Tensor, bounds: Censored) -> tuple[Tensor, Censored]:
    """The same of observations that were made already."""
    made = one_sided(Bounds(*(column.cpu().double().numpy() for column in (bounds.status, target, bounds.upper))))
    status = torch.from_numpy(made.status).to(bounds.status)
    return torch.from_numpy(made.target).to(target), Censored(status, torch.from_numpy(made.upper).to(bounds.upper))


def _read(values: Any, needed: NDArray[np.bool_]) -> Any:
    """A column in which rows that are not needed are nothing, whatever stands there."""
    entries = values if isinstance(values, Tensor) else np.asarray(values)
    if isinstance(entries, Tensor) or entries.shape != needed.shape:
        return values
    return np.where(needed, entries, 0.0) if entries.dtype.kind == "O" else entries


def _censored(names: tuple[str, str, str], target: Tensor, words: Any, upper: Any) -> Censored | None:
    """What the words say of the observations."""
    if words is None:
        raise InputError("upper: upper ends belong to intervals; say which rows are some by censoring")
    status = statuses_of_words(np.asarray(words).ravel(), lambda row: f"data: {quoted(names[1])} in row {row}")
    is_interval = status == Censoring.INTERVAL
    if upper is None and is_interval.any():
        msg = f"data: row {int(is_interval.argmax())} is an interval, but there are no upper ends; give them by upper"
        raise InputError(msg)
    ends = None if upper is None else float_column(names[2], upper, target.dtype, is_interval)
    for what, column in zip(names[1:], (status, status if ends is None else ends), strict=True):
        if len(column) != len(target):
            msg = f"data: {quoted(what)} has {len(column)} values, but the target {quoted(names[0])} has {len(target)}"
            raise InputError(msg)
    return censored(torch.from_numpy(status), ends)


def _observations(names: Sequence[str], given: Sequence[Any], sigma: Any, dtype: torch.dtype) -> Observations:
    *xs, y = (float_column(name, values, dtype) for name, values in zip(names, given, strict=True))
    n = len(y)
    if n == 0:
        raise InputError(f"data: the column {quoted(names[-1])} is empty; a fit needs observations")
    sigmas = np.full(n, float(sigma)) if isinstance(sigma, Real) else sigma
    spread = None if sigma is None else float_column("sigma", sigmas, dtype)
    for name, column in zip((*names[:-1], "sigma"), (*xs, y if spread is None else spread), strict=True):
        if len(column) != n:
            msg = f"data: {quoted(name)} has {len(column)} values, but the target {quoted(names[-1])} has {n}"
            raise InputError(msg)
    if spread is not None and not bool((spread > 0).all()):
        row = int((spread > 0).logical_not().nonzero()[0])
        raise InputError(f"data: sigma is {spread[row].item():g} in row {row}; a standard deviation is above 0")
    return Observations(tuple(xs), y, spread)


def _named(n_inputs: int, inputs: tuple[str, ...] | None, target: str | None) -> Columns:
    """The names to use for columns that came without."""
    default = Columns.unnamed(n_inputs)
    if inputs is not None and len(inputs) != n_inputs:
        raise InputError(f"inputs: {len(inputs)} names, but the data have {n_inputs} input columns")
    return Columns(default.inputs if inputs is None else inputs, target or default.target)


def _only_other(names: list[Any], roles: tuple[str, ...]) -> str | None:
    """The column that has no role yet, where there is exactly one."""
    others = [name for name in names if name not in roles]
    return others[0] if len(others) == 1 and isinstance(others[0], str) else None


def column_names(data: Any) -> list[Any]:
    """What a mapping or a dataframe calls its columns."""
    if isinstance(data, Mapping):
        return list(data)
    # A pyarrow table has its names here, and in ``columns`` the columns themselves.
    names = getattr(data, "column_names", getattr(data, "columns", None))
    if names is None or not hasattr(data, "__getitem__"):
        hint = "; give (x, y), or (y,) for a plain sample" if hasattr(data, "__len__") else ""
        msg = f"data: expected arrays, Observations, a mapping or a dataframe, but got {type(data).__name__}{hint}"
        raise InputError(msg)
    return list(names)


def _column(data: Any, name: Any, names: list[Any]) -> Any:
    times = names.count(name)
    if times != 1:
        problem = f"there is no column {quoted(str(name))}" if times == 0 else f"{times} columns are called {name!r}"
        hint = nearest_names(str(name), map(str, names)) if times == 0 else "give each a name of its own"
        raise InputError(f"data: {problem}; {hint}")
    return data[name]
