"""What README and docs/ tell a reader to type works, and prints what they show."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import paramfit
from paramfit.cli import main
from paramfit.cli.front_door import COMMANDS, EXIT_CODES, OPTIONS
from paramfit.facts import WITHOUT_MAXIMUM, FactKind
from tests.page import PAGES, REPOSITORY, assert_printed, blocks_of, run_page

# Every block that is only parsed: it installs, serves, runs the suite, or needs a machine that is not everywhere.
NOT_RUN = {
    ("README.md", "installs, then fits or runs the suite", "make fit"),
    ("README.md", "installs, then runs the suite", "python3 -m venv .venv"),
    (
        "callbacks.md",
        "needs mlflow",
        "paramfit fit --config configs/thermometer/sgd.yaml --trainer.logger MLFlowLogger \\",
    ),
    (
        "callbacks.md",
        "needs wandb",
        "paramfit fit --config configs/thermometer/sgd.yaml --trainer.logger WandbLogger \\",
    ),
    ("callbacks.md", "serves", "tensorboard --logdir lightning_logs"),
    ("sweeps.md", "serves", "tensorboard --logdir lightning_logs/rates"),
    (
        "questions.md",
        "changes the shell",
        "complete -o default -W \"$(paramfit --help | grep -oE '^  (--)?[a-z_]+  ')\" paramfit",
    ),
    ("speed.md", "takes many minutes", "make benchmark"),
}


@pytest.fixture
def only_own_modules(monkeypatch: pytest.MonkeyPatch, own_directory: Path) -> Iterator[Path]:
    """Modules that a page wrote are forgotten with its folder."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path, str(own_directory)])
    yield own_directory
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).is_relative_to(own_directory):
            del sys.modules[name]


LONG = {"callbacks", "extending", "lessons", "sweeps"}  # of many fits
DONE = [pytest.param(page, marks=[pytest.mark.slow] * (page.stem in LONG), id=page.stem) for page in PAGES]


@pytest.mark.parametrize("page", DONE)
def test_a_page_does_what_it_says(page, only_own_modules):
    run_page(page, only_own_modules)


def test_what_is_not_run_is_listed_here():
    marked = {
        (page.name, block.marker, block.text.splitlines()[0].partition("#")[0].strip())
        for page in PAGES
        for block in blocks_of(page)
        if block.marker is not None
    }
    assert marked == NOT_RUN


def test_a_block_that_prints_something_else_is_noticed():
    assert_printed("b2 ... 0.55", "b1 214\nb2   \n 0.55")
    with pytest.raises(AssertionError):
        assert_printed("b2 ... b1", "b1 214\nb2 0.55")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists() or target == "reference.md", target  # written when the pages are built


def test_the_readme_fits_on_three_screens():
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 130


def test_every_page_is_in_the_navigation():
    navigation = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    assert set(re.findall(r": ([\w-]+\.md)$", navigation, re.MULTILINE)) == {
        *(page.name for page in PAGES if page.parent != REPOSITORY),
        "reference.md",
    }


def test_every_option_in_a_line_of_text_exists(capsys):
    options = {
        option
        for page in PAGES
        for option in re.findall(r"`[^`\n]*?(--[\w.]+)", page.read_text(encoding="utf-8"))
        if not option.startswith(("--model", "--data"))  # what a class takes is tried where the page runs it
    }
    main(["fit", "--help"])
    main(["predict", "--help"])
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    listed = capsys.readouterr().out
    assert len(options) > 10
    assert {option for option in options if f"{option} " not in listed} <= {"--help"}


def test_the_shell_completes_commands_and_options(capsys):
    page = (REPOSITORY / "docs" / "questions.md").read_text(encoding="utf-8")
    pattern = re.search(r"grep -oE '(.+?)'", page)[1]
    main(["--help"])
    words = {match[0].strip() for match in re.finditer(pattern, capsys.readouterr().out, re.MULTILINE)}
    assert words >= {*COMMANDS, *OPTIONS}
    assert words <= {*COMMANDS, *OPTIONS, "paramfit", "tensorboard"}


def test_the_exit_codes_are_all_there():
    page = (REPOSITORY / "docs" / "questions.md").read_text(encoding="utf-8")
    table = page[page.index("| exit code |") :].split("\n\n")[0]
    codes = {int(code) for code in re.findall(r"\b(\d+)\b", "".join(line.split("|")[1] for line in table.splitlines()))}
    assert codes == set(EXIT_CODES) - {1}


def test_the_callbacks_are_all_there():
    page = (REPOSITORY / "docs" / "callbacks.md").read_text(encoding="utf-8")
    assert {name for name in set(paramfit._HOME["paramfit.callbacks"]) if f"`{name}`" not in page} == set()


def test_every_caution_has_its_place_on_the_page():
    kinds = list(FactKind)
    cautions = kinds[kinds.index(FactKind.AT_BOUND) : kinds.index(FactKind.HELD_AT_BOUND)]
    page = (REPOSITORY / "docs" / "cautions.md").read_text(encoding="utf-8")
    assert [kind for kind in (*cautions, *WITHOUT_MAXIMUM) if f"`{kind.value}`" not in page] == []
