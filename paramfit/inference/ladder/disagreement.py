"""Where two ways to tell an error do not say the same."""

import math
from collections.abc import Sequence
from dataclasses import replace

from paramfit.facts import Fact, FactKind, Number
from paramfit.inference.ladder.rungs import Interval, Rung

__all__ = ["BOOTSTRAP", "EXPECTED", "OBSERVED", "PROFILE", "SANDWICH", "disagreements"]

OBSERVED = "observed information"
EXPECTED = "expected information"
SANDWICH = "sandwich"
PROFILE = "profile likelihood"
BOOTSTRAP = ("bootstrap percentile", "bootstrap BCa")

_SIDES = ("lower", "upper")
_MOST = 0.25  # of the plain interval's width
_MEANINGS = {
    OBSERVED: FactKind.MODEL_CURVES,
    EXPECTED: FactKind.SAMPLE_NOT_TYPICAL,
    SANDWICH: FactKind.ERROR_MODEL_WRONG,
    PROFILE: FactKind.PARABOLA_POOR,
    **dict.fromkeys(BOOTSTRAP, FactKind.SAMPLES_SCATTER_OTHERWISE),
}


def disagreements(rungs: Sequence[Rung], plain: str) -> list[Fact]:
    """A caution for each parameter and rung whose interval is not the plain one's.

    They disagree where an end lies further off than a quarter of the plain interval's width, or is missing.
    """
    first = next((rung for rung in rungs if rung.name == plain), None)
    if first is None:
        return []
    cautions = []
    for rung in rungs:
        for name, ends in rung.intervals.items():
            by = first.intervals.get(name)
            if rung.name == plain or by is None or by[0] is None or by[1] is None:
                continue
            caution = _compared(name, ends, (by[0], by[1]), rung.name, plain)
            if caution is not None:
                meaning = Fact(_MEANINGS.get(rung.name, FactKind.ONE_OF_THEM_HOLDS))
                cautions.append(replace(caution, cure=meaning))
    return cautions


def _compared(name: str, ends: Interval, plain: tuple[float, float], rung: str, of: str) -> Fact | None:
    """What is to be said of two intervals: the end that is further off, in widths of the plain one."""
    width = plain[1] - plain[0]
    if not width > 0 or not math.isfinite(width):
        return None
    numbers: dict[str, Number] = {"rung": rung, "plain": of}
    is_open = {side: end is not None and math.isinf(end) for side, end in zip(_SIDES, ends, strict=True)}
    if any(is_open.values()):
        return Fact(FactKind.OPEN_INTERVAL, (name,), {**numbers, **is_open})
    shifts = [
        (abs(end - other) / width, side, end, other)
        for end, other, side in zip(ends, plain, _SIDES, strict=True)
        if end is not None
    ]
    if not shifts or max(shifts)[0] <= _MOST:
        return None
    shift, side, end, other = max(shifts)
    numbers |= {"side": side, "end": end, "plain_end": other, "apart": shift, "error": width / 4}
    return Fact(FactKind.ENDS_APART, (name,), numbers)
