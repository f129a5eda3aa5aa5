"""Batches, their order, their jitter, and where a loader stands."""

import numpy as np
import pytest
import torch

from paramfit import InputError, Observations
from paramfit.data.loader import InMemoryLoader


def eleven() -> Observations:
    rows = torch.arange(11.0)
    return Observations((rows,), 10 * rows)


def targets_of_an_epoch(loader: InMemoryLoader) -> list[float]:
    return [value for batch in loader for value in batch.target.tolist()]


def inputs_of_an_epoch(loader: InMemoryLoader) -> torch.Tensor:
    return torch.cat([batch.inputs[0] for batch in loader])


def test_all_rows_are_one_batch_by_default():
    loader = InMemoryLoader(eleven())
    batches = list(loader)
    assert len(loader) == len(batches) == 1
    assert batches[0].target.tolist() == eleven().target.tolist()


def test_mini_batches_of_eleven_rows_have_4_4_and_3():
    loader = InMemoryLoader(eleven(), 4)
    batches = list(loader)
    assert len(loader) == 3
    assert [batch.n for batch in batches] == [4, 4, 3]
    assert torch.equal(torch.cat([batch.target for batch in batches]), eleven().target)


@pytest.mark.parametrize("batch_size", [0, -4])
def test_batch_without_rows_is_refused(batch_size):
    with pytest.raises(InputError, match="batch_size"):
        InMemoryLoader(eleven(), batch_size)


def test_shuffled_epochs_hold_all_rows_each_in_an_order_of_its_own():
    loader = InMemoryLoader(eleven(), 4, shuffle=True)
    first, second = targets_of_an_epoch(loader), targets_of_an_epoch(loader)
    assert sorted(first) == sorted(second) == eleven().target.tolist()
    assert first != second
    assert first != eleven().target.tolist()


def test_columns_keep_together_in_a_shuffle():
    for batch in InMemoryLoader(eleven()._replace(sigma=torch.arange(11.0) + 100), 4, shuffle=True):
        assert torch.equal(batch.target, 10 * batch.inputs[0])
        assert torch.equal(batch.sigma, batch.inputs[0] + 100)


def test_order_depends_on_seed_and_epoch_and_on_no_global_state():
    first = InMemoryLoader(eleven(), 4, shuffle=True, jitter=[0.5], seed=7)
    expected = [inputs_of_an_epoch(first) for _ in range(3)]
    torch.manual_seed(99)
    np.random.seed(99)  # the very state that must not matter
    second = InMemoryLoader(eleven(), 4, shuffle=True, jitter=[0.5], seed=7)
    for epoch in expected:
        assert torch.equal(inputs_of_an_epoch(second), epoch)
    assert not torch.equal(
        inputs_of_an_epoch(InMemoryLoader(eleven(), 4, shuffle=True, jitter=[0.5], seed=8)), expected[0]
    )


def test_jitter_has_the_standard_deviation_asked_for():
    n = 20_000
    rows = torch.zeros(n, dtype=torch.float64)
    loader = InMemoryLoader(Observations((rows, rows), rows), jitter=[2.0, 0.25])
    (batch,) = loader
    for column, deviation in zip(batch.inputs, (2.0, 0.25), strict=True):
        # Five standard errors of the standard deviation and of the mean.
        assert column.std().item() == pytest.approx(deviation, rel=5 / np.sqrt(2 * n))
        assert abs(column.mean().item()) < 5 * deviation / np.sqrt(n)
    assert abs(np.corrcoef(batch.inputs[0].numpy(), batch.inputs[1].numpy())[0, 1]) < 5 / np.sqrt(n)


def test_jitter_is_fresh_each_epoch_and_spares_the_target():
    loader = InMemoryLoader(eleven(), jitter=[0.5])
    (first,), (second,) = loader, loader
    assert not bool((first.inputs[0] == second.inputs[0]).any())
    assert torch.equal(first.target, eleven().target)


@pytest.mark.parametrize("taken", [1, 2])
def test_state_in_the_middle_of_an_epoch_goes_on_with_the_next_batch(taken):
    whole = InMemoryLoader(eleven(), 4, shuffle=True, jitter=[0.5], seed=5)
    list(whole)  # the second epoch is the one that is left
    batches = iter(whole)
    for _ in range(taken):
        next(batches)
    state = whole.state_dict()
    rest = [batch.inputs[0] for batch in batches]
    after = [batch.inputs[0] for batch in whole]
    resumed = InMemoryLoader(eleven(), 4, shuffle=True, jitter=[0.5], seed=5)
    resumed.load_state_dict(state)
    assert len(rest) == 3 - taken
    assert all(map(torch.equal, rest, [batch.inputs[0] for batch in resumed]))
    assert all(map(torch.equal, after, [batch.inputs[0] for batch in resumed]))


def test_state_at_the_end_of_an_epoch_goes_on_with_the_next_epoch():
    whole = InMemoryLoader(eleven(), 4, shuffle=True, seed=5)
    first = targets_of_an_epoch(whole)
    state = whole.state_dict()
    second = targets_of_an_epoch(whole)
    resumed = InMemoryLoader(eleven(), 4, shuffle=True, seed=5)
    resumed.load_state_dict(state)
    assert first != second
    assert targets_of_an_epoch(resumed) == second
