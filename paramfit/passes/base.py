"""What a pass over the data is: from a model, an objective and a batch to sums."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import reduce
from operator import add
from typing import Any, ClassVar, Generic, NoReturn, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from paramfit.errors import InputError
from paramfit.models.base import trainable_parameters
from paramfit.objectives import Objective
from paramfit.observations import Observations

__all__ = ["ROWS_AT_ONCE", "Pass", "Sums", "inputs_at", "pieces", "refuse_shapes"]

ROWS_AT_ONCE = 1 << 15
"""Rows that fit into a processor's cache, and are too few for torch to wait for threads."""


class Sums(Protocol):
    """What is additive over batches, over files, and over processes: nothing else knows how the data were divided."""

    @property
    def n(self) -> int:
        """How many rows were summed up."""

    def __add__(self, other: Any) -> Any:
        """The sums of the rows of both."""

    def is_finite(self) -> bool:
        """Whether every row was."""


S = TypeVar("S", bound=Sums)


class Pass(ABC, Generic[S]):
    """One look at a batch, at the present values of the model's trainable parameters: ``pass_(batch) -> Sums``."""

    #: Whether autograd is needed, so that it cannot be had in inference mode.
    differentiates: ClassVar[bool] = False
    #: What may not be finite at the start, and what to do about it.
    subject: ClassVar[str]
    remedy: ClassVar[str]

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        self.model = model
        self.objective = objective
        self.shapes = {name: value.shape for name, value in trainable_parameters(model).items()}
        self.p = sum(shape.numel() for shape in self.shapes.values())
        if not self.shapes:
            raise InputError(
                f"model: {type(model).__name__} has no trainable parameter, so there is nothing to estimate"
            )

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is estimated."""
        return list(trainable_parameters(self.model).values())

    def __call__(self, observations: Observations, *, expected: bool = False, slacks: bool = False) -> S:
        """Sum up a batch.

        ``expected`` asks for the Hessian's expectation in its place, where it has a closed form; ``slacks`` for the
        room that the arguments of a distribution have.
        """
        sums = self._sums_with_slacks if slacks else self._sums
        return reduce(add, [sums(piece, expected=expected) for piece in self._pieces(observations)])

    def at_start(self, observations: Observations, *, expected: bool = False) -> S:
        """The sums at the start, which are finite: an InputError names the first row at which they are not."""
        sums = self(observations, expected=expected)
        if not sums.is_finite():
            self._refuse_start(observations)
        return sums

    @abstractmethod
    def _sums(self, piece: Observations, *, expected: bool) -> S:
        """The sums of a few rows."""

    def _sums_with_slacks(self, piece: Observations, *, expected: bool) -> S:
        """The same with the room of the arguments, where there is such a thing."""
        return self._sums(piece, expected=expected)

    @abstractmethod
    def _is_finite(self, observations: Observations) -> Tensor:
        """Whether what is summed up is finite, ``(n,)``."""

    def _pieces(self, observations: Observations) -> Iterable[Observations]:
        return pieces(observations)

    @torch.no_grad()
    def _refuse_start(self, observations: Observations) -> None:
        self._refuse_outside(observations)
        bad = (~self._is_finite(observations)).nonzero().flatten()
        if len(bad):
            row = int(bad[0])
            alone = observations.rows(slice(row, row + 1))
            at, subject = f"{inputs_at(observations, row)}{self._arguments_at(alone)}", self._subject_at(alone)
            raise InputError(
                f"model: {subject} is not finite at the start for {len(bad)} of {observations.n} observations,"
                f" first in row {row} (input {at}); {self.remedy}"
            )

    def _subject_at(self, row: Observations) -> str:
        """What of ``subject`` is not finite in one row."""
        del row
        return self.subject

    def _arguments_at(self, row: Observations) -> str:
        """What a distribution's arguments are in one row, to follow the inputs, where there are such."""
        del row
        return ""

    def _refuse_outside(self, observations: Observations) -> None:
        """Refuse arguments of a distribution that are outside what it allows, where there are such."""


def inputs_at(observations: Observations, row: int) -> str:
    """The inputs of one row, as an error line names them."""
    return ", ".join(f"{column[row].item():g}" for column in observations.inputs) or "no input"


def pieces(observations: Observations) -> Iterable[Observations]:
    """The observations, few enough at once to stay in a processor's cache."""
    if observations.n <= ROWS_AT_ONCE:
        return (observations,)
    starts = range(0, observations.n, ROWS_AT_ONCE)
    return (observations.rows(slice(start, start + ROWS_AT_ONCE)) for start in starts)


def refuse_shapes(prediction: Any, target: Tensor) -> NoReturn:
    """Raise an InputError with both shapes, for a prediction that broadcasts with the target to something larger."""
    shape = prediction.batch_shape if isinstance(prediction, Distribution) else prediction.shape
    if len(shape) > 1 and shape[0] == len(target) and shape[1:].numel() > 1:
        raise InputError(
            f"model: it gives a vector for each observation ({tuple(shape)}), but outcomes that are vectors are not"
            " supported: the model must return one value for each observation"
        )
    raise InputError(
        f"shapes do not match: the model's prediction has {tuple(shape)}, the target {tuple(target.shape)}; the model"
        " must return one value for each observation"
    )
