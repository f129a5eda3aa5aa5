"""A result in use without a Trainer: shown, saved, read again, predicted from at new rows, drawn and questioned."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from numpy.typing import NDArray
from torch import nn
from torch.optim import LBFGS, SGD, Adam

import paramfit
from paramfit import (
    AnalyticGradient,
    EstimationDataModule,
    FitResult,
    FixedScale,
    GradientDescent,
    HandWrittenDescent,
    HuberError,
    InputError,
    LeastSquares,
    MaximumLikelihood,
    NumericalGradient,
    Observations,
    Regression,
    ThermometerDataModule,
    ThermometerRegression,
    fit,
)
from paramfit.callbacks import FitReport
from paramfit.facts import Status
from paramfit.fits.result import columns_of
from paramfit.gradients import GradientRule
from paramfit.models import DistributionModel, FormulaModel, LinearModel, PolynomialModel
from paramfit.results.provenance import Origin
from tests.quiet import QUIET

X = np.linspace(0.1, 4.0, 30)
NOISE = np.random.default_rng(2).normal(size=30)
Y = 3 * np.exp(-0.8 * X) + 0.5 + 0.05 * NOISE
COUNTS = np.random.default_rng(3).poisson(np.exp(0.3 + 0.5 * X)).astype(float)


class OwnModule(nn.Module):
    """A curve that no formula says."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
        self.k = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a * torch.exp(-self.k * x) + 0.5


def decay(**limits: Any) -> FormulaModel:
    return FormulaModel("a*exp(-k*x) + c", ["x"], {"a": 2, "k": {"start": 1, **limits}, "c": 0})


RESULTS = {
    "formula": paramfit.fit(decay(), (X, Y)),
    "bounds": paramfit.fit(decay(lower=0, upper=5), (X, Y), sigma=0.05),
    "fixed": paramfit.fit(decay(fixed=True), (X, Y), sigma=0.05, sigma_is="relative"),
    "at a bound": paramfit.fit(decay(lower=0.95, upper=5), (X, Y)),
    "robust": paramfit.fit(decay(), (X, Y), objective=HuberError(0.1)),
    "line": paramfit.fit(LinearModel(), (X, Y)),
    "parabola": paramfit.fit(PolynomialModel(2), {"time": X, "height": Y}, inputs="time"),
    "exact": paramfit.fit(LinearModel(), (X, 2 * X)),
    "two parameters too many": paramfit.fit(FormulaModel("a*b*x", ["x"], {"a": 1, "b": 1}), (X, Y)),
    "nothing left": paramfit.fit(PolynomialModel(2), (X[:3], Y[:3])),
    "stopped": paramfit.fit(decay(), (X, Y), max_iterations=1),
    "own module": paramfit.fit(OwnModule(), (X, Y)),
    "counts": paramfit.fit(
        DistributionModel("torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, {"a": 0, "b": 0}), (X, COUNTS)
    ),
    "sample": paramfit.fit(DistributionModel("torch.distributions.Gamma", {"concentration": None, "rate": None}), (Y,)),
    "kink": paramfit.fit(DistributionModel("torch.distributions.Laplace", {"loc": None, "scale": None}), (Y,)),
    "censored": paramfit.fit(
        DistributionModel("torch.distributions.Exponential", {"rate": None}),
        (Y,),
        censoring=["right" if k % 5 == 0 else "none" for k in range(30)],
    ),
}
each = pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
LINE = RESULTS["line"]


@each
def test_result_comes_back_from_its_file_bit_for_bit(result, tmp_path):
    file = result.save(tmp_path / "kept" / "estimates.json")
    again = paramfit.load(file)
    assert again == paramfit.load(file.parent) == result
    assert again.record == result.record
    assert again.report() == result.report()
    assert [path.name for path in file.parent.iterdir()] == ["estimates.json"]


@each
def test_loaded_result_predicts_as_before_where_formulas_say_the_model(result, tmp_path):
    again = paramfit.load(result.save(tmp_path))
    columns = () if result.origin is None or not result.origin.observations.inputs else ([0.3, 2.2],)
    if result is RESULTS["own module"]:
        return  # see below
    ours, before = again.predict(*columns), result.predict(*columns)
    torch.testing.assert_close(ours.prediction, before.prediction, rtol=1e-14, atol=0)
    torch.testing.assert_close(ours.standard_error, before.standard_error, rtol=1e-13, atol=0, equal_nan=True)
    assert bool(before.standard_error.isnan().all()) == (result.curve is None)
    assert (ours.prediction_band is None) == (before.prediction_band is None)


def test_module_of_ones_own_says_that_it_is_not_in_the_file(tmp_path):
    again = paramfit.load(RESULTS["own module"].save(tmp_path))
    with pytest.raises(InputError, match=r"the file does not hold the model .*OwnModule, only formulas"):
        again.predict([1.0])


class Points(EstimationDataModule):
    """The decay, or counts, without a file."""

    def __init__(self, target: NDArray[np.float64]) -> None:
        super().__init__()
        self.heights = target

    def read(self) -> Observations:
        return Observations((torch.from_numpy(X),), torch.from_numpy(self.heights))


class Run(NamedTuple):
    """A fit under a Trainer."""

    task: Callable[[], LightningModule]
    data: Callable[[], EstimationDataModule]
    updates: int
    by_hand: Callable[[Mapping[str, float], NDArray[np.float64]], NDArray[np.float64]]
    has_bands: bool = False
    is_written: bool = True
    at_bound: tuple[str, ...] = ()


def celsius(**options: Any) -> ThermometerDataModule:
    return ThermometerDataModule(normalization=FixedScale(0.1), **options)


def by_hand(gradient: GradientRule, dtype: str = "float32") -> HandWrittenDescent:
    return HandWrittenDescent(LinearModel(dtype=dtype), gradient, optimizer=partial(GradientDescent, lr=1e-2))


def line_by_hand(at: Mapping[str, float], x: NDArray[np.float64]) -> NDArray[np.float64]:
    return at["weight"] * (x * 0.1) + at["bias"]


def decay_by_hand(at: Mapping[str, float], x: NDArray[np.float64]) -> NDArray[np.float64]:
    return at["a"] * np.exp(-at["k"] * x) + at.get("c", 0.5)


def rate_by_hand(at: Mapping[str, float], x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(at["a"] + at["b"] * x)


def counts() -> DistributionModel:
    return DistributionModel("torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, {"a": 0, "b": 0})


SEARCH = partial(LBFGS, line_search_fn="strong_wolfe", max_iter=50, tolerance_grad=1e-12, tolerance_change=1e-14)
SLOWLY = partial(SGD, lr=1e-3)
RUNS = {
    "automatic": Run(lambda: ThermometerRegression(optimizer=SLOWLY), celsius, 5, line_by_hand),
    "automatic to the end": Run(lambda: ThermometerRegression(optimizer=SEARCH), celsius, 4, line_by_hand, True),
    "numerical": Run(lambda: by_hand(NumericalGradient(0.1)), celsius, 5, line_by_hand),
    "chain rule": Run(lambda: by_hand(AnalyticGradient(), "float64"), celsius, 5, line_by_hand),
    "least squares": Run(lambda: LeastSquares(decay()), lambda: Points(Y), 50, decay_by_hand, True),
    "likelihood": Run(lambda: MaximumLikelihood(counts()), lambda: Points(COUNTS), 50, rate_by_hand, True),
    "likelihood by descent": Run(
        lambda: MaximumLikelihood(counts(), optimizer=SLOWLY), lambda: Points(COUNTS), 3, rate_by_hand, True
    ),
    "formula": Run(lambda: Regression(decay(), optimizer=SLOWLY), lambda: Points(Y), 5, decay_by_hand),
    "bounds": Run(lambda: Regression(decay(lower=0), optimizer=SLOWLY), lambda: Points(Y), 5, decay_by_hand),
    "bounds to the end": Run(
        lambda: Regression(decay(lower=0), optimizer=SEARCH), lambda: Points(Y), 4, decay_by_hand, True
    ),
    "run to a bound": Run(
        lambda: Regression(decay(lower=0.95), optimizer=partial(Adam, lr=3.0)),
        lambda: Points(Y),
        60,
        decay_by_hand,
        at_bound=("lower",),
    ),
    "own module": Run(
        lambda: Regression(OwnModule(), optimizer=SLOWLY), lambda: Points(Y), 5, decay_by_hand, is_written=False
    ),
}


def ended(run: Run) -> FitResult:
    """The result of a run."""
    report = FitReport(enabled=False)
    Trainer(**QUIET, max_epochs=run.updates, callbacks=[report]).fit(run.task(), datamodule=run.data())
    assert report.result is not None
    return report.result


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_every_run_predicts_the_model_at_its_estimates(run, tmp_path):
    result = ended(run)
    x = np.array([0.3, 2.2, 7.0])
    assert {estimate.at_bound for estimate in result.parameters.values()} == {None, *run.at_bound}
    wanted = run.by_hand({name: estimate.estimate for name, estimate in result.parameters.items()}, x)
    before = result.predict(x)
    np.testing.assert_allclose(before.prediction, wanted, rtol=1e-13)
    again = paramfit.load(result.save(tmp_path))
    if not run.is_written:
        with pytest.raises(InputError, match=r"the file does not hold the model .*OwnModule, only formulas"):
            again.predict(x)
        return
    ours = again.predict(x)
    np.testing.assert_allclose(ours.prediction, wanted, rtol=1e-13)
    torch.testing.assert_close(ours.standard_error, before.standard_error, rtol=1e-13, atol=0, equal_nan=True)
    for bands in (before, ours):
        rest = (bands.standard_error, *bands.confidence)
        assert all(bool((column.isfinite() if run.has_bands else column.isnan()).all()) for column in rest)
        assert bands.prediction_band is None or run.has_bands


@pytest.mark.parametrize("model", [OwnModule, decay, partial(decay, lower=0)], ids=["own module", "formula", "bounds"])
def test_diverged_fit_predicts_nothing_and_says_so_in_one_line(model, tmp_path):
    explode = partial(SGD, lr=1e9)
    result = ended(Run(lambda: Regression(model(), optimizer=explode), lambda: Points(Y), 30, decay_by_hand))
    assert result.status is Status.DIVERGED
    for each_one in (result, paramfit.load(result.save(tmp_path))):
        with pytest.raises(InputError, match=r"diverged, and its estimates are not finite; fit again, with") as refusal:
            each_one.predict([1.0])
        assert "\n" not in str(refusal.value)


def test_without_bands_rows_outside_the_domain_are_refused(tmp_path):
    model = DistributionModel("torch.distributions.Poisson", {"rate": "a + b*x"}, {"a": 1, "b": 0})
    result = paramfit.fit(model, (X, COUNTS))
    assert isinstance(result.made_of, Origin)
    result = replace(result, made_of=replace(result.made_of, curve=None))
    for each_one in (result, paramfit.load(result.save(tmp_path))):
        with pytest.raises(
            InputError, match=r"model: rate is -.* in row 1 \(input -100\), outside what Poisson allows"
        ):
            each_one.predict([1.0, -100.0])


def test_without_bands_the_number_of_inputs_is_that_of_the_fit(tmp_path):
    result = RESULTS["two parameters too many"]
    for each_one in (result, paramfit.load(result.save(tmp_path))):
        with pytest.raises(InputError, match="2"):
            each_one.predict([1.0], [2.0])


@pytest.mark.parametrize("kind", ["line", "counts"])
def test_bands_of_another_kind_than_the_model_are_refused(kind, tmp_path):
    file = RESULTS[kind].save(tmp_path)
    plain = json.loads(file.read_text())
    plain["bands"]["of_mean"] = not plain["bands"]["of_mean"]
    file.write_text(json.dumps(plain))
    with pytest.raises(InputError, match=r"the file says \w+ for bands\.of_mean, which its model cannot be"):
        paramfit.load(file).predict([1.0])


def test_half_a_surrogate_pair_comes_back_from_the_file(tmp_path):
    model = FormulaModel("a + b*x", ["x"], {"a": {"start": 1, "unit": "mg\udcff\ud800/l"}, "b": 1})
    result = paramfit.fit(model, (X, Y))
    assert paramfit.load(result.save(tmp_path)) == result


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "x" * 5000 + "/estimates.json"])
def test_what_cannot_be_a_name_is_no_file(name):
    with pytest.raises(InputError, match="there is no "):
        paramfit.load(name)


def test_ladder_is_that_of_the_function_and_is_kept_in_the_file(tmp_path):
    errors = LINE.ladder()
    assert errors.as_dict() == paramfit.ladder(LINE).as_dict()
    kept = LINE.with_ladder(errors)
    again = paramfit.load(kept.save(tmp_path))
    assert again == kept
    assert again.errors_by_way.rungs == errors.rungs
    assert json.loads((tmp_path / "estimates.json").read_text())["ladder"] == errors.as_dict()


@pytest.mark.parametrize("question", ["ladder", "figures"])
def test_loaded_result_has_no_data_to_question(question, tmp_path):
    again = paramfit.load(LINE.save(tmp_path))
    with pytest.raises(InputError, match=f"{question}: the result was read from a file, without its data; fit again"):
        getattr(again, question)(*([tmp_path] if question == "figures" else []))


def test_figures_are_drawn_without_a_trainer(tmp_path):
    drawn = RESULTS["parabola"].figures(tmp_path / "new")
    assert set(drawn) == {"scatter", "fit", "residuals", "correlation"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn.values())
    assert set(RESULTS["sample"].figures(tmp_path)) == {"density", "histogram", "quantiles", "correlation"}


def test_python_needs_no_lightning_and_a_fit_alone_nothing_of_figures_and_tables(tmp_path):
    program = f"""
import sys
import paramfit
paramfit.fit
print([name for name in ("lightning", "matplotlib", "pyarrow", "tensorboard") if name in sys.modules])
result = paramfit.fit(paramfit.LinearModel(), ([0.0, 1.0, 2.0, 3.0], [1.1, 2.9, 5.1, 6.9]))
result.report(), result.ladder(), result.predict([1.0])
result.save({str(tmp_path)!r}), result.figures({str(tmp_path)!r})
paramfit.compare([paramfit.load({str(tmp_path)!r}), result])
print([name for name in sys.modules if name.partition(".")[0] == "lightning"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]


REFUSED = {
    "no folder": ("nowhere/version_0", "there is no nowhere/version_0; give the folder"),
    "no file": ("estimates.json", "there is no estimates.json; give the folder"),
    "cut off": ("cut.json", "cut.json cannot be read"),
    "deep": ("deep.json", "deep.json cannot be read"),
    "a list": ("list.json", "list.json does not hold a result; fit again"),
    "older": ("older.json", "older.json has no facts, as files of an older version have not; fit again"),
    "bytes": ("bytes.json", "bytes.json cannot be read"),
}


@pytest.mark.parametrize(("path", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_result_is_refused_in_one_line(path, words):
    older = {key: entry for key, entry in LINE.to_plain().items() if key != "facts"}
    for name, text in (("cut", "{"), ("deep", "[" * 100_000), ("list", "[]"), ("older", json.dumps(older))):
        Path(f"{name}.json").write_text(text)
    Path("bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=words) as refusal:
        paramfit.load(path)
    assert "\n" not in str(refusal.value)


def test_file_that_cannot_be_finished_leaves_the_old_one(tmp_path, monkeypatch):
    file = LINE.save(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda file: os.write(-1, b""))  # as on a disk that fails
    with pytest.raises(OSError, match="Bad file descriptor"):
        replace(LINE, updates=7).save(file)
    monkeypatch.undo()
    assert paramfit.load(file) == LINE


KINDS: dict[str, Callable[[list[float]], Any]] = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "float32": lambda values: np.array(values, dtype=np.float32),
    "objects": lambda values: [Decimal(str(value)) for value in values],
    "tensor": lambda values: torch.tensor(values, requires_grad=True),
    "series": lambda values: pd.Series(values, index=[7, 8, 9]),
    "pyarrow": pa.array,
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_rows_of_numbers_become_float64(kind):
    (column,), sigma = columns_of([kind([1.0, 2.5, -4.0])], kind([1.0, 2.0, 3.0]))
    assert (column.dtype, column.tolist()) == (torch.float64, [1.0, 2.5, -4.0])
    assert sigma.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("number", [4, 4.0, np.float32(4), torch.tensor(4.0)], ids=lambda given: type(given).__name__)
def test_one_number_is_one_row(number):
    assert columns_of([number])[0][0].tolist() == [4.0]


def line() -> FitResult:
    return fit(
        FormulaModel("a + b * s + c * t", ["s", "t"], dict.fromkeys("abc")), ([0, 1, 2, 3], [0, 1, 0, 1], [1, 4, 5, 9])
    )


REFUSED_COLUMNS: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "text": (("abc", [1.0]), None, "input 0 is no row of numbers but str; give one row"),
    "None": (([1.0], None), None, "input 1 is no row of numbers but NoneType"),
    "texts": ((["1", "2"], [1.0, 2.0]), None, "input 0 is no row of numbers but list"),
    "complex": (([1j], [1.0]), None, "input 0 is no row of numbers"),
    "ragged": (([1.0, [2.0]], [1.0, 2.0]), None, "input 0 is no row of numbers"),
    "mapping": (({"s": [1.0]}, [1.0]), None, "input 0 is a table; give its columns one by one"),
    "matrix": (([[1.0, 2.0], [3.0, 4.0]],), None, r"input 0 has the shape \(2, 2\); .* predict\(x1, x2\)"),
    "one column": ((torch.ones(3, 1), torch.ones(3)), None, r"input 0 has the shape \(3, 1\)"),
    "unequal": (([1.0, 2.0], [3.0]), None, "input 1 has 1 values, but input 0 has 2"),
    "sigma's text": (([1.0], [1.0]), "error", "sigma is no row of numbers but str"),
    "sigma's length": (([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), [0.1, 0.2], "sigma has 2 values, but the inputs have 3"),
    "too few": (([1.0],), None, "the formula has 2 variables .*, but the data have 1"),
}


@pytest.mark.parametrize(("inputs", "sigma", "words"), REFUSED_COLUMNS.values(), ids=REFUSED_COLUMNS)
def test_what_cannot_be_predicted_at_is_refused_in_one_line(inputs, sigma, words):
    with pytest.raises(InputError, match=words) as refusal:
        line().predict(*inputs, sigma=sigma)
    assert "\n" not in str(refusal.value)


def test_one_sigma_counts_for_all_rows():
    weighted = fit(FormulaModel("a + b * t", ["t"], dict.fromkeys("ab")), ([0, 1, 2, 3], [1, 4, 5, 9]), sigma=0.5)
    one, each = weighted.predict([4.0, 5.0], sigma=0.3), weighted.predict([4.0, 5.0], sigma=[0.3, 0.3])
    assert one.prediction_band is not None
    assert each.prediction_band is not None
    assert torch.equal(torch.stack(one.prediction_band), torch.stack(each.prediction_band))


def altered() -> dict[str, bytes]:
    """What may be left of a result's file, or be put in its place."""
    plain = LINE.to_plain()
    raw = json.dumps(plain).encode()
    files = {f"cut after {size}": raw[:size] for size in (0, 1, 100, len(raw) // 2, len(raw) - 1)}
    files |= {
        "NULs": bytes(len(raw)),
        "NULs within": raw[:50] + bytes(50) + raw[100:],
        "UTF-16": raw.decode().encode("utf-16"),
    }
    files |= {"no JSON": b"hello", "no text": b"\xff" * 99, "a list": b"[]", "a number": b"1", "nothing": b"null"}
    files |= {
        "deep lists": b"[" * 200_000,
        "deep objects": b'{"a":' * 100_000,
        "digits": b'{"updates":' + b"9" * 6000 + b"}",
    }
    for key in ("task", "status", "updates", "loss", "parameters", "warnings"):
        others = {"none": None, "number": 7.5, "list": [[]], "object": {"x": {"y": 1}}}
        files |= {f"{key}: {name}": json.dumps({**plain, key: other}).encode() for name, other in others.items()}
        files[f"no {key}"] = json.dumps({name: part for name, part in plain.items() if name != key}).encode()
    return files


ALTERED = altered()


@pytest.mark.parametrize("content", ALTERED.values(), ids=ALTERED)
def test_what_is_no_result_is_refused_in_one_line_or_reads_as_one(content, tmp_path):
    (tmp_path / "estimates.json").write_bytes(content)
    refusal = ""
    try:
        again = paramfit.load(tmp_path)
    except InputError as refused:
        refusal = str(refused)
    if refusal:
        assert len(refusal.splitlines()) == 1
        assert "estimates.json" in refusal
    else:
        assert again.report()
