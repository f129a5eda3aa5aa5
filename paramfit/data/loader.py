"""A loader over tensors in memory that can be stopped anywhere and resumed."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from paramfit.errors import InputError
from paramfit.observations import Observations

__all__ = ["InMemoryLoader"]


class InMemoryLoader:
    """Batches of observations that are in memory: no workers, no collating, no copies without need.

    The order and the jitter of an epoch depend on (seed, epoch) alone, never on a global random state: a resumed run
    sees what the run that was never stopped would have seen. The last batch may be smaller; without ``batch_size`` all
    rows are one. ``jitter`` is the standard deviation of the Gaussian noise added to each input column, fresh each
    epoch.

    Raises:
        InputError: for a batch without rows.
    """

    def __init__(
        self,
        observations: Observations,
        batch_size: int | None = None,
        *,
        shuffle: bool = False,
        jitter: Sequence[float] = (),
        seed: int = 0,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise InputError(f"batch_size: a batch has at least one row, but got {batch_size}")
        self.observations = observations
        self.batch_size = min(batch_size or observations.n, observations.n)
        self.shuffle = shuffle
        self.jitter = tuple(jitter) if any(jitter) else ()
        self.seed = seed
        self.epoch = 0
        self.position = 0
        self._resumed = False

    def __len__(self) -> int:
        """Batches in an epoch."""
        return math.ceil(self.observations.n / self.batch_size)

    def __iter__(self) -> Iterator[Observations]:
        """The batches of the next epoch, or the rest of the one that was resumed."""
        rows: Observations | None = None
        while True:
            # Lightning asks for an iterator long before it asks for a batch; the epoch is decided at the first batch.
            if rows is None:
                if self.position and not (self._resumed and self.position < len(self)):
                    self.epoch, self.position = self.epoch + 1, 0
                self._resumed = False
                rows = self._epoch_rows()
            if self.position >= len(self):
                return
            start = self.position * self.batch_size
            self.position += 1
            yield rows if len(self) == 1 else rows.rows(slice(start, start + self.batch_size))

    def _epoch_rows(self) -> Observations:
        """All rows in this epoch's order, with this epoch's jitter."""
        rows = self.observations
        if not self.shuffle and not self.jitter:
            return rows
        state = int(np.random.SeedSequence((self.seed, self.epoch)).generate_state(1, np.uint64)[0] >> 1)
        generator = torch.Generator().manual_seed(state)
        if self.shuffle and len(self) > 1:
            rows = rows.rows(torch.randperm(rows.n, generator=generator))
        if self.jitter:
            inputs = tuple(
                column + deviation * torch.randn(column.shape, generator=generator, dtype=column.dtype)
                for column, deviation in zip(rows.inputs, self.jitter, strict=True)
            )
            rows = rows._replace(inputs=inputs)
        return rows

    def state_dict(self) -> dict[str, Any]:
        """Where the loader is: the epoch, and how many of its batches were given out."""
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there at the next ``iter()``."""
        self.epoch, self.position = int(state_dict["epoch"]), int(state_dict["position"])
        self._resumed = True
