"""Observations with what is to be said of them."""

import pytest
import torch

from paramfit.data.normalization import FixedScale, Standardize
from paramfit.data.thermometer import ThermometerDataModule


@pytest.mark.parametrize(
    "normalization", ["none", FixedScale(0.1), Standardize()], ids=["none", "fixed", "standardize"]
)
def test_described_data_are_those_of_the_data_module(normalization: object) -> None:
    data = ThermometerDataModule(validation_indices=[2, 5], normalization=normalization)  # type: ignore[arg-type]
    data.setup()
    described = data.described
    assert described.held_out.nonzero().flatten().tolist() == [2, 5]
    assert torch.equal(described.every.inputs[0], data.every.inputs[0])
    assert torch.equal(described.every.rows(~described.held_out).inputs[0].sort()[0], data.train.inputs[0].sort()[0])
