"""Callbacks: what watches a fit."""

from paramfit.callbacks.checkpoint import FitCheckpoint
from paramfit.callbacks.checkpoint_io import AtomicCheckpointIO
from paramfit.callbacks.divergence import DivergenceDetection
from paramfit.callbacks.doctor import Doctor
from paramfit.callbacks.early_stopping import FitEarlyStopping
from paramfit.callbacks.fit_plots import FitPlots
from paramfit.callbacks.fit_progress import FitProgress
from paramfit.callbacks.fit_report import FitReport
from paramfit.callbacks.graceful_stop import GracefulStop
from paramfit.callbacks.history import FitHistory
from paramfit.callbacks.hyperparameters import HyperparameterLog
from paramfit.callbacks.predictions import PredictionsFile
from paramfit.callbacks.table_forms import EpochTable, EstimateRows, GradientLines, LossLines, ValidationLines
from paramfit.callbacks.uncertainty_ladder import UncertaintyLadder

__all__ = [
    "AtomicCheckpointIO",
    "DivergenceDetection",
    "Doctor",
    "EpochTable",
    "EstimateRows",
    "FitCheckpoint",
    "FitEarlyStopping",
    "FitHistory",
    "FitPlots",
    "FitProgress",
    "FitReport",
    "GracefulStop",
    "GradientLines",
    "HyperparameterLog",
    "LossLines",
    "PredictionsFile",
    "UncertaintyLadder",
    "ValidationLines",
]
