"""The forms in which a fit leaves."""

from enum import StrEnum
from pathlib import Path

from torch import nn

from paramfit.atomic_files import whole_file
from paramfit.errors import InputError
from paramfit.export.equation import latex_equation
from paramfit.export.estimate_table import csv_table, latex_table, markdown_table
from paramfit.export.numpy_code import numpy_source
from paramfit.export.program import torch_program
from paramfit.results.record import Record
from paramfit.wording import nearest_names, quoted

__all__ = ["ExportFormat", "export_as"]


class ExportFormat(StrEnum):
    """What a fit is exported to; the values are the words of the command line."""

    NUMPY = "numpy"  # Python source with the estimates inside
    PT2 = "pt2"  # a program of torch.export
    LATEX = "latex"  # the equation with values and errors
    LATEX_TABLE = "latex-table"  # the table of estimates
    MARKDOWN = "markdown"  # the same
    CSV = "csv"  # the same, with all digits

    @classmethod
    def named(cls, word: str) -> "ExportFormat":
        """The format that a word means.

        Raises:
            InputError: naming the nearest, or all of them.
        """
        try:
            return cls(word)
        except ValueError:
            hint = nearest_names(word, [form.value for form in cls])
            raise InputError(f"to: there is no format {quoted(word)}; {hint}") from None


_TEXTS = {
    ExportFormat.NUMPY: numpy_source,
    ExportFormat.LATEX: latex_equation,
    ExportFormat.LATEX_TABLE: latex_table,
    ExportFormat.MARKDOWN: markdown_table,
    ExportFormat.CSV: csv_table,
}


def export_as(record: Record, to: str, output: str | Path | None, model: nn.Module | None) -> str | Path:
    """A fit in a format: the text, or the path of the file that was written.

    Args:
        record: of the fit.
        to: one of ``ExportFormat``.
        output: the file to write; ``pt2``, which is no text, needs one.
        model: at the estimates; ``pt2`` needs it where no formulas say it.

    Raises:
        InputError: if the model cannot be written in this format, or ``pt2`` has no file to go to.
    """
    form = ExportFormat.named(to)
    if form is ExportFormat.PT2:
        if output is None:
            raise InputError("output: a pt2 program is no text; give the file to write, such as fit.pt2")
        content = torch_program(record, model)
    else:
        text = _TEXTS[form](record)
        if output is None:
            return text
        content = text.encode()
    path = Path(output)
    with whole_file(path) as file:
        file.write(content)
    return path
