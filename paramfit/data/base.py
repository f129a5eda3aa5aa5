"""Everything about data in one place: reading, splitting, normalising, loading, remembering."""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from paramfit.data.censored_rows import check_censored
from paramfit.data.columns import Columns, DescribedData, Labels, normalised
from paramfit.data.loader import InMemoryLoader
from paramfit.data.normalization import Normalization
from paramfit.data.split import Split, split_rows
from paramfit.errors import InputError
from paramfit.instances import check_instance
from paramfit.observations import Censored, Observations
from paramfit.shown.text import say

__all__ = ["EstimationDataModule", "Labels"]


class EstimationDataModule(LightningDataModule, ABC):
    """Observations with a seeded split, a normalisation fitted on the training part, and resumable loaders.

    A subclass gives ``read()``. The split, the statistics and a fingerprint of the data go into the checkpoint, so
    that ``validate --ckpt_path`` sees the same rows as the fit did, and refuses other data.

    Args:
        validation_fraction: share of the rows held out for validation, in [0, 1); ``int(fraction * n)`` rows.
        validation_rows: the rows held out instead, by their numbers from 0: ``[1, 9]``.
        normalization: ``none``, ``FixedScale`` or ``Standardize``: what is done to every input column.
        batch_size: rows in a training batch; all rows in one batch where it is not given.
        shuffle: whether the training rows are put into a new order each epoch (matters for mini-batches only).
        jitter: standard deviation of Gaussian noise added to the training inputs, fresh each epoch, in the unit of
            the raw input.
        seed: seed of the split, of the order and of the jitter.
        validation_indices: the older name of ``validation_rows``.

    Raises:
        InputError: for a fraction outside [0, 1), a row number outside the data, a jitter below 0.
    """

    def __init__(
        self,
        validation_fraction: float = 0.0,
        validation_rows: Sequence[int] | None = None,
        normalization: Normalization | Literal["none"] = "none",
        batch_size: int | None = None,
        shuffle: bool = False,
        jitter: float = 0.0,
        seed: int = 0,
        validation_indices: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= validation_fraction < 1:
            raise InputError(f"validation_fraction: expected a share in [0, 1), but got {validation_fraction}")
        if not 0 <= seed < 2**63:
            raise InputError(f"seed: expected a whole number from 0 to 2**63 - 1, but got {seed}")
        if not jitter >= 0:
            raise InputError(f"jitter: a standard deviation is 0 or more, but got {jitter}")
        if batch_size is not None and batch_size < 1:
            raise InputError(f"batch_size: a batch has at least one row, but got {batch_size}")
        if normalization not in ("none", None):
            check_instance("normalization", normalization, Normalization, "Standardize()")
        self.validation_fraction = validation_fraction
        self.validation_rows = _by_either_name(validation_rows, validation_indices)
        self.normalization = None if normalization == "none" else normalization
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.jitter = jitter
        self.seed = seed
        self.split: Split | None = None
        self.statistics: list[tuple[float, float]] = []
        self._raw: Observations | None = None
        self._loader: InMemoryLoader | None = None
        self._loader_state: dict[str, Any] | None = None

    @abstractmethod
    def read(self) -> Observations:
        """All observations, raw, in their own order.

        Raises:
            InputError: if they cannot be read.
        """

    def rows_held_out(self) -> Sequence[int] | None:
        """The rows that validate, by number, once the data are read; None where the fraction decides."""
        return self.validation_rows

    @property
    def truth(self) -> dict[str, float] | None:
        """The parameters' true values in original units, where the data are such that someone knows them."""
        return None

    @property
    def labels(self) -> Labels:
        """Names of the axes, with units."""
        return Labels()

    @property
    def columns(self) -> Columns:
        """What the columns are called in files and reports."""
        return Columns.unnamed(len(self.raw.inputs), has_sigma=self.raw.sigma is not None)

    @property
    def absolute_sigma(self) -> bool:
        """Whether known errors are in the unit of the target, or only their ratios count."""
        return True

    def setup(self, stage: str | None = None) -> None:
        """Read, split, and fit the normalisation on the training part."""
        if stage == "fit":
            self._loader = None  # a fit begins at its first epoch, unless a checkpoint says otherwise
        if self._raw is not None:
            return
        self._raw = _checked(self.read())
        self.split = split_rows(self._raw.n, self.validation_fraction, self.rows_held_out(), self.seed)
        if self.validation_fraction and not len(self.split.validation):
            say(f"WARNING: {_nothing_held_out(self.validation_fraction, self._raw.n)}")
        self.statistics = self._fitted_on(self.split)

    def _fitted_on(self, split: Split) -> list[tuple[float, float]]:
        """Shift and scale of each input column, from the training part of a split."""
        if self.normalization is None:
            return [(0.0, 1.0)] * len(self.raw.inputs)
        return [self.normalization.fit(column) for column in self.raw.rows(split.train).inputs]

    @property
    def raw(self) -> Observations:
        """All observations as they were read.

        Raises:
            RuntimeError: before ``setup()``.
        """
        if self._raw is None:
            raise RuntimeError("call setup() first: the data have not been read yet")
        return self._raw

    @property
    def train(self) -> Observations:
        """The training part, normalised."""
        return self._normalized(self._parts().train)

    @property
    def validation(self) -> Observations:
        """The validation part, normalised by the statistics of the training part; it may be empty."""
        return self._normalized(self._parts().validation)

    @property
    def every(self) -> Observations:
        """All observations in their own order, normalised."""
        return self._normalized(slice(None))

    @property
    def described(self) -> DescribedData:
        """All observations with their names and what was done to them, without Lightning."""
        held_out = torch.zeros(self.raw.n, dtype=torch.bool)
        held_out[self._parts().validation] = True
        statistics = () if self.normalization is None else tuple(self.statistics)
        return DescribedData(self.raw, self.columns, self.labels, statistics, held_out)

    def _parts(self) -> Split:
        _ = self.raw
        assert self.split is not None  # set together with raw
        return self.split

    def _normalized(self, rows: Tensor | slice) -> Observations:
        part = self.raw.rows(rows)
        return part if self.normalization is None else normalised(part, self.statistics)

    def train_dataloader(self) -> InMemoryLoader:
        """Batches of the training part."""
        before = self._loader
        self._loader = InMemoryLoader(
            self.train,
            self.batch_size,
            shuffle=self.shuffle,
            jitter=[self.jitter * abs(scale) for _, scale in self.statistics],
            seed=self.seed,
        )
        if self._loader_state is not None:
            self._loader.load_state_dict(self._loader_state)
            self._loader_state = None
        elif before is not None:  # Lightning may ask anew before each epoch: the epochs go on
            self._loader.epoch, self._loader.position = before.epoch, before.position
        return self._loader

    def val_dataloader(self) -> InMemoryLoader | list[Any]:
        """The validation part in one batch; nothing during a fit that holds out no rows."""
        if len(self._parts().validation):
            return InMemoryLoader(self.validation)
        return [] if self.trainer is not None and self.trainer.state.fn == "fit" else self._all_rows_instead()

    def test_dataloader(self) -> InMemoryLoader:
        """The rows that were held out, or all rows where none were."""
        return InMemoryLoader(self.validation) if len(self._parts().validation) else self._all_rows_instead()

    def predict_dataloader(self) -> InMemoryLoader:
        """All rows in their own order."""
        return InMemoryLoader(self.every)

    def _all_rows_instead(self) -> InMemoryLoader:
        print(
            f"No rows are held out: evaluated on all {self.raw.n} rows, which the fit has seen"
            " (a fit with --data.validation_fraction 0.2 holds some out)."
        )
        return InMemoryLoader(self.every)

    def fingerprint(self) -> str:
        """A digest of the raw data: equal for equal columns, rows and precision."""
        digest = hashlib.sha256()
        raw = self.raw
        for column in (*raw.inputs, raw.target, *([] if raw.sigma is None else [raw.sigma]), *(raw.censoring or ())):
            digest.update(f"{column.dtype}{tuple(column.shape)}".encode())
            digest.update(column.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps: split, statistics, fingerprint, and where the training loader is."""
        parts = self._parts()
        loader = None if self._loader is None else self._loader.state_dict()
        if loader is not None and self._loader is not None and self.trainer is not None and self.trainer.is_last_batch:
            loader["position"] = len(self._loader)  # limit_train_batches may end an epoch before its last batch
        return {
            "train": parts.train,
            "validation": parts.validation,
            "statistics": self.statistics,
            "fingerprint": self.fingerprint(),
            "loader": loader,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over split, statistics and loader position of a checkpoint.

        Raises:
            InputError: if the checkpoint was made with other data or another normalisation.
        """
        if state_dict["fingerprint"] != self.fingerprint():
            rows = len(state_dict["train"]) + len(state_dict["validation"])
            raise InputError(
                f"the checkpoint was made with other data: {rows} rows there, {self.raw.n} here, and their contents"
                " differ; give --data as it was in that run's config.yaml"
            )
        split = Split(train=torch.as_tensor(state_dict["train"]), validation=state_dict["validation"])
        statistics = [(float(shift), float(scale)) for shift, scale in state_dict["statistics"]]
        configured = self._fitted_on(split)
        if configured != statistics:
            raise InputError(
                f"data.normalization: the checkpoint was made with shift and scale {statistics}, the configuration"
                f" gives {configured}; give --data.normalization as it was in that run's config.yaml"
            )
        self.split, self.statistics = split, statistics
        self._loader_state = state_dict["loader"]


def _by_either_name(rows: Sequence[int] | None, indices: Sequence[int] | None) -> Sequence[int] | None:
    """The rows held out, whose option was once called otherwise."""
    if rows is not None and indices is not None:
        raise InputError("validation_indices is the older name of validation_rows: give one of them")
    return indices if rows is None else rows


def _nothing_held_out(fraction: float, n: int) -> str:
    """That a share of the rows is not one row, and which share is."""
    digits = len(str(n)) + 1
    enough = math.ceil(10**digits / n) / 10**digits
    cure = f"; one is held out from {enough:.{digits}f} on" if n > 1 else ""
    rows = "row" if n == 1 else "rows"
    return f"validation_fraction: {fraction:g} of {n} {rows} is less than one row; no row is held out{cure}"


def _check_kind(given: Any) -> None:
    """Refuse what somebody's own ``read()`` may give instead of observations."""
    if not isinstance(given, Observations):
        raise InputError(f"data: read() gives paramfit.Observations, but got {type(given).__name__}")
    if not isinstance(given.inputs, tuple):
        raise InputError(f"data: the inputs are a tuple of columns, but read() gave {type(given.inputs).__name__}")
    columns: dict[str, Any] = {f"input {number}": column for number, column in enumerate(given.inputs)}
    columns |= {"target": given.target} | ({} if given.sigma is None else {"sigma": given.sigma})
    for name, column in columns.items():
        if not isinstance(column, Tensor) or not column.is_floating_point():
            kind = column.dtype if isinstance(column, Tensor) else type(column).__name__
            raise InputError(f"data: each column is a floating-point tensor (n,), but read() gave {kind} for {name}")
    censoring: Any = given.censoring
    if censoring is not None and not isinstance(censoring, Censored):
        kind = type(censoring).__name__
        raise InputError(f"data: the censoring is a paramfit.observations.Censored, but read() gave {kind}")


def _checked(observations: Observations) -> Observations:
    """The observations, if a fit can use them: columns of one length, all finite, and sigmas above 0."""
    _check_kind(observations)
    columns: dict[str, Any] = {f"input {number}": column for number, column in enumerate(observations.inputs)}
    columns["target"] = observations.target
    if observations.sigma is not None:
        columns["sigma"] = observations.sigma
    for name, column in columns.items():
        if column.shape != observations.target.shape or column.ndim != 1:
            raise InputError(
                f"data: every column has one value for each observation, but {name} has {tuple(column.shape)} and the"
                f" target {tuple(observations.target.shape)}"
            )
        wrong = (~torch.isfinite(column)).nonzero().flatten()
        if len(wrong):
            raise InputError(f"data: {name} is {column[wrong[0]].item()} in row {int(wrong[0])}; leave such rows out")
    if observations.sigma is not None and not bool((observations.sigma > 0).all()):
        row = int((~(observations.sigma > 0)).nonzero()[0])
        msg = f"data: sigma is {observations.sigma[row].item():g} in row {row}; a standard deviation is above 0"
        raise InputError(msg)
    check_censored(observations)
    return observations
