"""Whether a result that was read from a file has all that a comparison reads of it."""

import math
from collections.abc import Iterator, Mapping
from reprlib import Repr
from types import NoneType
from typing import Any, TypeAlias

from paramfit.results.fingerprint import Fingerprint

__all__ = ["fault_of_result"]

_Form: TypeAlias = "tuple[type, ...] | list[_Form] | dict[str, _Form]"
"""The types a value may have, the form of everything in a list, or the form of each thing in a dictionary."""

_EACH = "*"  # everything in a dictionary, whatever it is called
_TEXT = (str,)
_COUNT = (int,)
_NUMBER = (float, int)
_MAYBE = (float, int, NoneType)
_STATISTIC = (float, int, str, NoneType)  # as text where it is not finite
_CRITERIA: dict[str, _Form] = dict.fromkeys(("log_likelihood", "aic", "aicc", "bic"), _STATISTIC)
_STATISTICS = (*_CRITERIA, "residual_sum_of_squares")
_WRITTEN: dict[str, _Form] = {
    "variables": [_TEXT],
    "parameters": {_EACH: {"fixed": _MAYBE, "lower": _MAYBE, "upper": _MAYBE}},
}
_RESULT: dict[str, _Form] = {
    "task": _TEXT,
    "status": _TEXT,
    "n_observations": {"train": _COUNT},
    "parameters": {_EACH: {"estimate": (float, int, str)}},
    "fingerprint": _TEXT,
    "model": {"class": _TEXT},
    "objective": {"class": _TEXT, "penalised": (bool,)},
}
# What is asked for only where it is there.
_OPTIONAL: dict[str, dict[str, _Form]] = {
    "likelihood": {**_CRITERIA, "n_parameters": _COUNT},
    "least_squares": {
        **_CRITERIA,
        "degrees_of_freedom": _COUNT,
        "residual_sum_of_squares": _STATISTIC,
        "sigma_is": (str, NoneType),
    },
    "normalized_input": {"shift": (float, int, list), "scale": (float, int, list)},
}
_OF_A_FORMULA: dict[str, _Form] = {**_WRITTEN, "formula": _TEXT}
_OF_A_DISTRIBUTION: dict[str, _Form] = {**_WRITTEN, "distribution": _TEXT, "formulas": {_EACH: _TEXT}}


def fault_of_result(plain: Mapping[str, Any]) -> str | None:
    """The first thing that is missing from a result in plain data, or that is not what it should be.

    Args:
        plain: what ``estimates.json`` holds.

    Returns:
        Words that follow the file's name; None where nothing is wrong.

    Example:
        >>> fault_of_result({"task": "LeastSquares", "status": "converged", "n_observations": {}})
        'has no n_observations.train, as files of an older version have not'
    """
    form = {**_RESULT, **{key: form for key, form in _OPTIONAL.items() if plain.get(key) is not None}}
    return next(_faults(plain, form), None) or next(_faults_of_parts(plain), None)


def _faults(found: Any, form: _Form, place: str = "") -> Iterator[str]:
    if found is None and not (isinstance(form, tuple) and NoneType in form):
        yield f"has no {place}, as files of an older version have not"
    elif isinstance(form, list) and isinstance(found, list):
        for number, one in enumerate(found):
            yield from _faults(one, form[0], f"{place}[{number}]")
    elif isinstance(form, dict) and isinstance(found, dict):
        for key, inner in form.items():
            for name in found if key == _EACH else (key,):
                where = f"{place}.{name}" if place else name
                if name in found:
                    yield from _faults(found[name], inner, where)
                else:
                    yield f"has no {where}, as files of an older version have not"
    elif not (isinstance(form, tuple) and isinstance(found, form)):
        yield _meaningless(place, found)


def _faults_of_parts(plain: Mapping[str, Any]) -> Iterator[str]:
    """What does not go together, of a result whose parts are all there."""
    for name, estimate in plain["parameters"].items():
        if not _is_number(estimate["estimate"]):
            yield _meaningless(f"parameters.{name}.estimate", estimate["estimate"])
    for part in ("likelihood", "least_squares"):
        for key, value in (plain.get(part) or {}).items():
            if key in _STATISTICS and value is not None and not _is_number(value):
                yield _meaningless(f"{part}.{key}", value)
    try:
        inputs = Fingerprint.read(plain["fingerprint"]).inputs
    except ValueError:
        yield _meaningless("fingerprint", plain["fingerprint"])
        return
    model = plain["model"]
    if "formula" in model or "formulas" in model:
        yield from _faults(model, _OF_A_FORMULA if "formula" in model else _OF_A_DISTRIBUTION, "model")
        free = [name for name, spec in model["parameters"].items() if spec["fixed"] is None]
        yield from (f"has no parameters.{name}" for name in free if name not in plain["parameters"])
        if len(model["variables"]) > len(inputs):
            yield _meaningless("model.variables", model["variables"])
    normalized = plain.get("normalized_input")
    if normalized is not None:
        given = normalized["shift"], normalized["scale"]
        shift, scale = (one if isinstance(one, list) else [one] for one in given)
        alike = isinstance(given[0], list) is isinstance(given[1], list) and len(shift) == len(scale) == len(inputs)
        if not (alike and all(map(_is_number, (*shift, *scale)))):
            yield _meaningless("normalized_input", normalized)


def _meaningless(place: str, found: Any) -> str:
    return f"says {Repr().repr(found)} for {place}, which cannot be"


def _is_number(found: Any) -> bool:
    """Whether it is one, or one that is not finite, as text."""
    if isinstance(found, str):
        return found in {str(math.inf), str(-math.inf), str(math.nan)}
    return isinstance(found, _NUMBER)
