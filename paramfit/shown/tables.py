"""How results are shown: the frame of all tables, and what a notebook shows of them."""

import io

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table

__all__ = ["as_html", "table_of_parameters"]


def table_of_parameters(title: str) -> Table:
    """A table without rows yet, whose first column names the parameters."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="italic",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("parameter", no_wrap=True)
    return table


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
