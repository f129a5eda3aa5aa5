"""The table of estimates as CSV, Markdown or LaTeX."""

import csv
import io
from collections.abc import Iterable, Sequence

from paramfit.formulas.latex_notation import latex_number
from paramfit.results.estimate_cells import estimate_cell, first_estimates, interval_cell, is_unfinished, remark
from paramfit.results.record import Record
from paramfit.shown.escapes import latex_text, markdown_text
from paramfit.wording import visible

__all__ = ["csv_table", "latex_table", "markdown_table"]

_COLUMNS = ("parameter", "estimate", "standard_error", "lower_95", "upper_95", "unit", "remark")
_UNDONE = "Estimates on the normalised input, which this model cannot undo."


def csv_table(record: Record) -> str:
    """One row for each parameter, numbers with all their digits; what is not there is empty.

    Args:
        record: of the fit.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    normalised = "on the normalised input" if _is_normalised(record) else ""
    for name, estimate in first_estimates(record).items():
        low, high = estimate.interval_95 or (None, None)
        numbers = (estimate.estimate, estimate.standard_error, low, high)
        words = "; ".join(part for part in (remark(estimate), normalised) if part)
        cells = ("" if number is None else repr(float(number)) for number in numbers)
        writer.writerow([visible(name), *cells, visible(estimate.unit or ""), words])
    return text.getvalue()


def markdown_table(record: Record) -> str:
    """As the report has it, with warnings below.

    Args:
        record: of the fit.
    """
    header, rows = _rows(record)
    lines = [f"{_UNDONE}\n"] if _is_normalised(record) else []
    lines += [_markdown_row(header), _markdown_row(["---", *["---:"] * (len(header) - 1)], literal=False)]
    lines += [_markdown_row(row) for row in rows]
    lines += [f"\nwarning: {markdown_text(warning)}" for warning in record.warnings]
    return "\n".join(lines) + "\n"


def _markdown_row(cells: Sequence[str], *, literal: bool = True) -> str:
    return f"| {' | '.join(markdown_text(cell) if literal else cell for cell in cells)} |"


def latex_table(record: Record) -> str:
    """The same as a ``tabular``, in which each value stands in mathematics.

    Args:
        record: of the fit.
    """
    header, rows = _rows(record)
    has_unit = "unit" in header
    lines = [f"% warning: {visible(warning)}" for warning in record.warnings]
    lines += [f"% {_UNDONE}"] if _is_normalised(record) else []
    lines += [rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}", r"\hline", _latex_row(map(latex_text, header))]
    lines.append(r"\hline")
    for name, value, *rest in rows:
        unit = [latex_text(rest[0])] if has_unit else []
        lines.append(_latex_row([latex_text(name), f"${latex_number(value)}$", *unit, _latex_interval(rest[-1])]))
    return "\n".join([*lines, r"\hline", r"\end{tabular}", ""])


def _latex_row(cells: Iterable[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _latex_interval(cell: str) -> str:
    low, to, high = cell.partition(" to ")
    return f"${latex_number(low)}$ to ${latex_number(high)}$" if to else latex_text(cell)


def _is_normalised(record: Record) -> bool:
    return record.normalized_input is not None and record.original_units is None


def _rows(record: Record) -> tuple[list[str], list[list[str]]]:
    """The header, and the cells of each row: name, value with error, unit where there is one, interval."""
    estimates = first_estimates(record)
    has_unit = any(estimate.unit for estimate in estimates.values())
    rounded = not is_unfinished(record)
    header = ["parameter", "estimate ± std. error", *["unit"] * has_unit, "95 % interval"]
    rows = [
        [
            name,
            estimate_cell(estimate, rounded=rounded),
            *[estimate.unit or ""] * has_unit,
            interval_cell(estimate, rounded=rounded),
        ]
        for name, estimate in estimates.items()
    ]
    return header, rows
