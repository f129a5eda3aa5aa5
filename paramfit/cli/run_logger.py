"""Lightning's TensorBoard logger, such that a full disk does not cost the fit."""

from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger

__all__ = ["RunLogger"]


class RunLogger(TensorBoardLogger):
    """The event file of a run, in the directory that the run has made."""

    @property
    def experiment(self) -> Any:
        """The writer of curves and images."""
        if self._experiment is None:
            from paramfit.cli.event_file import EventSummaries  # which takes a while

            self._experiment = EventSummaries(log_dir=self.log_dir)
        return self._experiment

    def save(self) -> None:
        """Write nothing: ``config.yaml`` holds the hyperparameters."""
