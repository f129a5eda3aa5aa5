"""The user's own table as a data module."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from paramfit import InputError, Standardize, TableDataModule

TABLE = "t / s,current,error,note\n0,1.5,0.1,a\n1,2.5,0.2,b\n2,3.5,0.3,c\n3,4.5,0.4,d\n"


@pytest.fixture(autouse=True)
def measurements(own_directory: Path) -> Path:
    path = own_directory / "measurements.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def table(**options: Any) -> TableDataModule:
    return TableDataModule(**{"path": "measurements.csv", "inputs": ["t / s"], "target": "current", **options})


def test_columns_become_observations():
    observations = table(inputs=["t / s", "error"]).read()
    assert [column.tolist() for column in observations.inputs] == [[0.0, 1.0, 2.0, 3.0], [0.1, 0.2, 0.3, 0.4]]
    assert observations.target.tolist() == [1.5, 2.5, 3.5, 4.5]
    assert observations.target.dtype == torch.float64
    assert observations.sigma is None
    assert table(sigma="error").read().sigma.tolist() == [0.1, 0.2, 0.3, 0.4]


def test_single_precision_is_the_rounded_value():
    observations = table(inputs=["error"], dtype="float32").read()
    assert np.array_equal(observations.inputs[0].numpy(), np.array([0.1, 0.2, 0.3, 0.4]).astype(np.float32))


@pytest.mark.parametrize(
    "path", ["data/**/*.csv", ["data/1.csv", "data/2/b.csv"]], ids=["glob over folders", "list of files"]
)
def test_rows_of_several_files_follow_one_another(path):
    Path("data/2").mkdir(parents=True)
    Path("data/1.csv").write_text("x,y\n1,10\n2,20\n", encoding="utf-8")
    Path("data/2/b.csv").write_text("y,x,z\n30,3,0\n", encoding="utf-8")
    observations = TableDataModule(path, ["x"], "y").read()
    assert observations.inputs[0].tolist() == [1.0, 2.0, 3.0]
    assert observations.target.tolist() == [10.0, 20.0, 30.0]


def test_a_file_that_lacks_a_column_or_every_row_is_named():
    Path("a.csv").write_text("x,y\n1,\n,2\n", encoding="utf-8")
    Path("b.csv").write_text("x,z\n1,10\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"^b\.csv: there is no column 'y'"):
        TableDataModule("b.csv", ["x"], "y").read()
    with pytest.raises(InputError, match=r"^a\.csv: no row is left"):
        TableDataModule("a.csv", ["x"], "y", missing="drop").read()


def test_rows_are_split_and_normalised_as_those_of_any_data():
    data = table(validation_rows=[3], normalization=Standardize())
    data.setup("fit")
    assert data.train.inputs[0].numpy() == pytest.approx((np.arange(3) - 1) / np.arange(3).std(), rel=1e-14)
    assert data.validation.target.tolist() == [4.5]


def test_rows_that_are_dropped_are_told_once(capsys):
    Path("measurements.csv").write_text("x,y,z\n1,2,\n,,\n3,,\n4,5,6\n", encoding="utf-8")
    data = TableDataModule("measurements.csv", ["x"], "y", missing="drop")
    data.setup("fit")
    data.setup("test")
    assert data.raw.target.tolist() == [2.0, 5.0]
    assert capsys.readouterr().out == (
        "measurements.csv: 2 of 4 rows dropped, since a value is missing in x (1), y (2)\n"
    )


HOLES = ("x,y\n0,10\n1,\n2,12\n", "x,y\n3,13\n,14\n5,15\n6,16\n")


def with_holes(rows: list[int]) -> TableDataModule:
    """Two files, in which the x of a row is its number; rows 1 and 4 lack a value."""
    for name, text in zip("ab", HOLES, strict=True):
        Path(f"{name}.csv").write_text(text, encoding="utf-8")
    return TableDataModule(["a.csv", "b.csv"], ["x"], "y", missing="drop", validation_rows=rows)


@pytest.mark.parametrize("rows", [[0], [2], [3, 6], [6, 0, 5]])
def test_rows_that_are_held_out_are_counted_with_those_that_are_dropped(rows):
    data = with_holes(rows)
    data.setup("fit")
    assert data.validation.target.tolist() == [10.0 + row for row in sorted(rows)]
    assert data.train.target.tolist() == [10.0 + row for row in (0, 2, 3, 5, 6) if row not in rows]


@pytest.mark.parametrize(("rows", "message"), [
    ([0, 4], "validation_rows: row 4 was dropped, since a value is missing in it"),
    ([1], "validation_rows: row 1 was dropped"),
    ([7], "validation_rows: row 7 is outside 0 to 6"),
    ([-1], "validation_rows: row -1 is outside"),
    ([2, 2], "validation_rows: a row is given twice"),
    ([0, 2, 3, 5, 6], "validation_rows: all 5 rows validate"),
])  # fmt: skip
def test_rows_that_cannot_be_held_out_are_refused_by_their_numbers_in_the_files(rows, message):
    with pytest.raises(InputError, match=message):
        with_holes(rows).setup("fit")


@pytest.mark.parametrize(("options", "message"), [
    pytest.param({"inputs": ["a", "b", "a"]}, "inputs: the column 'a' is an input already", id="input twice"),
    pytest.param({"inputs": ["current"]}, "target: the column 'current' is an input already", id="target as input"),
    pytest.param({"sigma_is": "relatve"}, "sigma_is: expected absolute or relative", id="sigma_is"),
    pytest.param({"sigma_is": "relative"}, "sigma_is: relative is how sigma is meant, but there is none", id="no sigma"),  # noqa: E501
    pytest.param({"missing": "skip"}, "missing: expected error or drop", id="missing"),
])  # fmt: skip
def test_wrong_options_are_refused_before_anything_is_read(options, message):
    with pytest.raises(InputError, match=message):
        table(**{"path": "not-there.csv", **options})


LIFETIMES = "t,seen,until\n1,observed,\n2,right,\n3,interval,4.5\n4,,\n"


def lifetimes(text: str = LIFETIMES, **options: Any) -> TableDataModule:
    Path("lifetimes.csv").write_text(text, encoding="utf-8")
    given = {"path": "lifetimes.csv", "inputs": [], "target": "t", "censoring": "seen", "upper": "until"}
    return TableDataModule(**{**given, **options})


def test_censoring_goes_with_the_rows_and_their_batches():
    data = lifetimes(validation_rows=[0], batch_size=2)
    data.setup("fit")
    batches = [batch.censoring for batch in data.train_dataloader()]
    assert [[] if batch is None else batch.status.tolist() for batch in batches] == [[2, 3], [0]]
    assert [[] if batch is None else batch.upper.tolist() for batch in batches] == [[np.inf, 4.5], [np.inf]]


def test_a_column_without_a_bound_is_no_censoring():
    assert lifetimes("t,seen,until\n1,,\n2,none,\n").read().censoring is None


def test_fingerprint_knows_the_bounds():
    prints = set()
    for text in (LIFETIMES, LIFETIMES.replace("right", "left"), LIFETIMES.replace("4.5", "4.6")):
        data = lifetimes(text)
        data.setup()
        prints.add(data.fingerprint())
    assert len(prints) == 3


@pytest.mark.parametrize(("options", "words"), [
    ({"censoring": None}, "upper: upper ends belong to intervals"),
    ({"censoring": "t"}, "censoring: the column 't' is the target already"),
    ({"upper": "seen"}, "upper: the column 'seen' is the censoring already"),
    ({"inputs": ["until"]}, "upper: the column 'until' is an input already"),
], ids=["ends alone", "target", "words as ends", "input"])  # fmt: skip
def test_columns_of_bounds_have_one_role(options, words):
    with pytest.raises(InputError, match=words):
        lifetimes(**options)


PARTS = "x,y,part\n0,1,train\n1,3,validation\n2,5, Train\n3,7,VAL\n4,9,training\n"


def test_a_column_says_which_rows_are_held_out():
    Path("parts.csv").write_text(PARTS, encoding="utf-8")
    data = TableDataModule("parts.csv", ["x"], "y", validation_column="part")
    data.setup("fit")
    assert data.validation.target.tolist() == [3.0, 7.0]
    assert data.train.target.tolist() == [1.0, 5.0, 9.0]


def test_a_column_of_a_parquet_file_says_it_too():
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"y": [1.0, 2.0, 3.0], "part": ["train", "validation", "train"]}), "parts.parquet")
    data = TableDataModule("parts.parquet", [], "y", validation_column="part")
    data.setup("fit")
    assert data.validation.target.tolist() == [2.0]
    parquet.write_table(pa.table({"y": [1.0, 2.0], "part": ["train", "later"]}), "parts.parquet")
    with pytest.raises(InputError, match=r"row 1, column 'part': expected train or validation, but got 'later'"):
        TableDataModule("parts.parquet", [], "y", validation_column="part").read()


def test_row_numbers_of_parts_are_those_of_the_rows_that_stay():
    Path("parts.csv").write_text("y,part\n,train\n2,validation\n3,train\n", encoding="utf-8")
    data = TableDataModule("parts.csv", [], "y", missing="drop", validation_column="part")
    data.setup("fit")
    assert data.validation.target.tolist() == [2.0]


@pytest.mark.parametrize(("text", "options", "message"), [
    (PARTS.replace("VAL", "test"), {}, r"line 5, column 'part': expected train or validation, but got 'test'"),
    (PARTS.replace("VAL", ""), {}, r"line 5, column 'part': expected train or validation, but got ''"),
    ("x,y,part\n0,1,val\n1,3,val\n", {}, r"validation_column: all 2 rows validate, none is left for training"),
    (PARTS, {"validation_fraction": 0.5}, r"leave out fraction and row numbers"),
    (PARTS, {"validation_rows": [1]}, r"leave out fraction and row numbers"),
    (PARTS, {"validation_column": "y"}, r"validation_column: the column 'y' is the target already"),
    (PARTS, {"validation_column": "parts"}, r"there is no column 'parts'.*part"),
])  # fmt: skip
def test_a_column_of_parts_that_cannot_be_used_is_refused(text, options, message):
    Path("parts.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        TableDataModule("parts.csv", ["x"], "y", **{"validation_column": "part", **options}).setup("fit")
