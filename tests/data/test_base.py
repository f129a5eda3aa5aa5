"""What every data module does: split, normalise, load, remember."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from paramfit import (
    EstimationDataModule,
    GaussianDataModule,
    InputError,
    Observations,
    TableDataModule,
    ThermometerDataModule,
)
from paramfit.data.loader import InMemoryLoader
from paramfit.data.normalization import FixedScale, Standardize


class TwoColumns(EstimationDataModule):
    def read(self) -> Observations:
        rows = torch.arange(200.0, dtype=torch.float64)
        return Observations((rows, 100 * rows.square()), rows)


def ready(data: EstimationDataModule) -> EstimationDataModule:
    data.setup("fit")
    return data


def inputs_of(loader: InMemoryLoader) -> torch.Tensor:
    return torch.cat([batch.inputs[0] for batch in loader])


def test_training_and_validation_loaders_share_no_row_and_lose_none():
    data = ready(ThermometerDataModule(validation_fraction=0.2, batch_size=4, shuffle=True))
    held_out = data.val_dataloader()
    assert isinstance(held_out, InMemoryLoader)
    both = torch.cat([inputs_of(data.train_dataloader()), inputs_of(held_out)])
    assert sorted(both.tolist()) == sorted(data.raw.inputs[0].tolist())
    assert held_out.observations.n == 2


def test_each_column_has_statistics_of_its_own():
    data = ready(TwoColumns(normalization=Standardize(), validation_fraction=0.25))
    rows = data.split.train.numpy() if data.split is not None else np.array([])
    for raw, column in zip(data.raw.inputs, data.train.inputs, strict=True):
        values = raw.numpy()[rows]
        assert column.numpy() == pytest.approx((values - values.mean()) / values.std(), rel=1e-12, abs=1e-12)


def test_jitter_is_given_in_units_of_the_raw_input():
    n = 200 * 50
    data = ready(TwoColumns(normalization=FixedScale(-0.1), jitter=2.0))
    loader = data.train_dataloader()
    noise = torch.cat([inputs_of(loader) - data.train.inputs[0] for _ in range(50)])
    assert noise.std().item() == pytest.approx(0.2, rel=5 / np.sqrt(2 * n))


@pytest.mark.parametrize("name", ["val_dataloader", "test_dataloader", "predict_dataloader"])
def test_only_the_training_inputs_jitter(name):
    data = ready(ThermometerDataModule(validation_fraction=0.2, jitter=5.0))
    expected = data.every.inputs[0] if name == "predict_dataloader" else data.validation.inputs[0]
    assert torch.equal(inputs_of(getattr(data, name)()), expected)


@pytest.mark.parametrize("name", ["val_dataloader", "test_dataloader"])
def test_an_evaluation_without_held_out_rows_takes_all_and_says_so(name, capsys):
    data = ready(ThermometerDataModule())
    assert torch.equal(inputs_of(getattr(data, name)()), data.raw.inputs[0])
    assert "evaluated on all 11 rows" in capsys.readouterr().out


def test_state_restores_split_and_statistics_of_another_seed():
    saved = ready(ThermometerDataModule(validation_fraction=0.2, normalization=Standardize(), seed=1))
    other = ready(ThermometerDataModule(validation_fraction=0.3, normalization=Standardize(), seed=2))
    assert saved.validation.target.tolist() != other.validation.target.tolist()
    other.load_state_dict(saved.state_dict())
    assert torch.equal(other.train.inputs[0], saved.train.inputs[0])
    assert torch.equal(other.validation.inputs[0], saved.validation.inputs[0])
    assert torch.equal(other.validation.target, saved.validation.target)


def test_state_holds_where_the_training_loader_is():
    options: dict[str, Any] = {"batch_size": 4, "shuffle": True, "jitter": 1.0}
    saved = ready(ThermometerDataModule(**options))
    batches = iter(saved.train_dataloader())
    next(batches)
    state = saved.state_dict()
    rest = [batch.inputs[0] for batch in batches]
    resumed = ready(ThermometerDataModule(**options))
    resumed.load_state_dict(state)
    assert len(rest) == 2
    assert all(map(torch.equal, rest, [batch.inputs[0] for batch in resumed.train_dataloader()]))


@pytest.mark.parametrize("other", [
    pytest.param(GaussianDataModule(n_obs=11, seed=1), id="same-size"),
    pytest.param(GaussianDataModule(n_obs=12), id="other-size"),
    pytest.param(GaussianDataModule(n_obs=11, dtype="float32"), id="other-precision"),
    pytest.param(ThermometerDataModule(), id="other-data-set"),
])  # fmt: skip
def test_state_of_other_data_is_refused(other):
    state = ready(other).state_dict()
    with pytest.raises(InputError, match=r"made with other data.*--data"):
        ready(GaussianDataModule(n_obs=11)).load_state_dict(state)


def first_inputs(data: EstimationDataModule, epochs: int) -> list[torch.Tensor]:
    """The first batch of some epochs, as Lightning takes them with ``reload_dataloaders_every_n_epochs``."""
    return [next(iter(data.train_dataloader())).inputs[0] for _ in range(epochs)]


def test_a_loader_made_anew_goes_on_with_the_next_epoch():
    batches = first_inputs(ready(ThermometerDataModule(batch_size=4, shuffle=True, seed=1)), 4)
    assert len({tuple(batch.tolist()) for batch in batches}) == 4


def test_a_new_fit_begins_at_its_first_epoch():
    data = ready(ThermometerDataModule(batch_size=4, shuffle=True, seed=1))
    (first,) = first_inputs(data, 1)
    data.setup("fit")
    assert torch.equal(first_inputs(data, 1)[0], first)


class WithSigma(TwoColumns):
    """One error that is no error, or none."""

    def __init__(self, wrong: float = 1.0) -> None:
        super().__init__()
        self.wrong = wrong

    def read(self) -> Observations:
        sigma = torch.ones(200, dtype=torch.float64)
        sigma[7] = self.wrong
        return super().read()._replace(sigma=sigma)


class Uneven(TwoColumns):
    def read(self) -> Observations:
        return super().read()._replace(target=torch.zeros(7, dtype=torch.float64))


class WithHole(TwoColumns):
    def read(self) -> Observations:
        observations = super().read()
        target = observations.target.clone()
        target[3] = float("nan")
        return observations._replace(target=target)


@pytest.mark.parametrize(("data", "named"), [
    (WithSigma(0.0), "sigma is 0 in row 7"),
    (WithSigma(-2.0), "sigma is -2 in row 7"),
    (WithSigma(float("nan")), "sigma is nan in row 7"),
    (Uneven(), r"input 0 has \(200,\)"),
    (WithHole(), "target is nan in row 3"),
], ids=["sigma 0", "negative sigma", "sigma NaN", "unequal lengths", "NaN"])  # fmt: skip
def test_data_that_a_fit_cannot_use_are_refused(data, named):
    with pytest.raises(InputError, match=named):
        data.setup("fit")


@pytest.mark.parametrize(
    "normalization", ["none", FixedScale(0.1), Standardize()], ids=["none", "fixed", "standardize"]
)
def test_described_data_are_those_of_the_data_module(normalization):
    data = ThermometerDataModule(validation_rows=[2, 5], normalization=normalization)  # type: ignore[arg-type]
    data.setup()
    described = data.described
    assert described.held_out.nonzero().flatten().tolist() == [2, 5]
    assert torch.equal(described.every.inputs[0], data.every.inputs[0])
    assert torch.equal(described.every.rows(~described.held_out).inputs[0].sort()[0], data.train.inputs[0].sort()[0])


def test_rows_held_out_are_named_by_either_name():
    for option in ("validation_rows", "validation_indices"):
        for data in (ThermometerDataModule(**{option: [1, 9]}), GaussianDataModule(n_obs=11, **{option: [1, 9]})):
            data.setup()
            assert data.split.validation.tolist() == [1, 9]
    with pytest.raises(InputError, match="older name of validation_rows"):
        ThermometerDataModule(validation_rows=[1], validation_indices=[1])


def table_of(n: int, fraction: float) -> TableDataModule:
    Path("rows.csv").write_text("y\n" + "1\n" * n, encoding="utf-8")
    return TableDataModule("rows.csv", [], "y", validation_fraction=fraction)


MADE_WITH: dict[str, tuple[Callable[[int, float], EstimationDataModule], list[int]]] = {
    "thermometer": (lambda _, fraction: ThermometerDataModule(validation_fraction=fraction), [11]),
    "gaussian": (lambda n, fraction: GaussianDataModule(n, validation_fraction=fraction), [2, 30, 4097]),
    "table": (table_of, [1, 2, 3, 7, 11, 30, 999, 1000, 4097]),
    "own": (lambda _, fraction: TwoColumns(fraction), [200]),
}


@pytest.mark.parametrize(("kind", "n"), [(kind, n) for kind, (_, sizes) in MADE_WITH.items() for n in sizes])
def test_a_fraction_that_rounds_to_no_row_is_told_with_one_that_suffices(kind, n, capsys):
    made, _ = MADE_WITH[kind]
    data = ready(made(n, 0.9 / n))
    assert (data.train.n, data.validation.n) == (n, 0)
    rows = "row" if n == 1 else "rows"
    expected = rf"WARNING: validation_fraction: [\d.e-]+ of {n} {rows} is less than one row; no row is held out(.*)\n"
    told = re.fullmatch(expected, capsys.readouterr().out)
    assert told is not None
    if n > 1:
        enough = re.fullmatch(r"; one is held out from ([\d.]+) on", told[1])
        assert ready(made(n, float(enough[1]))).validation.n == 1
        assert capsys.readouterr().out == ""
