"""What a notebook shows of a result."""

import io

from rich.console import Console, RenderableType

__all__ = ["as_html"]


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
