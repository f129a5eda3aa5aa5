"""Which rows train and which validate."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from paramfit.errors import InputError

__all__ = ["Split", "check_row_numbers", "split_rows"]


@dataclass(frozen=True)
class Split:
    """Row numbers of the training and of the validation part, each in the order of the data."""

    train: Tensor
    validation: Tensor


def split_rows(
    n: int, validation_fraction: float = 0.0, validation_rows: Sequence[int] | None = None, seed: int = 0
) -> Split:
    """Split ``n`` rows into a training and a validation part.

    ``int(validation_fraction * n)`` rows validate: the last ones of a seeded permutation. Where that is none, every row
    trains. Or those validate whose numbers, from 0, are given.

    Raises:
        InputError: for a fraction outside [0, 1), a row number outside the data or given twice, or if no row is left
            for training.

    Example:
        >>> len(split_rows(11, validation_fraction=0.2).validation)
        2
    """
    if not 0 <= validation_fraction < 1:
        raise InputError(f"validation_fraction: expected a share in [0, 1), but got {validation_fraction}")
    if n < 1:
        raise InputError("the data hold no observation")
    if validation_rows is None:
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        n_validation = int(validation_fraction * n)
        chosen = order[n - n_validation :]
    else:
        if validation_fraction:
            raise InputError("validation_rows and validation_fraction exclude each other: give one of them")
        chosen = torch.tensor(list(validation_rows), dtype=torch.long)
        check_row_numbers(n, validation_rows)
    trains = torch.ones(n, dtype=torch.bool)
    trains[chosen] = False
    if not bool(trains.any()):
        raise InputError(f"validation_rows: all {n} rows validate, none is left for training")
    return Split(train=trains.nonzero().flatten(), validation=(~trains).nonzero().flatten())


def check_row_numbers(n: int, validation_rows: Sequence[int]) -> None:
    """Refuse rows that are not there, or twice.

    Raises:
        InputError: for a number outside the ``n`` rows, or one given twice.
    """
    outside = [row for row in validation_rows if not 0 <= row < n]
    if outside or len(set(validation_rows)) < len(validation_rows):
        wrong = f"row {outside[0]} is outside 0 to {n - 1}" if outside else "a row is given twice"
        raise InputError(f"validation_rows: {wrong}")
