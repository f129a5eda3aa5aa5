"""A page of Markdown, taken apart and done: files are written, commands and programs run, what they print compared."""

import contextlib
import io
import os
import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import yaml

from paramfit.cli import main
from paramfit.cli.front_door import COMMANDS

REPOSITORY = Path(__file__).parent.parent
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
FROM_AN_EMPTY_FOLDER = {"extending.md"}  # whose reader has installed the package, and no checkout

_FENCE = re.compile(
    r"^(?:<!-- not run: (?P<marker>.+?) -->\n)?```(?P<language>\w*)(?: title=\"(?P<title>.+?)\")?\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_LOOP = re.compile(r"^for (?P<name>\w+) in (?P<values>.+); do\n(?P<body>.*?)^done$", re.DOTALL | re.MULTILINE)
_EXIT_CODE = re.compile(r"# exit code (\d+)")
# Nobody looks at these figures; those that a page speaks of are drawn by a program on it.
_QUICKLY = ["--plots.enabled", "false", "--trainer.enable_progress_bar", "false"]


class Block(NamedTuple):
    """One fenced block: its language, its title, why it is not run (None if it is), and what it holds."""

    language: str
    title: str | None
    marker: str | None
    text: str


def blocks_of(page: Path) -> list[Block]:
    """All fenced blocks, in order; a fence that this cannot read is an error, not a block that nobody runs."""
    text = page.read_text(encoding="utf-8")
    blocks = [Block(m["language"], m["title"], m["marker"], m["text"]) for m in _FENCE.finditer(text)]
    assert 2 * len(blocks) == len(re.findall(r"^\s*```", text, re.MULTILINE)), f"{page.name}: a fence is not understood"
    assert text.count("<!-- not run") == sum(block.marker is not None for block in blocks), f"{page.name}: stray marker"
    return blocks


def commands_of(text: str) -> Iterator[tuple[list[str], int]]:
    """The commands of a block of shell, its loops written out, each with the exit code that its comment promises."""
    for line in _LOOP.sub(_written_out, text.replace("\\\n", " ")).splitlines():
        words = shlex.split(line, comments=True)
        if words:
            promised = _EXIT_CODE.search(line)
            yield words, 0 if promised is None else int(promised[1])


def _written_out(loop: re.Match[str]) -> str:
    return "".join(loop["body"].replace(f"${loop['name']}", value) for value in loop["values"].split())


def parse(block: Block) -> None:
    """Whether a block that is not run could be: a program compiles, a command line can be split, YAML can be read."""
    match block.language:
        case "python":
            compile(block.text, "block", "exec")
        case "yaml":
            yaml.safe_load(block.text)
        case "bash":
            for words, _ in commands_of(block.text):
                assert words[0].rsplit("/", 1)[-1] != "paramfit" or words[1] in {*COMMANDS, "--help"}, words
        case _:
            raise AssertionError(f"a block of {block.language or 'no language'} cannot be run, and needs no marker")


def run_page(page: Path, folder: Path) -> None:
    """Do what a reader of the page does, block by block, in an empty folder, or one beside a copy of ``configs``."""
    if page.name not in FROM_AN_EMPTY_FOLDER:
        (folder / "configs").symlink_to(REPOSITORY / "configs")
    names: dict[str, Any] = {"__name__": "page"}
    printed = ""
    for block in blocks_of(page):
        if block.marker is not None:
            parse(block)
        elif block.language == "text":
            assert_printed(block.text, printed)
        elif block.title is not None:
            _write(block.title, block.text, folder)
        elif block.language == "python":
            printed = _program(block.text, page.name, names)
        elif block.language == "bash":
            printed = "".join(_command(words, code) for words, code in commands_of(block.text))
        else:
            raise AssertionError(f"{page.name}: a block of {block.language or 'no language'} is neither run nor a file")


def assert_printed(shown: str, printed: str) -> None:
    """Each part of what is shown, between lines of dots, was printed, one after the other, whatever the line breaks."""
    rest = " ".join(printed.split())
    for part in re.split(r"\.\.\.", shown):
        wanted = " ".join(part.split())
        assert wanted in rest, f"{wanted!r} is not in {rest!r}"
        rest = rest.partition(wanted)[2]


def _write(title: str, text: str, folder: Path) -> None:
    """A file of the reader's own; one of ours is shown as it is, but for the comment at its head."""
    if title.startswith("configs/"):
        lines = (REPOSITORY / title).read_text(encoding="utf-8").splitlines()
        assert text.splitlines() == [line for line in lines if not line.startswith("#")]
        return
    (folder / title).write_text(text, encoding="utf-8")


def _program(text: str, page: str, names: dict[str, Any]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(text, page, "exec"), names)
    return output.getvalue()


def _command(words: list[str], promised: int) -> str:
    variables = dict(word.split("=", 1) for word in takewhile(lambda word: "=" in word, words))
    words = words[len(variables) :]
    assert words[0] == "paramfit", f"{words[0]} is not run; mark its block"
    quickly = _QUICKLY if words[1] == "fit" else []
    with (
        contextlib.redirect_stdout(io.StringIO()) as output,
        contextlib.redirect_stderr(output),
        patch.dict(os.environ, variables),
    ):
        code = main([*words[1:], *quickly])
    assert code == promised, f"{' '.join(words)} ended with {code}: {output.getvalue()[-2000:]}"
    return output.getvalue()
