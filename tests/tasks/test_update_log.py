"""Counting updates and telling who wants to know."""

import math

import pytest
import torch
from torch import nn

from paramfit.facts import Status, Stop
from paramfit.tasks.updates import Update, UpdateLog, parameter_values


class Every:
    """A listener that wants every so many updates."""

    def __init__(self, distance: int) -> None:
        self.distance = distance
        self.heard: list[int] = []

    def next_update(self, after: int) -> int:
        return (after // self.distance + 1) * self.distance

    def on_update(self, update: Update) -> None:
        self.heard.append(update.number)


def log_with(*listeners: Every, gradient: float = 0.5) -> UpdateLog:
    parameter = nn.Parameter(torch.tensor(1.0))
    parameter.grad = torch.tensor(gradient)
    log = UpdateLog([parameter])
    log.listeners = list(listeners)
    log.begin()
    return log


def test_each_listener_hears_what_it_asked_for():
    two, three = Every(2), Every(3)
    log = log_with(two, three)
    assert not any(log.after_update(torch.tensor(1.0)) for _ in range(7))
    assert log.count == 7
    assert (two.heard, three.heard) == ([2, 4, 6], [3, 6])


@pytest.mark.parametrize(("loss", "gradient"), [(math.inf, 0.5), (math.nan, 0.5), (1.0, math.nan), (1.0, -math.inf)])
def test_what_is_not_finite_is_told_to_everyone_and_ends_the_block(loss, gradient):
    listener = Every(100)
    assert log_with(listener, gradient=gradient).after_update(torch.tensor(loss))
    assert listener.heard == [1]


def test_a_requested_stop_ends_the_block():
    log = log_with()
    log.stop = Stop(Status.INTERRUPTED, "a reason")
    assert log.after_update(torch.tensor(1.0))


def test_counting_goes_on_from_a_checkpoint():
    listener = Every(5)
    log = log_with(listener)
    log.count = 13
    log.begin()
    for _ in range(3):
        log.after_update(torch.tensor(1.0))
    assert listener.heard == [15]


def test_statuses_are_the_names_that_estimates_json_promises():
    promised = {"converged", "stalled", "stopped_early", "limit_reached", "diverged", "interrupted", "terminated"}
    assert {status.value for status in Status} == promised


def test_elements_are_told_by_their_place():
    matrix = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert parameter_values(["bias", "weight"], [torch.tensor([7.0, 8.0]), matrix]) == {
        "bias[0]": 7.0, "bias[1]": 8.0, "weight[0,0]": 1.0, "weight[0,1]": 2.0, "weight[0,2]": 3.0, "weight[1,0]": 4.0,
        "weight[1,1]": 5.0, "weight[1,2]": 6.0,
    }  # fmt: skip


def test_large_parameter_is_told_by_its_norm():
    assert parameter_values(["weight"], [torch.full((5, 20), 3.0)]) == {"norm(weight)": pytest.approx(30.0)}
