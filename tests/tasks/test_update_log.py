"""Counting updates and telling who wants to know."""

import math

import pytest
import torch
from torch import nn

from paramfit.facts import Status, Stop
from paramfit.tasks.updates import Update, UpdateLog


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


def test_each_listener_hears_what_it_asked_for() -> None:
    two, three = Every(2), Every(3)
    log = log_with(two, three)
    assert not any(log.after_update(torch.tensor(1.0)) for _ in range(7))
    assert log.count == 7
    assert (two.heard, three.heard) == ([2, 4, 6], [3, 6])


@pytest.mark.parametrize(("loss", "gradient"), [(math.inf, 0.5), (math.nan, 0.5), (1.0, math.nan), (1.0, -math.inf)])
def test_what_is_not_finite_is_told_to_everyone_and_ends_the_block(loss: float, gradient: float) -> None:
    listener = Every(100)
    log = log_with(listener, gradient=gradient)
    assert log.after_update(torch.tensor(loss))
    assert listener.heard == [1]


def test_a_requested_stop_ends_the_block() -> None:
    log = log_with()
    log.stop = Stop(Status.INTERRUPTED, "a reason")
    assert log.after_update(torch.tensor(1.0))


def test_counting_goes_on_from_a_checkpoint() -> None:
    listener = Every(5)
    log = log_with(listener)
    log.count = 13
    log.begin()
    for _ in range(3):
        log.after_update(torch.tensor(1.0))
    assert listener.heard == [15]
