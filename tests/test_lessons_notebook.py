"""The lessons as a notebook: the cells are those of the page, and they run."""

import importlib.util
import re
from typing import Any

import nbformat
import pytest

from tests.page import REPOSITORY, assert_printed, blocks_of, commands_of

PAGE = REPOSITORY / "docs" / "lessons.md"


def module() -> Any:
    spec = importlib.util.spec_from_file_location("lessons_notebook", REPOSITORY / "docs" / "lessons_notebook.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def printed(cell: Any) -> str:
    """What a cell has written, whether as a stream or as rich's display, without its colours."""
    text = "".join(output.get("text", output.get("data", {}).get("text/plain", "")) for output in cell.outputs)
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def test_the_notebook_is_the_page():
    stored = nbformat.read(REPOSITORY / "docs" / "lessons.ipynb", as_version=4)
    nbformat.validate(stored)
    assert [(cell.cell_type, cell.source) for cell in stored.cells] == [
        (cell.cell_type, cell.source) for cell in module().lessons_notebook().cells
    ]
    assert all(cell.outputs for cell in stored.cells[1:] if cell.cell_type == "code")  # it was executed


def test_every_theme_has_a_command_an_output_a_figure_and_an_exercise():
    text = PAGE.read_text(encoding="utf-8")
    themes = text[: text.index("## All of them")].split("\n## ")[1:]
    assert len(themes) == 9
    for number, theme in enumerate(themes, start=1):
        assert theme.startswith(f"{number}. ")
        for part in ("```bash\n", "```text\n", "](figures/", "**Exercise.**", "<summary>Answer</summary>"):
            assert part in theme, (part, theme[:40])


@pytest.mark.slow
def test_the_notebook_runs_and_prints_what_the_page_shows():
    notebook = module()
    run = notebook.executed(notebook.lessons_notebook())
    cells = {cell.source: cell for cell in run.cells if cell.cell_type == "code"}
    last = None
    compared = 0
    for block in blocks_of(PAGE):
        if block.language == "bash":
            ((words, code),) = commands_of(block.text)
            last = cells.get(f'paramfit("{" ".join(words[1:])}")')  # None in an answer, which is not run
            assert last is None or last.outputs[-1].data["text/plain"] == str(code)
        elif last is not None:
            assert_printed(block.text, printed(last))
            compared += 1
    assert compared == 12  # the commands outside the answers
