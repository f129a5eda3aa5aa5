"""Finished runs on the command line: report and compare."""

import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import paramfit
from paramfit.cli import main

X = np.linspace(0, 4, 20)
Y = 1 + 2 * X + np.random.default_rng(1).normal(size=20)


@pytest.fixture
def runs() -> list[str]:
    for degree in (1, 2):
        paramfit.fit(paramfit.PolynomialModel(degree), (X, Y)).save(f"degree_{degree}/estimates.json")
    return ["degree_1", "degree_2"]


def test_report_is_that_of_the_result(runs, capsys):
    assert main(["report", runs[0]]) == 0
    printed = capsys.readouterr().out
    assert main(["report", f"{runs[0]}/estimates.json"]) == 0
    assert capsys.readouterr().out == printed
    assert printed.split() == paramfit.load(runs[0]).report().split()


def test_report_ends_with_the_ladder_where_there_is_one(capsys):
    result = paramfit.fit(paramfit.LinearModel(), (X, Y))
    result.with_ladder(result.ladder()).save("run")
    assert main(["report", "run"]) == 0
    assert "Can these errors be trusted?" in capsys.readouterr().out


def test_comparison_is_that_of_python(runs, capsys):
    assert main(["compare", *runs]) == 0
    printed = capsys.readouterr().out
    (test,) = paramfit.compare(runs).tests
    assert "coefficient_2 = 0" in printed
    assert f"{test.probability:.3g}" in printed


@pytest.mark.parametrize(("arguments", "words"), [
    (["report"], "error: the following arguments are required: RUN"),
    (["report", "nowhere"], "error: there is no nowhere; give the folder version_N"),
    (["report", "degree_1", "degree_2"], "error: unrecognized arguments: degree_2"),
    (["compare", "degree_1"], "error: runs: a comparison needs at least two, but got 1"),
    (["compare", "degree_1", "nowhere"], "error: nowhere: there is no nowhere; give"),
], ids=["nothing", "no run", "too many", "one run", "no second run"])  # fmt: skip
def test_mistake_is_one_error_line(arguments, words, runs, capsys):
    assert Path(runs[0]).is_dir()
    assert main(arguments) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith(words)
    assert error.count("\n") == 1


def test_a_terminal_without_all_letters_gets_them_escaped(runs, monkeypatch):
    for encoding in ("ascii", "cp1252"):
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
        assert main(["compare", *runs]) == 0
        sys.stdout.flush()
        assert rb"\u0394AICc" in written.getvalue()  # the delta is in neither


@pytest.mark.parametrize(
    "name", ["a" * 300, "a" * 5000, "a\0b", "loop", "folder/loop", "\x1b[31mred", "a\nb", "\udcff"]
)
def test_a_name_that_no_run_can_have_is_one_error_line(name, capsys):
    Path("loop").symlink_to("loop")
    Path("folder").mkdir()
    Path("folder/loop").symlink_to("../folder/loop")
    for arguments in (["report", name], ["compare", name, "loop"]):
        assert main(arguments) == 2
        assert re.fullmatch(r"error: [^\x00-\x1f\x7f]{1,1100}\n", capsys.readouterr().err)
