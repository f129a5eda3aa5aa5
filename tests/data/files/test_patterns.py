"""Which files a path means."""

import os
from pathlib import Path

import pytest

from paramfit.data.files.patterns import table_file, table_files
from paramfit.errors import InputError


@pytest.fixture
def folder(own_directory: Path) -> Path:
    for name in ("b.csv", "a.csv", "notes.txt", "deep/er/c.csv", "odd[1].csv"):
        (own_directory / name).parent.mkdir(parents=True, exist_ok=True)
        (own_directory / name).touch()
    return own_directory


@pytest.mark.parametrize(
    ("patterns", "files"),
    [
        pytest.param("b.csv", ["b.csv"], id="one file"),
        pytest.param("[ab].csv", ["a.csv", "b.csv"], id="glob, sorted"),
        pytest.param("**/c.csv", ["deep/er/c.csv"], id="any depth"),
        pytest.param("deep/**", ["deep/er/c.csv"], id="no folders"),
        pytest.param(["b.csv", "a.csv"], ["b.csv", "a.csv"], id="list, in its order"),
        pytest.param("odd[1].csv", ["odd[1].csv"], id="a name that looks like a pattern"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_files_come_in_a_known_order(patterns: str | list[str], files: list[str]) -> None:
    assert table_files(patterns) == files


def test_tilde_is_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder / "deep"))

    assert table_files("~/er/*.csv") == [str(folder / "deep" / "er" / "c.csv")]


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        pytest.param("notes.csv", "there is no file notes.csv; did you mean 'notes.txt'", id="nearest name"),
        pytest.param("far/x.csv", "there is no file far/x.csv: there is no folder far", id="no folder"),
        pytest.param("*.parquet", r"no file matches \*\.parquet; there are", id="empty glob"),
        pytest.param(
            "deep/*.csv", r"no file matches deep/\*\.csv; the folder holds no file", id="folder without files"
        ),
        pytest.param("deep", r"deep is a folder; .*deep/\*\.csv", id="folder"),
        pytest.param([], "at least one file", id="empty list"),
        pytest.param("", "no file", id="empty name"),
        pytest.param(["a.csv", "[ab].csv"], "a.csv is meant twice", id="twice"),
        pytest.param("a\0b.csv", "no file", id="not a name"),
        pytest.param("two\nlines.csv", r"'two\\nlines\.csv'", id="two lines"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_not_there_is_refused_in_one_line(patterns: str | list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        table_files(patterns)

    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.usefixtures("folder")
def test_one_file_is_asked_for_by_the_name_of_its_option() -> None:
    assert table_file("notes.txt", "predictions.at") == "notes.txt"
    with pytest.raises(InputError, match=r"^predictions\.at: there is no file notes\.csv; did you mean 'notes\.txt'"):
        table_file("notes.csv", "predictions.at")
    with pytest.raises(InputError, match=r"^predictions\.at: \d files match \*\.csv; give one of them"):
        table_file("*.csv", "predictions.at")


def test_a_pipe_is_refused_rather_than_waited_for() -> None:
    os.mkfifo("pipe.csv")

    with pytest.raises(InputError, match="not a regular file"):
        table_files("pipe.csv")


def test_the_same_file_by_another_way_is_the_same_file() -> None:
    Path("a.csv").touch()
    Path("link.csv").symlink_to("a.csv")

    with pytest.raises(InputError, match="twice"):
        table_files("*.csv")
