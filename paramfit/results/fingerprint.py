"""Whether two fits were made of the same data."""

import hashlib
from typing import NamedTuple

from torch import Tensor

from paramfit.observations import Observations

__all__ = ["Fingerprint"]

_BYTES = 16
_NONE = "-"


class Fingerprint(NamedTuple):
    """A digest (BLAKE2b, 16 bytes) of each column that trained, of its numbers as float64 in the order of the table.

    One for each column, since models of the same target need not have the same inputs.

    Attributes:
        target: of what was measured, together with its censoring where there is any.
        sigma: of the known errors; None without any.
        inputs: of the inputs as they were read, before any normalisation.

    Example:
        >>> import torch
        >>> line = Observations((torch.tensor([1.0, 2.0]),), torch.tensor([3.0, 4.0]))
        >>> Fingerprint.read(str(Fingerprint.of(line))) == Fingerprint.of(line.to(torch.float64))
        True
    """

    target: str
    sigma: str | None
    inputs: tuple[str, ...]

    @classmethod
    def of(cls, observations: Observations) -> "Fingerprint":
        """The fingerprint of raw observations, columns ``(n,)``."""
        sigma = observations.sigma
        return cls(
            _digest(observations.target, *(observations.censoring or ())),
            None if sigma is None else _digest(sigma),
            tuple(map(_digest, observations.inputs)),
        )

    @classmethod
    def read(cls, text: str) -> "Fingerprint":
        """The fingerprint that was written as ``text``.

        Raises:
            ValueError: if it is none.
        """
        target, sigma, *inputs = text.split(":")
        return cls(target, None if sigma == _NONE else sigma, tuple(inputs))

    def __str__(self) -> str:
        """One line: target, sigma, inputs, with colons between."""
        return ":".join((self.target, self.sigma or _NONE, *self.inputs))


def _digest(*columns: Tensor) -> str:
    digest = hashlib.blake2b(digest_size=_BYTES)
    for column in columns:
        digest.update(column.detach().cpu().double().contiguous().numpy().data)
    return digest.hexdigest()
