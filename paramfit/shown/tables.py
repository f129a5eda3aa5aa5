"""How results are shown: the frames of all tables, and what a notebook shows of them."""

import io
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table

from paramfit.shown.text import literal

__all__ = ["LiteralTable", "as_html", "as_text", "table_of_facts", "table_of_parameters"]


class LiteralTable(Table):
    """A table that shows every cell to the letter.

    Names and units are the user's: ``[m/s]`` is no markup.
    """

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row of text or of renderables."""
        super().add_row(*(literal(cell) if isinstance(cell, str) else cell for cell in cells), **options)


def table_of_parameters(title: str) -> Table:
    """A table without rows yet, whose first column names the parameters; a long name is folded, and no number cut."""
    table = LiteralTable(
        title=literal(title),
        title_justify="left",
        title_style="italic",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("parameter", overflow="fold")
    return table


def table_of_facts() -> Table:
    """Rows of a name, dim, and what is to be said of it."""
    rows = LiteralTable(
        box=None, padding=(0, 2), collapse_padding=True, show_header=False, show_edge=False, pad_edge=False
    )
    rows.add_column(style="dim", overflow="fold")
    rows.add_column()
    return rows


def as_text(shown: RenderableType, width: int) -> str:
    """What rich would print, as text without colours.

    Args:
        shown: a result, or anything that rich prints.
        width: in characters.
    """
    console = Console(record=True, file=io.StringIO(), width=width)
    console.print(shown)
    return console.export_text()


def as_html(shown: RenderableType, width: int = 100) -> str:
    """What rich would print, as HTML with its styles in it.

    Args:
        shown: a result, or anything that rich prints.
        width: in characters.

    Example:
        >>> as_html("1.5 ± 0.1")
        '<pre><span style="color: #008080; ...
    """
    console = Console(record=True, file=io.StringIO(), width=width)
    console.print(shown)
    return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")
