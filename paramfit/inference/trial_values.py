"""Values that parameters of a curve may have, seen from the data alone: where a look from other starts begins."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.fft import next_fast_len
from torch import nn

from paramfit.linalg.lapack import Array
from paramfit.models.base import specification_of
from paramfit.observations import Observations

__all__ = ["TrialValues", "values_to_try"]

_MOST_INPUTS = 3  # columns whose places and extents are tried
_QUANTILES = np.linspace(0.02, 0.98, 9)
_MULTIPLES = (1.0, -1.0, 3.0, -3.0, 1 / 3, -1 / 3, 10.0, -10.0, 0.1, -0.1)  # of a start, or of an estimate
_PARTS = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)  # of an input's range: widths, and one over them: rates
_FASTER = (3.0, 10.0, 30.0)  # times one over the range: further rates
_PLAIN = (0.5, 1.0, 2.0, 3.0, -0.5, -1.0, -2.0)  # exponents and phases, which have no unit; no width is 0
_PEAKS = 4  # of a spectrum
_FINEST = 4096  # places on a spectrum's grid
_SMOOTHED = (1, 3, 7)  # rows in a mean, where extremes are looked for
_STAYS = 0.5  # how often a parameter keeps its estimate in half of the combinations
_EDGE = 1e-6  # of the room between bounds, or of the start's distance from one: trials stay so far inside


@dataclass(frozen=True)
class TrialValues:
    """For each parameter its estimate, bounds and lists of values to try.

    Attributes:
        estimates: ``(p,)``, within bounds.
        starts: where the fit began, ``(p,)``; the estimates where no start was given.
        lower: ``(p,)``, minus infinity where there is no bound; trials stay a little above it.
        upper: likewise.
        sizes: how large each parameter is, or was at the start, ``(p,)``; 1 where both are 0.
        kinds: for each parameter lists of values, each list of another kind.
    """

    estimates: Array
    starts: Array
    lower: Array
    upper: Array
    sizes: Array
    kinds: tuple[tuple[Array, ...], ...]

    def combinations(self, random: Generator, count: int) -> Array:
        """Points to try, ``(count, p)``: a kind at random, and of it a value; some parameters keep their estimates."""
        points = np.empty((count, len(self.estimates)))
        for k, kinds in enumerate(self.kinds):
            lengths = np.array([len(values) for values in kinds])
            kind = random.integers(len(kinds), size=count)
            value = (random.random(count) * lengths[kind]).astype(int)
            points[:, k] = np.concatenate(kinds)[np.concatenate([[0], lengths.cumsum()])[kind] + value]
        stays = random.random(points.shape) < _STAYS
        stays[: count // 2] = False
        return self.clipped(np.where(stays, self.estimates, points))

    def steps(self, points: Array) -> Array:
        """For each parameter of each point half its size, to the side where there is room, ``(K, p)``."""
        above, below = self.upper - points, points - self.lower
        length = 0.5 * np.maximum(np.abs(points), self.sizes)
        steps: Array = np.where(above >= below, np.minimum(length, 0.5 * above), -np.minimum(length, 0.5 * below))
        return steps

    def within(self, points: Array) -> Array:
        """Whether each point is finite and within all bounds, ``(K,)``."""
        inside = ((points >= self.lower) & (points <= self.upper) & np.isfinite(points)).all(axis=1)
        return np.asarray(inside)

    def clipped(self, points: Array) -> Array:
        """The points, moved within the bounds."""
        return np.minimum(np.maximum(points, self.lower), self.upper)


def values_to_try(
    model: nn.Module, names: Sequence[str], estimates: Array, observations: Observations, residual: Array
) -> TrialValues:
    """What to try: places, extents, rates and frequencies of the data, and multiples of starts and estimates.

    Args:
        model: whose parameters they are.
        names: of the parameters.
        estimates: ``(p,)``, within bounds.
        observations: the rows.
        residual: of each, ``(n,)``: where it is large something may be missing.
    """
    shared = _of_data(observations, residual)
    starts, lower, upper, sizes, kinds = [], [], [], [], []
    for name, estimate in zip(names, estimates.tolist(), strict=True):
        spec = specification_of(model, name)
        start = estimate if spec.start is None else spec.start
        starts.append(start)
        low, high = (-math.inf, math.inf) if spec.fixed else (spec.lower, spec.upper)
        low, high = -math.inf if low is None else low, math.inf if high is None else high
        own = [value * multiple for value in dict.fromkeys((start, estimate)) if value for multiple in _MULTIPLES]
        lists = [*shared, np.array(own or [0.0])]
        if math.isfinite(low) and math.isfinite(high):
            lists.append(low + (high - low) * np.linspace(0.05, 0.95, 10))
        elif math.isfinite(low) or math.isfinite(high):  # what begins at 0 begins here at the bound
            bound, side = (low, 1.0) if math.isfinite(low) else (high, -1.0)
            lists += [bound + side * np.abs(values) for values in shared[2:4]]
        room = high - low if math.isfinite(high - low) else abs(start - (low if math.isfinite(low) else high))
        edge = _EDGE * room if math.isfinite(room) else 0.0
        inside = [values[(values > low) & (values < high)] for values in lists]
        kinds.append(tuple(values for values in inside if len(values)) or (np.array([estimate]),))
        lower.append(low + edge)
        upper.append(high - edge)
        sizes.append(max(abs(start), min(abs(estimate), 1e3 * abs(start)) if start else abs(estimate)) or 1.0)
    return TrialValues(estimates, np.array(starts), np.array(lower), np.array(upper), np.array(sizes), tuple(kinds))


def _of_data(observations: Observations, residual: Array) -> list[Array]:
    """Lists of values by their kind: places, peaks, extents, rates, frequencies and periods, plain numbers."""
    places: list[float] = []
    peaks: list[float] = []
    extents: list[float] = []
    rates: list[float] = []
    waves: list[float] = []
    target = observations.target.numpy()
    for column in observations.inputs[:_MOST_INPUTS]:
        x = column.numpy()
        order = np.argsort(x, kind="stable")
        x = x[order]
        extent = float(x[-1] - x[0])
        if not extent > 0:
            continue
        around = np.quantile(x, _QUANTILES).tolist()
        extremes = [*_extremes(x, target[order]), *_extremes(x, residual[order])]
        places += around
        peaks += extremes
        if x[0] > 0:
            places += np.log(around[::2]).tolist()
            peaks += np.log(extremes).tolist()
        extents += [part * extent for part in _PARTS]
        rates += [1 / (part * extent) for part in _PARTS] + [faster / extent for faster in _FASTER]
        for rows in (target, residual):
            for frequency in _frequencies(x, rows[order]):
                waves += [2 * math.pi * frequency] * 2 + [frequency, 1 / frequency]
    signed = [np.array([*values, *(-value for value in values)]) for values in (extents, rates)]
    lists = [np.array(places), np.array(peaks), *signed, np.array(waves), np.array(_PLAIN)]
    return [values for values in lists if len(values)]


def _extremes(x: Array, rows: Array) -> list[float]:
    """Where the rows, or means of neighbours, are largest and smallest."""
    places: list[float] = []
    for width in _SMOOTHED:
        if width < len(rows):
            smooth = np.convolve(rows - rows.mean(), np.ones(width), mode="same")
            places += [float(x[smooth.argmax()]), float(x[smooth.argmin()])]
    return places


def _frequencies(x: Array, rows: Array) -> list[float]:
    """The highest peaks of the spectrum, in cycles: the rows put on a regular grid, up to one cycle in two of them."""
    apart = len(np.unique(x))
    if apart < 4:
        return []
    extent = float(x[-1] - x[0])
    finer = max(1, min(8, _FINEST // (apart - 1)))
    size = min(_FINEST, finer * (apart - 1) + 1)
    cells = np.rint((x - x[0]) / extent * (size - 1)).astype(int)
    onto = np.bincount(cells, weights=rows - rows.mean(), minlength=size)
    padded = next_fast_len(4 * size, real=True)
    power = np.abs(np.fft.rfft(onto, padded))
    highest = min(len(power) - 1, int(padded / (2 * (size - 1)) * (apart - 1)) + 1)
    power = power[: highest + 1]
    peaks = np.flatnonzero((power[1:-1] >= power[:-2]) & (power[1:-1] > power[2:])) + 1
    peaks = peaks[np.argsort(-power[peaks])][:_PEAKS]
    return [float(peak) * (size - 1) / (padded * extent) for peak in peaks]
