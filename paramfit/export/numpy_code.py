"""A fitted model as Python source that needs NumPy alone."""

import math
from collections.abc import Iterable

from paramfit.errors import InputError
from paramfit.export.written_model import WrittenModel
from paramfit.formulas.compiled_formula import CompiledFormula
from paramfit.formulas.names import code_names
from paramfit.formulas.numpy_notation import SPECIAL_FUNCTIONS, NumpyNotation
from paramfit.results.estimate_cells import caveat, estimate_cell, headline, is_unfinished, remark
from paramfit.results.record import Record
from paramfit.wording import visible

__all__ = ["numpy_source"]

_QUOTES = '"""'  # of a docstring
_OWN = {"np", "float", *SPECIAL_FUNCTIONS.values()}  # what the code itself calls


def numpy_source(record: Record) -> str:
    """A module with one function: ``predict``, or ``arguments`` of a distribution, with the estimates as defaults.

    It takes the inputs in their own units, as rows of numbers ``(n,)`` or single numbers; ``scipy.special`` is imported
    where a formula needs what NumPy has not. Its operations are those of the fit, in their order, but without the care
    that the fit takes where an intermediate overflows: there it gives what NumPy gives.

    Args:
        record: of the fit.

    Raises:
        InputError: if no formula says what the model is, or an estimate is not finite.
    """
    model = WrittenModel.of(record, "numpy")
    for name, value in model.values.items():
        if not math.isfinite(value):
            raise InputError(f"numpy: parameters.{name} is {value} at the end of this fit; there is nothing to write")
    spelling = code_names((*model.variables, *model.values), _OWN)
    imports = ["import numpy as np"]
    special = sorted({called for formula in model.formulas.values() for called in _special(formula)})
    if special:
        imports.append(f"from scipy.special import {', '.join(special)}")
    return "\n".join([*_head(record), "", *imports, "", "", *_function(record, model, spelling), ""])


def _head(record: Record) -> list[str]:
    """How the fit ended, and what to be careful about."""
    lines = [headline(record), *(f"warning: {warning}" for warning in record.warnings)]
    return [f"# {visible(line)}".rstrip() for line in lines]


def _function(record: Record, model: WrittenModel, spelling: dict[str, str]) -> Iterable[str]:
    given = [spelling[name] for name in model.variables]
    yield f"def {'predict' if model.distribution is None else 'arguments'}("
    yield from (f"    {name}," for name in given)
    yield "    *,"
    for name, value in model.values.items():
        yield f"    {spelling[name]}={value!r},{_comment(record, name)}"
    yield "):"
    of = f" at {', '.join(given)}" if given else ""
    what = "The fitted curve" if model.distribution is None else f"Each argument of {model.distribution}"
    ended = caveat(record)
    yield f'    """{what}{of}.{"" if ended else _QUOTES}'
    if ended:
        yield from ("", f"    Careful: {_inside_quotes(ended)}", f"    {_QUOTES}")
    for name in given:
        yield f"    {name} = np.asarray({name}, dtype=float)"
    for name, (shift, scale) in model.scaling.items():
        if (shift, scale) != (0.0, 1.0):
            yield f"    {spelling[name]} = ({spelling[name]} - {shift!r}) * {scale!r}  # as the fit had it"
    notation = NumpyNotation(spelling)
    if model.prediction is not None:
        yield f"    return {model.prediction.written(notation)}"
        return
    yield "    return {"
    yield from (f'        "{name}": {formula.written(notation)},' for name, formula in model.formulas.items())
    yield "    }"


def _comment(record: Record, name: str) -> str:
    """The estimate as a reader wants it."""
    estimate = record.parameters.get(name)
    if estimate is None:
        return "  # fixed"
    words = remark(estimate) if estimate.standard_error is None else ""
    shown = estimate_cell(estimate, rounded=not is_unfinished(record)) if estimate.standard_error is not None else ""
    return f"  # {' '.join(part for part in (shown, visible(estimate.unit or ''), words) if part)}"


def _inside_quotes(text: str) -> str:
    """Text of users that ends no docstring."""
    return visible(text).replace("\\", "\\\\").replace('"', "'")


def _special(formula: CompiledFormula) -> set[str]:
    return {SPECIAL_FUNCTIONS[name] for name in formula.calls & SPECIAL_FUNCTIONS.keys()}
