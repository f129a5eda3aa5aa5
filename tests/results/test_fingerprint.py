"""Fingerprints of data."""

import hashlib
import struct

import pytest
import torch

from paramfit.observations import Censored, Observations
from paramfit.results.fingerprint import Fingerprint

X, Y = torch.tensor([1.0, 2.5, -3.0], dtype=torch.float64), torch.tensor([0.5, 0.25, 8.0], dtype=torch.float64)


def test_digest_is_that_of_the_bytes_of_doubles():
    expected = hashlib.blake2b(struct.pack("<3d", 0.5, 0.25, 8.0), digest_size=16).hexdigest()
    assert Fingerprint.of(Observations((X,), Y)).target == expected


@pytest.mark.parametrize("sigma", [None, Y], ids=["no sigma", "sigma"])
@pytest.mark.parametrize("inputs", [(), (X,), (X, Y)], ids=["none", "one", "two"])
def test_text_and_back(inputs, sigma):
    fingerprint = Fingerprint.of(Observations(inputs, Y, sigma))
    assert Fingerprint.read(str(fingerprint)) == fingerprint


def test_precision_and_layout_do_not_matter():
    every_other = torch.stack([X, Y], dim=1)[:, 0]
    assert not every_other.is_contiguous()
    assert Fingerprint.of(Observations((every_other,), Y.float())) == Fingerprint.of(Observations((X,), Y))


def test_one_number_and_the_order_matter():
    one = Fingerprint.of(Observations((X,), Y))
    assert Fingerprint.of(Observations((X,), Y.nextafter(Y + 1))).target != one.target
    assert Fingerprint.of(Observations((X.flip(0),), Y)).inputs != one.inputs


def test_censoring_matters():
    status = torch.tensor([0, 2, 0])
    one = Fingerprint.of(Observations((X,), Y, None, Censored(status, torch.full((3,), torch.inf))))
    other = Fingerprint.of(Observations((X,), Y, None, Censored(status.flip(0) + 1, torch.full((3,), torch.inf))))
    assert len({one.target, other.target, Fingerprint.of(Observations((X,), Y)).target}) == 3
