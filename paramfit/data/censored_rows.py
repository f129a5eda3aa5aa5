"""The words by which a column says what is known of each observation."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paramfit.data.column_words import ColumnWords, numbers_of_words
from paramfit.distributions import Censoring, check_statuses
from paramfit.errors import InputError
from paramfit.observations import Censored, Observations
from paramfit.wording import quoted

__all__ = [
    "WORDS_OF_CENSORING",
    "Bounds",
    "censored",
    "check_censored",
    "complaint_about_no_ends",
    "complaint_about_word",
    "one_sided",
    "status_of_word",
    "statuses_of_words",
]

KNOWN_WORDS = "none or observed (or nothing), left, right or interval"

# Words alone, since the numbers of other programs contradict each other: 1 is an event in one, censored in another.
_WORDS = {
    "": Censoring.OBSERVED,
    "none": Censoring.OBSERVED,
    "observed": Censoring.OBSERVED,
    "left": Censoring.LEFT,
    "right": Censoring.RIGHT,
    "interval": Censoring.INTERVAL,
}


def status_of_word(word: str) -> Censoring | None:
    """What a cell says, in letters of any case; None where it is none of the words.

    Example:
        >>> status_of_word("Right").name, status_of_word("").name, status_of_word("1")
        ('RIGHT', 'OBSERVED', None)
    """
    return _WORDS.get(word.strip().lower())


def complaint_about_word(word: str) -> str:
    """Why a cell is refused."""
    return f"expected a word for what is known of the value ({KNOWN_WORDS}), but got {quoted(word)}"


def statuses_of_words(values: Iterable[Any], place: Callable[[int], str]) -> NDArray[np.float64]:
    """What each row says, as a number of ``Censoring``; None, NaN and the NAType of pandas stand for a missing word.

    ``place`` tells where the user finds a row, by its number from 0.

    Raises:
        InputError: naming the first row that says something else.
    """
    return numbers_of_words(values, WORDS_OF_CENSORING, place)


WORDS_OF_CENSORING = ColumnWords(KNOWN_WORDS, status_of_word, complaint_about_word)


class Bounds(NamedTuple):
    """What is known of each observation, in three columns ``(n,)``."""

    status: NDArray[np.float64]  # numbers of ``Censoring``
    target: NDArray[np.float64]  # values, bounds, or lower ends of intervals
    upper: NDArray[np.float64]  # upper ends of intervals


def one_sided(bounds: Bounds) -> Bounds:
    """The same, with an interval without lower or upper end as what it is: censored on the left or on the right.

    An interval without both ends stays as it is: it says nothing, and is refused by whoever reads it.

    Example:
        >>> column = np.array
        >>> one_sided(Bounds(column([3.0, 3.0]), column([6.0, -np.inf]), column([np.inf, 2.0]))).target.tolist()
        [6.0, 2.0]
    """
    status, target, upper = bounds
    is_interval = status == Censoring.INTERVAL
    is_right = is_interval & np.isposinf(upper) & np.isfinite(target)
    is_left = is_interval & np.isneginf(target) & np.isfinite(upper)
    if not (is_right.any() or is_left.any()):
        return bounds
    status = np.where(is_right, float(Censoring.RIGHT), np.where(is_left, float(Censoring.LEFT), status))
    target = np.where(is_left, upper, target)
    return Bounds(status, target, np.where(is_right | is_left, 0.0, upper))


def complaint_about_no_ends() -> str:
    """Why an interval from minus infinity to infinity is refused."""
    return "an interval without lower and upper end says nothing of the value; leave the row out"


def censored(status: Tensor, upper: Tensor | None) -> Censored | None:
    """What two columns ``(n,)`` say of the observations; None where all of them are values.

    ``status`` holds numbers of ``Censoring``, of any type; of ``upper`` only the ends of intervals are read.
    """
    kinds = status.long()
    if not bool((kinds != Censoring.OBSERVED).any()):
        return None
    ends = torch.zeros_like(status) if upper is None else upper
    return Censored(kinds, torch.where(kinds == Censoring.INTERVAL, ends, torch.inf))


def check_censored(observations: Observations, source: str = "data") -> None:
    """Refuse a censoring that does not belong to its observations.

    Raises:
        InputError: for columns of another length, an unknown status, or an interval without room, by row.
    """
    if observations.censoring is None:
        return
    for name, column in observations.censoring._asdict().items():
        if column.shape != observations.target.shape:
            raise InputError(
                f"{source}: the censoring has one {name} for each observation, but there are {tuple(column.shape)} for"
                f" the target's {tuple(observations.target.shape)}"
            )
    check_statuses(observations.target, *observations.censoring, source)
