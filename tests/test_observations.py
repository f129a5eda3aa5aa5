"""One batch of observations."""

import pytest
import torch

from paramfit.observations import Censored, Observations


def batch(sigma: bool = True) -> Observations:
    deviation = torch.tensor([0.1, 0.2, 0.3]) if sigma else None
    return Observations(
        (torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])), torch.tensor([7.0, 8.0, 9.0]), deviation
    )


@pytest.mark.parametrize("index", [torch.tensor([2, 0]), slice(1, 3)], ids=["index", "slice"])
def test_rows_takes_the_same_rows_of_every_column(index):
    rows = batch().rows(index)
    wanted = [2, 0] if isinstance(index, torch.Tensor) else [1, 2]
    assert rows.inputs[0].tolist() == [[1.0, 2.0, 3.0][i] for i in wanted]
    assert rows.inputs[1].tolist() == [[4.0, 5.0, 6.0][i] for i in wanted]
    assert rows.target.tolist() == [[7.0, 8.0, 9.0][i] for i in wanted]
    assert rows.sigma.tolist() == pytest.approx([[0.1, 0.2, 0.3][i] for i in wanted])


@pytest.mark.parametrize("sigma", [True, False], ids=["sigma", "no sigma"])
def test_to_changes_every_precision(sigma):
    double = batch(sigma).to(torch.float64)
    tensors = [*double.inputs, double.target, *([] if double.sigma is None else [double.sigma])]
    assert {tensor.dtype for tensor in tensors} == {torch.float64}
    assert len(tensors) == 3 + sigma


def censored() -> Observations:
    censoring = Censored(torch.tensor([0, 2, 3]), torch.tensor([torch.inf, torch.inf, 10.0]))
    return batch(sigma=False)._replace(censoring=censoring)


def test_censoring_goes_with_the_rows():
    censoring = censored().rows(torch.tensor([2, 0])).censoring
    assert censoring.status.tolist() == [3, 0]
    assert censoring.upper.tolist() == [10.0, torch.inf]


@pytest.mark.parametrize("like", [torch.float64, torch.zeros((), dtype=torch.float64)], ids=["dtype", "tensor"])
def test_precision_is_that_of_ends_and_not_of_statuses(like):
    censoring = censored().to(like).censoring
    assert (censoring.status.dtype, censoring.upper.dtype) == (torch.int64, torch.float64)
