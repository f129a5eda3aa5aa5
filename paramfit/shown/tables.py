"""The frame that all tables of estimates share."""

from rich import box
from rich.table import Table

__all__ = ["table_of_parameters"]


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
