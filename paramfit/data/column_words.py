"""Columns of words: which words one may hold, and the numbers that stand for them."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paramfit.errors import InputError

__all__ = ["ColumnWords", "numbers_of_words"]


class ColumnWords(NamedTuple):
    """What a column of words may hold.

    Attributes:
        listed: the words, as an error message lists them.
        number_of: what stands for a word; None where it is none of them.
        complaint: why a word is refused.
    """

    listed: str
    number_of: Callable[[str], float | None]
    complaint: Callable[[str], str]


def numbers_of_words(values: Iterable[Any], words: ColumnWords, place: Callable[[int], str]) -> NDArray[np.float64]:
    """What each row says, as a number; None, NaN and the NAType of pandas stand for a missing word, the empty one.

    ``place`` tells where the user finds a row, by its number from 0.

    Raises:
        InputError: naming the first row that says something else.
    """
    number_by_word: dict[str, float] = {}
    numbers = []
    for row, value in enumerate(values):
        word = "" if _is_missing(value) else str(value)
        if word not in number_by_word:
            number = words.number_of(word)
            if number is None:
                raise InputError(f"{place(row)}: {words.complaint(word)}")
            number_by_word[word] = float(number)
        numbers.append(number_by_word[word])
    return np.array(numbers, dtype=np.float64)


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value)
