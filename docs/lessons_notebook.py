"""The lessons as a notebook: the cells of ``lessons.ipynb`` from ``lessons.md``, and how they are run.

``python docs/lessons_notebook.py`` writes it anew, executed; a test runs it and compares its cells with the page.
"""

import re
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

DOCS = Path(__file__).parent
NOTEBOOK = DOCS / "lessons.ipynb"

_PART = re.compile(
    r"^(?P<answer><details>\n.*?^</details>)\n|^```(?P<language>\w+)\n(?P<text>.*?)^```\n|^!\[(?P<caption>.+?)\]\(figures/(?P<run>\w+)-(?P<figure>\w+)\.png\)\n",
    re.DOTALL | re.MULTILINE,
)
_FIRST = '''\
import shlex
import tempfile
from os import chdir
from pathlib import Path

from IPython.display import Image

from paramfit.cli import main

configs = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "configs").exists()) / "configs"
chdir(tempfile.mkdtemp())  # runs leave their files there
Path("configs").symlink_to(configs)


def paramfit(command: str) -> int:
    """What a line in a terminal does; the exit code."""
    return main(shlex.split(command))


def show(run: str, figure: str) -> Image:
    """A figure of the first run of that name."""
    return Image(f"lightning_logs/{run}/version_0/figures/{figure}.png", width=640)
'''


def lessons_notebook() -> Any:
    """The page's words, commands and figures as cells, not run yet; what it prints will be there of itself."""
    page = (DOCS / "lessons.md").read_text(encoding="utf-8").replace(' markdown="1"', "")
    page = page.replace(" The same page as an executed notebook: [lessons.ipynb](lessons.ipynb).", "")
    cells, begin = [nbformat.v4.new_code_cell(_FIRST)], 0
    for part in _PART.finditer(page):
        _words(cells, page[begin : part.start()])
        begin = part.end()
        if part["answer"] is not None:
            _words(cells, part["answer"])  # folded, with its command and what that prints
        elif part["run"] is not None:
            cells.append(nbformat.v4.new_code_cell(f'show("{part["run"]}", "{part["figure"]}")  # {part["caption"]}'))
        elif part["language"] == "bash":
            cells.append(nbformat.v4.new_code_cell("\n".join(_calls(part["text"]))))
    _words(cells, page[begin : page.index("## All of them")])  # what follows is about the pages
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    )


def _words(cells: list[Any], text: str) -> None:
    """A cell of words, where there are any."""
    if text.strip():
        cells.append(nbformat.v4.new_markdown_cell(text.strip()))


def _calls(commands: str) -> list[str]:
    """Each command of a shell as a call; its exit code is the cell's value."""
    lines = commands.replace("\\\n", " ").splitlines()
    return [f'paramfit("{" ".join(line.partition("#")[0].split()[1:])}")' for line in lines]


def executed(notebook: Any) -> Any:
    """The notebook with its outputs, without the times of its cells."""
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(DOCS)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(lessons_notebook()), NOTEBOOK)
