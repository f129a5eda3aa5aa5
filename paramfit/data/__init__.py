"""DataModules: everything about data."""

from paramfit.data.base import EstimationDataModule, Labels
from paramfit.data.gaussian import GaussianDataModule
from paramfit.data.loader import InMemoryLoader
from paramfit.data.normalization import FixedScale, Normalization, Standardize
from paramfit.data.split import Split, split_rows
from paramfit.data.thermometer import ThermometerDataModule

__all__ = [
    "EstimationDataModule",
    "FixedScale",
    "GaussianDataModule",
    "InMemoryLoader",
    "Labels",
    "Normalization",
    "Split",
    "Standardize",
    "ThermometerDataModule",
    "split_rows",
]
