"""An export says how its fit ended, in every format, and nothing where it has converged."""

import ast
import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import paramfit
from paramfit import Fact, FactKind, Status
from paramfit.cli import main
from paramfit.export.formats import ExportFormat
from paramfit.results.estimate_cells import headline

X = np.linspace(0.3, 2.8, 24)
CONVERGED = paramfit.fit(paramfit.LinearModel(), (X, 2 + 5 * X))
TEXTS = [form for form in ExportFormat if form is not ExportFormat.PT2]
ENDED = {status: replace(CONVERGED, status=status, distance_to_optimum_in_standard_errors=None)
         for status in Status if status is not Status.CONVERGED}  # fmt: skip


@pytest.mark.parametrize("status", ENDED)
@pytest.mark.parametrize("to", TEXTS)
def test_text_says_in_its_own_form_how_the_fit_ended(to, status):
    result = ENDED[status]
    text = result.export(to)
    words = f"has converged: {headline(result)}"
    if to is ExportFormat.NUMPY:
        (function,) = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
        assert words in ast.get_docstring(function)
    elif to is ExportFormat.CSV:
        assert {row["status"] for row in csv.DictReader(io.StringIO(text))} == {status.value}
    elif to is ExportFormat.MARKDOWN:
        assert f"\nwarning: not the estimates of a fit that {words.replace('_', chr(92) + '_')}" in text
    else:
        assert text.startswith("% warning: not the estimates of a fit that has converged: ")
        assert words in text


@pytest.mark.parametrize("to", TEXTS)
def test_converged_fit_has_no_caveat(to):
    assert "has converged:" not in CONVERGED.export(to)


@pytest.mark.parametrize("status", [Status.CONVERGED, Status.DIVERGED])
def test_program_has_its_status_beside_it(status):
    replace(CONVERGED, status=status, distance_to_optimum_in_standard_errors=None).export("pt2", "fit.pt2")
    extra = {"paramfit.json": ""}
    torch.export.load("fit.pt2", extra_files=extra)
    facts = json.loads(extra["paramfit.json"])
    assert facts["status"] == status
    assert (facts["caveat"] is None) == (status is Status.CONVERGED)


def test_docstring_is_not_ended_by_what_a_fit_says():
    hostile = replace(ENDED[Status.DIVERGED], stop_reason='"""\\', task='T"""')
    ast.parse(hostile.export("numpy"))


def test_command_warns_on_standard_error_in_one_line(capsys):
    ENDED[Status.DIVERGED].save("run")
    CONVERGED.save("good")
    assert main(["export", "run", "--to", "csv"]) == 0
    error = capsys.readouterr().err
    assert error.startswith("warning: run: not the estimates of a fit that has converged: ")
    assert error.count("\n") == 1
    assert main(["export", "good", "--to", "csv"]) == 0
    assert capsys.readouterr().err == ""


def network(**changes):
    """A network's record: nine weights that cannot be told apart, one of them with an error all the same."""
    names = [f"layers.0.weight[{k},0]" for k in range(9)]
    weights = {name: paramfit.Estimate(0.5 + k) for k, name in enumerate(names)}
    weights[names[0]] = CONVERGED.parameters["weight"]
    why = {"standard_error": (Fact(FactKind.TOO_FEW_OBSERVATIONS, numbers={"observations": 6, "parameters": 9}),)}
    return replace(
        CONVERGED, parameters=weights, reasons=why, correlation=None, covariance=None, status=Status.LIMIT_REACHED,
        loss={"train": 0.25, "val": 0.5}, metrics={"val": {"mae_1": 2.0}}, **changes)  # fmt: skip


@pytest.mark.parametrize("to", ["csv", "markdown", "latex-table"])
def test_table_of_a_network_has_loss_and_metrics_as_its_report(to):
    result = network()
    assert "layers.0" not in result.report()
    text = result.export(to)
    assert "layers.0" not in text
    if to == "csv":
        assert text.splitlines() == [
            "quantity,part,value,status",
            "loss,train,0.25,limit_reached",
            "loss,val,0.5,limit_reached",
            "mae_1,val,2.0,limit_reached",
        ]
    else:
        rows = [line for line in text.replace("\\", "").replace("$", "").splitlines() if "mae_1" in line]
        assert len(rows) == 1
        assert "9 parameters, in estimates.json: the observations do not tell them apart" in text
        assert "has converged: " in text


@pytest.mark.parametrize("to", ["csv", "markdown", "latex-table"])
def test_a_table_that_was_not_wanted_is_not_exported_and_one_that_was_is(to, capsys):
    assert "weight" in CONVERGED.export(to)
    replace(CONVERGED, table=False).save("run")
    assert main(["export", "run", "--to", to]) == 0
    text = capsys.readouterr().out
    assert "weight" not in text
    assert "loss" in text
    assert to == "csv" or "2 parameters, in estimates.json." in text
    assert "layers.0.weight" in network(table=True, original_units=None).export(to).replace("\\", "")


def test_equation_and_code_have_their_parameters_without_a_table():
    without = replace(CONVERGED, table=False)
    assert without.export("latex") == CONVERGED.export("latex")
    assert without.export("numpy") == CONVERGED.export("numpy")
