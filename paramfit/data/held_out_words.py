"""The words by which a column says which rows train and which validate."""

from paramfit.data.column_words import ColumnWords
from paramfit.wording import quoted

__all__ = ["TRAINS", "VALIDATES", "WORDS_OF_PARTS", "part_of_word"]

TRAINS, VALIDATES = 0.0, 1.0
_PARTS = {"train": TRAINS, "training": TRAINS, "val": VALIDATES, "validation": VALIDATES}


def part_of_word(word: str) -> float | None:
    """To which part a row belongs, in letters of any case; None where it is none of the words.

    Example:
        >>> part_of_word("Validation"), part_of_word("train"), part_of_word("")
        (1.0, 0.0, None)
    """
    return _PARTS.get(word.strip().lower())


def _complaint(word: str) -> str:
    return f"expected train or validation, but got {quoted(word)}"


WORDS_OF_PARTS = ColumnWords("train or validation", part_of_word, _complaint)
