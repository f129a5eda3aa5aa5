"""Finished runs on the command line: report, compare and export."""

import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

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


@pytest.mark.parametrize("to", ["numpy", "latex", "latex-table", "markdown", "csv"])
def test_export_prints_what_python_gives(to, runs, capsys):
    assert main(["export", runs[0], "--to", to]) == 0
    assert capsys.readouterr().out == paramfit.load(runs[0]).export(to)
    assert main(["export", f"{runs[0]}/estimates.json", "--to", to, "--output", "of_run"]) == 0
    assert capsys.readouterr().out == "written: of_run\n"
    assert Path("of_run").read_text() == paramfit.load(runs[0]).export(to)


def test_program_goes_into_the_run(runs, capsys):
    assert main(["export", runs[1], "--to", "pt2"]) == 0
    assert capsys.readouterr().out == "written: degree_2/degree_2.pt2\n"
    program = torch.export.load("degree_2/degree_2.pt2").module()
    expected = paramfit.load(runs[1]).predict(X).prediction
    torch.testing.assert_close(program(torch.from_numpy(X)), expected, rtol=1e-12, atol=0.0)


OWN = """
import torch
from torch import nn

class Bend(nn.Module):
    def __init__(self, start: float = 1.0) -> None:
        super().__init__()
        self.height, self.slope = nn.Parameter(torch.tensor(start)), nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        return self.height + torch.tanh(self.slope * x)
"""


@pytest.mark.slow
def test_program_of_a_run_in_python_code_takes_raw_inputs(monkeypatch, own_directory, capsys):
    Path("bends_of_export.py").write_text(OWN)
    np.savetxt("t.csv", np.c_[X, 3 + np.tanh(X - 1)], delimiter=",", header="x,y", comments="")
    monkeypatch.setattr(sys, "path", [*sys.path, str(own_directory)])
    data = ["--data", "TableDataModule", "--data.path", "t.csv", "--data.inputs", "[x]", "--data.target", "y"]
    model = ["--model", "LeastSquares", "--model.model", "bends_of_export.Bend", "--model.model.start", "2"]
    quiet = [
        "--trainer.enable_progress_bar",
        "false",
        "--plots.enabled",
        "false",
        "--data.normalization",
        "Standardize",
    ]
    assert main(["fit", *data, *model, *quiet, "--name", "bend"]) == 0
    run = Path("lightning_logs/bend/version_0")
    assert main(["export", str(run), "--to", "pt2"]) == 0
    assert main(["predict", "--config", str(run / "config.yaml"), "--ckpt_path", "last"]) == 0
    predicted = np.loadtxt(run / "predictions.csv", delimiter=",", skiprows=1, usecols=3)
    program = torch.export.load(run / "bend.pt2").module()
    np.testing.assert_allclose(program(torch.from_numpy(X)).numpy(), predicted, rtol=1e-12, atol=1e-15)
    capsys.readouterr()
    (run / "checkpoints" / "last.ckpt").unlink()
    assert main(["export", str(run), "--to", "pt2"]) == 2
    assert f"there is no {run}/checkpoints/last.ckpt" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "words"), [
    (["export", "degree_1"], "error: the following arguments are required: --to"),
    (["export", "degree_1", "--to", "tex"], "error: to: there is no format 'tex'; did you mean 'latex'?"),
    (["export", "nowhere", "--to", "csv"], "error: there is no nowhere; give the folder version_N"),
    (["report"], "error: the following arguments are required: RUN"),
    (["report", "nowhere"], "error: there is no nowhere; give the folder version_N"),
    (["report", "degree_1", "degree_2"], "error: unrecognized arguments: degree_2"),
    (["compare", "degree_1"], "error: runs: a comparison needs at least two, but got 1"),
    (["compare", "degree_1", "nowhere"], "error: nowhere: there is no nowhere; give"),
], ids=["no format", "format", "no export", "nothing", "no run", "too many", "one run", "no second run"])  # fmt: skip
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


def test_what_a_run_said_of_the_table_holds_for_what_is_made_of_it(capsys):
    fit = ["fit", "--data", "ThermometerDataModule", "--model", "LeastSquares", "--model.model", "LinearModel"]
    quiet = ["--plots.enabled", "false", "--trainer.enable_progress_bar", "false"]
    for name, options in {"none": ["--report.table", "false"], "some": []}.items():
        assert main([*fit, *quiet, "--name", name, *options]) == 0
    capsys.readouterr()
    for command in (["report", "{}"], ["export", "{}", "--to", "csv"], ["export", "{}", "--to", "markdown"]):
        printed = {}
        for name in ("none", "some"):
            assert main([part.format(f"lightning_logs/{name}/version_0") for part in command]) == 0
            printed[name] = capsys.readouterr().out
        assert "weight" not in printed["none"]
        assert "weight" in printed["some"]
    assert main(["compare", "lightning_logs/none/version_0", "lightning_logs/some/version_0"]) == 0
    assert capsys.readouterr().out.count("weight * x + bias") == 2  # the model, of which there is no table
