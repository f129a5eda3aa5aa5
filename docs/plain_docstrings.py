"""What docstrings hold for Sphinx, in the forms that MkDocs shows.

Equations stay the TeX they are, since no script is fetched to typeset them; examples become code.
"""

import re
from typing import Any

from griffe import Docstring, Extension, Object

_BLOCK = re.compile(r"^\.\. math:: *(.*(?:\n(?: +\S.*))*)", re.MULTILINE)


class PlainDocstrings(Extension):
    """``.. math::`` becomes a block of code, ``:math:`` a piece of it, and ``Example:`` a section of doctests."""

    def on_instance(self, *, obj: Object, **others: Any) -> None:
        """Rewrite one docstring before it is parsed."""
        del others
        if isinstance(obj.docstring, Docstring):
            text = _BLOCK.sub(lambda block: "```tex\n" + _unindented(block[1]) + "\n```", obj.docstring.value)
            obj.docstring.value = text.replace(":math:`", "`").replace("\nExample:\n", "\nExamples:\n")


def _unindented(block: str) -> str:
    return "\n".join(line.strip() for line in block.splitlines())
