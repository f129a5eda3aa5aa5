"""The room of each row to the ends of what its distribution allows, and the barrier that is made of it."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from paramfit.distributions.domain import Room, rooms
from paramfit.linalg.lapack import Array
from paramfit.models import DistributionModel
from paramfit.solvers.sums import BarrierSums

__all__ = ["barrier_sums", "bend_of_rooms", "movable_rooms", "slopes_of_rooms"]

_LITTLE = 1e-3  # of the largest room


def movable_rooms(model: nn.Module, distribution: Distribution) -> list[Room]:
    """The rooms that no bound of a parameter keeps: of a ``DistributionModel`` those of formulas alone."""
    if not isinstance(model, DistributionModel):
        return rooms(distribution)
    return [room for room in rooms(distribution) if room.argument not in model.specifications]


def barrier_sums(rooms_at: Callable[[Tensor], Sequence[Room]], theta: Tensor, n: int) -> BarrierSums:
    r"""The barrier over n rows at theta ``(p,)``, by autograd through the rooms.

    .. math:: \nabla B = -\sum_i \frac{a_i}{s_i}, \qquad
        \nabla^2 B = \sum_i \frac{a_i a_i^T}{s_i^2} - \sum_i \frac{\nabla^2 s_i}{s_i}
    """
    slack, slopes, weight, bent = slopes_of_rooms(rooms_at, theta, n)
    moves = slopes.any(axis=1)  # a room that nothing moves limits nothing
    value = float(-np.log(slack[moves]).sum()) if (slack[moves] > 0).all() else np.inf
    scaled = slopes * weight[:, None]
    normals: Array = scaled.T @ scaled
    return BarrierSums(value, scaled.sum(axis=0), normals + bent, normals)


def slopes_of_rooms(
    rooms_at: Callable[[Tensor], Sequence[Room]], theta: Tensor, n: int
) -> tuple[Array, Array, Array, Array]:
    """The slacks ``(m,)``, their derivatives by theta ``(m, p)``, minus one over each, and what their bends add."""
    point = theta.detach().clone().requires_grad_()
    with torch.enable_grad():
        slack = torch.cat([_every_row(room, n) for room in rooms_at(point)] or [point.new_zeros(0)])
        # Minus one over the slack as a vector that is differentiated by: its derivatives are the rows of the Jacobian.
        # What has quite no room weighs as if it had a little, which shows the way inside.
        least = _LITTLE * (slack.detach().max().item() or 1.0) if slack.numel() else 0.0
        room = torch.where(slack == 0, least, slack)
        weight = torch.where(room > 0, -1 / room, 0.0).detach().requires_grad_()
        if not slack.requires_grad:
            p, m = len(point), len(slack)
            return slack.detach().cpu().numpy(), np.zeros((m, p)), weight.detach().cpu().numpy(), np.zeros((p, p))
        (pull,) = torch.autograd.grad(slack, point, weight, create_graph=True)
        rows = [
            torch.autograd.grad(one, (point, weight), retain_graph=True, allow_unused=True, materialize_grads=True)
            for one in pull
        ]
    bent = torch.stack([by_theta for by_theta, _ in rows]).detach().cpu().numpy()
    slopes = torch.stack([by_weight for _, by_weight in rows], dim=1).detach().cpu().numpy()
    return slack.detach().cpu().numpy(), slopes, weight.detach().cpu().numpy(), (bent + bent.T) / 2


def bend_of_rooms(rooms_at: Callable[[Tensor], Sequence[Room]], theta: Tensor, n: int, weights: Array) -> Array:
    r"""The second derivative of a weighted sum of the slacks, :math:`\sum_i w_i \nabla^2 s_i`, ``(p, p)``."""

    def weighted(point: Tensor) -> Tensor:
        return torch.cat([_every_row(room, n) for room in rooms_at(point)]) @ torch.from_numpy(weights).to(point)

    with torch.enable_grad():
        bend: Tensor = torch.autograd.functional.hessian(weighted, theta.detach())  # type: ignore[no-untyped-call]
    return bend.cpu().numpy()


def _every_row(room: Room, n: int) -> Tensor:
    """The slack of all n rows, flat; what all share counts once for each, however they are divided into batches."""
    slack = room.slack
    inner = slack.shape[slack.ndim - room.trailing :]
    return slack.expand(n, *inner).reshape(-1)
