"""The table of estimates as CSV, Markdown or LaTeX; without one, as in the report, that of loss and metrics."""

import csv
import io
from collections.abc import Iterable, Sequence

from paramfit.formulas.latex_notation import latex_number
from paramfit.results.estimate_cells import (
    caveat,
    estimate_cell,
    first_estimates,
    interval_cell,
    is_unfinished,
    remark,
)
from paramfit.results.record import Record
from paramfit.results.report import has_table, untabulated, whole_warnings
from paramfit.shown.digits import plain
from paramfit.shown.escapes import latex_engine, latex_text, markdown_text
from paramfit.wording import visible

__all__ = ["csv_table", "latex_table", "markdown_table"]

_COLUMNS = ("parameter", "estimate", "standard_error", "lower_95", "upper_95", "unit", "remark", "status")
_QUANTITIES = ("quantity", "part", "value", "status")
_UNDONE = "Estimates on the normalised input, which this model cannot undo."


def csv_table(record: Record) -> str:
    """One row for each parameter, numbers with all their digits; what is not there is empty.

    The last column is the status of the fit. Where the report has no table (``has_table``), as that of a network, these
    are the rows of loss and metrics.

    Args:
        record: of the fit.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if not has_table(record):
        writer.writerow(_QUANTITIES)
        for quantity, part, value in _quantities(record):
            writer.writerow([visible(quantity), part, repr(value), record.status.value])
        return text.getvalue()
    writer.writerow(_COLUMNS)
    normalised = "on the normalised input" if _is_normalised(record) else ""
    for name, estimate in first_estimates(record).items():
        low, high = estimate.interval_95 or (None, None)
        numbers = (estimate.estimate, estimate.standard_error, low, high)
        words = "; ".join(part for part in (remark(estimate), normalised) if part)
        cells = ("" if number is None else repr(float(number)) for number in numbers)
        writer.writerow([visible(name), *cells, visible(estimate.unit or ""), words, record.status.value])
    return text.getvalue()


def markdown_table(record: Record) -> str:
    """As the report has it, with warnings below.

    Args:
        record: of the fit.
    """
    header, rows = _rows(record)
    lines = [f"{note}\n" for note in _notes(record)]
    lines += [_markdown_row(header), _markdown_row(["---", *["---:"] * (len(header) - 1)], literal=False)]
    lines += [_markdown_row(row) for row in rows]
    lines += [f"\nwarning: {markdown_text(warning)}" for warning in _warnings(record)]
    return "\n".join(lines) + "\n"


def _markdown_row(cells: Sequence[str], *, literal: bool = True) -> str:
    return f"| {' | '.join(markdown_text(cell) if literal else cell for cell in cells)} |"


def latex_table(record: Record) -> str:
    """The same as a ``tabular``, in which each value stands in mathematics.

    Args:
        record: of the fit.
    """
    header, rows = _rows(record)
    lines = [f"% warning: {visible(warning)}" for warning in _warnings(record)]
    lines += [f"% {note}" for note in _notes(record)]
    lines += [rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}", r"\hline", _latex_row(map(latex_text, header))]
    lines.append(r"\hline")
    if not has_table(record):
        rows = [[latex_text(quantity), part, f"${latex_number(value)}$"] for quantity, part, value in rows]
    else:
        has_unit = "unit" in header
        rows = [_latex_cells(cells, has_unit=has_unit) for cells in rows]
    lines += [*map(_latex_row, rows), r"\hline", r"\end{tabular}", ""]
    return "\n".join([*latex_engine(lines), *lines])


def _latex_cells(cells: Sequence[str], *, has_unit: bool) -> list[str]:
    name, value, *rest = cells
    unit = [latex_text(rest[0])] if has_unit else []
    return [latex_text(name), f"${latex_number(value)}$", *unit, _latex_interval(rest[-1])]


def _latex_row(cells: Iterable[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _latex_interval(cell: str) -> str:
    low, to, high = cell.partition(" to ")
    return f"${latex_number(low)}$ to ${latex_number(high)}$" if to else latex_text(cell)


def _is_normalised(record: Record) -> bool:
    return record.normalized_input is not None and record.original_units is None


def _notes(record: Record) -> list[str]:
    """What a reader of the table has to be told of it."""
    if not has_table(record):
        return [f"{untabulated(record)}."]
    return [_UNDONE] if _is_normalised(record) else []


def _warnings(record: Record) -> list[str]:
    """How the fit ended where it has not converged, then what the report warns of."""
    ended = caveat(record)
    return [*([] if ended is None else [ended]), *(record.warnings if has_table(record) else whole_warnings(record))]


def _quantities(record: Record) -> list[tuple[str, str, float]]:
    """Loss and metrics of each part, by name."""
    losses = [("loss", part, value) for part, value in record.loss.items() if value is not None]
    return losses + [(name, part, value) for part, values in record.metrics.items() for name, value in values.items()]


def _rows(record: Record) -> tuple[list[str], list[list[str]]]:
    """The header, and the cells of each row: name, value with error, unit where there is one, interval."""
    if not has_table(record):
        rows = [[quantity, part, plain(value)] for quantity, part, value in _quantities(record)]
        return list(_QUANTITIES[:-1]), rows
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
