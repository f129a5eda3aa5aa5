"""Words about updates."""

import pytest
import torch

from paramfit.facts import Status, Stop
from paramfit.tasks.updates import parameter_values


def test_statuses_are_the_names_that_estimates_json_promises() -> None:
    promised = {"converged", "stalled", "stopped_early", "limit_reached", "diverged", "interrupted", "terminated"}
    assert {status.value for status in Status} == promised


def test_stop_cannot_be_changed_after_the_fact() -> None:
    stop = Stop(Status.DIVERGED, "loss is nan")
    with pytest.raises(AttributeError):
        stop.reason = "nothing happened"  # type: ignore[misc]


def test_scalar_parameter_is_told_by_its_name() -> None:
    assert parameter_values(["weight"], [torch.tensor(2.5)]) == {"weight": 2.5}


def test_elements_are_told_by_their_place() -> None:
    matrix = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert parameter_values(["bias", "weight"], [torch.tensor([7.0, 8.0]), matrix]) == {
        "bias[0]": 7.0,
        "bias[1]": 8.0,
        "weight[0,0]": 1.0,
        "weight[0,1]": 2.0,
        "weight[0,2]": 3.0,
        "weight[1,0]": 4.0,
        "weight[1,1]": 5.0,
        "weight[1,2]": 6.0,
    }


def test_large_parameter_is_told_by_its_norm() -> None:
    assert parameter_values(["weight"], [torch.full((5, 20), 3.0)]) == {"norm(weight)": pytest.approx(30.0)}


def test_most_decides_what_is_large() -> None:
    tensor = torch.tensor([3.0, 4.0])
    assert parameter_values(["weight"], [tensor], most=1) == {"norm(weight)": 5.0}
    assert set(parameter_values(["weight"], [tensor], most=2)) == {"weight[0]", "weight[1]"}


def test_names_and_tensors_must_correspond() -> None:
    with pytest.raises(ValueError, match="shorter"):
        parameter_values(["weight", "bias"], [torch.tensor(1.0)])
