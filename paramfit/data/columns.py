"""What the data call their columns."""

from typing import NamedTuple

__all__ = ["Columns", "Labels"]


class Columns(NamedTuple):
    """Names of the columns that observations were made of.

    Attributes:
        inputs: one name for each input column; empty for a plain sample.
        target: name of what was measured.
        sigma: name of the known errors, where there are any.
    """

    inputs: tuple[str, ...]
    target: str
    sigma: str | None = None

    @classmethod
    def unnamed(cls, n_inputs: int, *, has_sigma: bool = False) -> "Columns":
        """Names for columns that came without: ``input`` or ``input_0``, ``input_1``, ..., ``target`` and ``sigma``.

        Example:
            >>> Columns.unnamed(2).inputs
            ('input_0', 'input_1')
        """
        inputs = ("input",) if n_inputs == 1 else tuple(f"input_{number}" for number in range(n_inputs))
        return cls(inputs, "target", "sigma" if has_sigma else None)


class Labels(NamedTuple):
    """What the axes of a figure are called, with units."""

    input: str = "input"
    target: str = "target"
