"""The files are read as an independent reader read them: ``certified.json``, whose values were checked to 40 digits."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.reference.nist.dataset import Kind, find_files, read_dataset

DATA = Path(__file__).parent / "data"
CERTIFIED: dict[str, Any] = json.loads((DATA / "certified.json").read_text(encoding="ascii"))
DATASETS = {path.stem: read_dataset(path) for kind in Kind for path in find_files(kind)}
REGRESSIONS = [name for name, dataset in DATASETS.items() if dataset.kind is not Kind.UNIVARIATE]
SUMMARIES = [name for name, dataset in DATASETS.items() if dataset.kind is Kind.UNIVARIATE]

each_dataset = pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)


def test_all_sets_are_found():
    assert DATASETS.keys() == CERTIFIED.keys()
    assert [len(find_files(kind)) for kind in (Kind.NONLINEAR, Kind.LINEAR, Kind.UNIVARIATE)] == [27, 11, 9]


@each_dataset
def test_kind_and_number_of_observations(dataset):
    certified = CERTIFIED[dataset.name]
    assert (dataset.kind.value, dataset.n) == (certified["kind"], certified["n"])


@each_dataset
def test_response_comes_first_and_predictors_follow(dataset):
    predictors = {"Longley": 6, "Nelson": 2}.get(dataset.name, 0 if dataset.kind is Kind.UNIVARIATE else 1)
    expected = ["x"] if predictors == 1 else [f"x{number}" for number in range(1, predictors + 1)]
    assert list(dataset.columns) == ["y", *expected]


@pytest.mark.parametrize("name", REGRESSIONS)
def test_certified_parameters(name):
    assert {
        parameter: (certified.estimate, certified.standard_error)
        for parameter, certified in DATASETS[name].parameters.items()
    } == {
        parameter: (float(certified["value"]), float(certified["sd"]))
        for parameter, certified in CERTIFIED[name]["params"].items()
    }


@pytest.mark.parametrize("name", [name for name in REGRESSIONS if DATASETS[name].kind is Kind.NONLINEAR])
def test_starts(name):
    assert {parameter: certified.starts for parameter, certified in DATASETS[name].parameters.items()} == {
        parameter: (float(certified["start1"]), float(certified["start2"]))
        for parameter, certified in CERTIFIED[name]["params"].items()
    }


@pytest.mark.parametrize("name", REGRESSIONS)
def test_residuals(name):
    dataset, certified = DATASETS[name], CERTIFIED[name]
    assert dataset.residual_standard_deviation == float(certified["rsd"])
    assert dataset.residual_sum_of_squares == float(certified["rss"])
    assert dataset.degrees_of_freedom == certified["dof"]


@pytest.mark.parametrize("name", SUMMARIES)
def test_mean_and_standard_deviation(name):
    dataset, certified = DATASETS[name], CERTIFIED[name]["certified"]
    assert dataset.parameters["mu"].estimate == float(certified["mean"])
    assert dataset.residual_standard_deviation == float(certified["std"])


def test_a_file_without_its_label_is_refused():
    path = Path("nonlinear") / "Misra1a.dat"
    path.parent.mkdir()
    text = (DATA / path).read_text(encoding="ascii")
    path.write_text(text.replace("Residual Sum of Squares", "Sum"), encoding="ascii")
    with pytest.raises(ValueError, match="Residual Sum of Squares"):
        read_dataset(path)
