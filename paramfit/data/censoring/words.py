"""The words by which a column says what is known of each observation."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paramfit.distributions import Censoring
from paramfit.errors import InputError
from paramfit.wording import quoted

__all__ = ["KNOWN_WORDS", "complaint_about_word", "status_of_word", "statuses_of_words"]

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
    """What each row says, as a number of ``Censoring``.

    Args:
        values: for each row a word, or what stands for a missing one: None, NaN, the NAType of pandas.
        place: where the user finds a row, by its number from 0.

    Raises:
        InputError: naming the first row that says something else.
    """
    status_by_word: dict[str, float] = {}
    statuses = []
    for row, value in enumerate(values):
        word = "" if _is_missing(value) else str(value)
        if word not in status_by_word:
            status = status_of_word(word)
            if status is None:
                msg = f"{place(row)}: {complaint_about_word(word)}"
                raise InputError(msg)
            status_by_word[word] = float(status)
        statuses.append(status_by_word[word])
    return np.array(statuses, dtype=np.float64)


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value)
