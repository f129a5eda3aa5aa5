"""Text of users in documents: every character that a language would obey is written as what it is."""

import re

from paramfit.wording import visible

__all__ = ["latex_text", "markdown_text"]

_OF_LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': r"\textquotedbl{}",
}
_OF_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~$&])")  # within a line


def latex_text(text: str) -> str:
    r"""The text for LaTeX, outside of mathematics.

    Example:
        >>> latex_text("50% of $x_1$")
        '50\\% of \\$x\\_1\\$'
    """
    return "".join(_OF_LATEX.get(letter, letter) for letter in visible(text))


def markdown_text(text: str) -> str:
    r"""The text for Markdown, cells of tables included.

    Example:
        >>> markdown_text("a|b *c*")
        'a\\|b \\*c\\*'
    """
    return _OF_MARKDOWN.sub(r"\\\1", visible(text))
