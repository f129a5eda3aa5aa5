"""A fitted model as an equation in LaTeX, with its values and their errors."""

from collections.abc import Iterator

from paramfit.export.written_model import WrittenModel
from paramfit.formulas.latex_notation import LatexNotation, latex_number, latex_symbol
from paramfit.results.estimate_cells import caveat, estimate_cell, first_estimates, is_unfinished, remark
from paramfit.results.record import Estimate, Record
from paramfit.shown.digits import plain
from paramfit.shown.escapes import latex_engine, latex_text
from paramfit.wording import visible

__all__ = ["latex_equation"]


def latex_equation(record: Record) -> str:
    """The equation and, below each other, what its symbols are; it needs the package ``amsmath``.

    Estimates are in the data's own units, with the digits that their errors support.

    Args:
        record: of the fit.

    Raises:
        InputError: if no formula says what the model is.
    """
    model = WrittenModel.of(record, "latex")
    said = [ended] if (ended := caveat(record)) else []
    warnings = [f"% warning: {visible(warning)}" for warning in (*said, *record.warnings)]
    lines = [_title(model), *_arguments(model), *_values(record, model)]
    warnings = [*latex_engine(lines), *warnings]
    return "\n".join([*warnings, r"\begin{align*}", " \\\\\n".join(f"  {line}" for line in lines), r"\end{align*}", ""])


def _title(model: WrittenModel) -> str:
    if model.prediction is not None:
        given = f"({', '.join(map(latex_symbol, model.variables))})" if model.variables else ""
        return rf"f{given} &= {model.prediction.written(LatexNotation())}"
    inside = ", ".join(map(latex_symbol, model.formulas))
    return rf"y &\sim \mathrm{{{latex_text(model.distribution or '')}}}\left({inside}\right)"


def _arguments(model: WrittenModel) -> Iterator[str]:
    """The arguments of a distribution that are more than a parameter of the same name."""
    for name, formula in model.formulas.items():
        text = formula.written(LatexNotation())
        if model.distribution is not None and text != latex_symbol(name):
            yield f"{latex_symbol(name)} &= {text}"


def _values(record: Record, model: WrittenModel) -> Iterator[str]:
    estimates = first_estimates(record)
    for name, value in model.values.items():
        estimate = estimates.get(name, Estimate(value, fixed=True))
        number = latex_number(estimate_cell(estimate, rounded=not is_unfinished(record)))
        unit = rf"\ \text{{{latex_text(estimate.unit)}}}" if estimate.unit else ""
        words = rf"\quad \text{{({why})}}" if (why := remark(estimate)) else ""
        yield f"{latex_symbol(name)} &= {number}{unit}{words}"
    if record.original_units is None:
        for name, (shift, scale) in model.scaling.items():
            symbol, numbers = latex_symbol(name), (latex_number(plain(shift)), latex_number(plain(scale)))
            yield rf"{symbol} &\leftarrow \left({symbol} - {numbers[0]}\right) \cdot {numbers[1]}"
