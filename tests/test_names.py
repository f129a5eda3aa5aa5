"""Names say what a thing is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import paramfit

FILES = sorted(Path(paramfit.__file__).parent.rglob("*.py"))
# Words that name nothing: what was found, where, and what is known of it has to be read from the code instead.
EMPTY = {"found", "there", "told", "known", "seen", "item", "thing", "res", "tmp"}


def names_given(path: Path) -> Iterator[tuple[str, int]]:
    """Every name that a file gives to a variable, an argument, an attribute, a function or a class, with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node.lineno


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_name_is_empty(path):
    assert [(name, line) for name, line in names_given(path) if name.strip("_") in EMPTY] == []
