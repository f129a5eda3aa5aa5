"""Where two ways to tell an error do not say the same."""

import math
from collections.abc import Sequence

from paramfit.inference.ladder.rung import Interval, Rung
from paramfit.shown.digits import value_as_with_error

__all__ = ["BOOTSTRAP", "EXPECTED", "OBSERVED", "PROFILE", "SANDWICH", "disagreements"]

OBSERVED = "observed information"
EXPECTED = "expected information"
SANDWICH = "sandwich"
PROFILE = "profile likelihood"
BOOTSTRAP = ("bootstrap percentile", "bootstrap BCa")

_MOST = 0.25  # of the plain interval's width
_MEANINGS = {
    OBSERVED: "the model curves within the size of the residuals; look at the profile likelihood",
    EXPECTED: "the sample is not as informative as a typical one; look at the profile likelihood",
    SANDWICH: (
        "the error model is wrong (unequal variances, overdispersion or heavy tails); trust the sandwich, or change"
        " that model"
    ),
    PROFILE: "the parabola is a poor picture of the likelihood; give the profile's interval",
    **dict.fromkeys(
        BOOTSTRAP,
        "another sample would scatter otherwise than the error model and its parabola say; see whether the sandwich or"
        " the profile agrees with it",
    ),
}


def disagreements(rungs: Sequence[Rung], plain: str) -> list[str]:
    """A sentence for each parameter and rung whose interval is not the plain one's.

    They disagree where an end lies further off than a quarter of the plain interval's width, or is missing.

    Args:
        rungs: all of them.
        plain: name of the rung that the others are compared with.
    """
    first = next((rung for rung in rungs if rung.name == plain), None)
    if first is None:
        return []
    found = []
    for rung in rungs:
        for name, ends in rung.intervals.items():
            by = first.intervals.get(name)
            if rung.name == plain or by is None or by[0] is None or by[1] is None:
                continue
            said = _compared(ends, (by[0], by[1]), rung.name, plain)
            if said is not None:
                found.append(f"{name}: {said}: {_MEANINGS.get(rung.name, 'find out which of them holds')}")
    return found


def _compared(ends: Interval, plain: tuple[float, float], name: str, of: str) -> str | None:
    """What is to be said of two intervals: the end that is further off, in widths of the plain one."""
    width = plain[1] - plain[0]
    if not width > 0 or not math.isfinite(width):
        return None
    open_ends = [
        word for end, word in zip(ends, ("lower", "upper"), strict=True) if end is not None and math.isinf(end)
    ]
    if open_ends:
        return f"by the {name} its interval has no {' and no '.join(open_ends)} end, by the {of} it has"
    shifts = [
        (abs(end - other) / width, word, end, other)
        for end, other, word in zip(ends, plain, ("lower", "upper"), strict=True)
        if end is not None
    ]
    if not shifts or max(shifts)[0] <= _MOST:
        return None
    shift, word, end, other = max(shifts)
    error = width / 4
    return (
        f"the {word} end of its interval is {value_as_with_error(end, error)} by the {name} and"
        f" {value_as_with_error(other, error)} by the {of}, {shift:.2f} of that one's width apart"
    )
