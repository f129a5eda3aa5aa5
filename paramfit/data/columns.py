"""What the data call their columns."""

from typing import NamedTuple

__all__ = ["Columns"]


class Columns(NamedTuple):
    """Names of the columns that observations were made of.

    Attributes:
        inputs: one name for each input column; empty for a plain sample.
        target: name of what was measured.
        sigma: name of the known errors, where there are any.
        censoring: name of the column that says which targets are bounds, where there is one.
        upper: name of the upper ends of intervals, where there is one.
    """

    inputs: tuple[str, ...]
    target: str
    sigma: str | None = None
    censoring: str | None = None
    upper: str | None = None

    @property
    def roles(self) -> list[tuple[str, str]]:
        """Each name with its role."""
        others = ("target", "sigma", "censoring", "upper")
        named = zip(self[1:], others, strict=True)
        return [
            *((name, "inputs") for name in self.inputs),
            *((name, role) for name, role in named if name is not None),
        ]

    @classmethod
    def unnamed(cls, n_inputs: int, *, has_sigma: bool = False) -> "Columns":
        """Names for columns that came without: ``input`` or ``input_0``, ``input_1``, ..., ``target`` and ``sigma``.

        Example:
            >>> Columns.unnamed(2).inputs
            ('input_0', 'input_1')
        """
        inputs = ("input",) if n_inputs == 1 else tuple(f"input_{number}" for number in range(n_inputs))
        return cls(inputs, "target", "sigma" if has_sigma else None)
