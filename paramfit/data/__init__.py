"""DataModules: everything about data."""

from paramfit.data.arrays import observations_from
from paramfit.data.base import EstimationDataModule, Labels
from paramfit.data.columns import Columns
from paramfit.data.gaussian import GaussianDataModule
from paramfit.data.loader import InMemoryLoader
from paramfit.data.normalization import FixedScale, Normalization, Standardize
from paramfit.data.split import Split, split_rows
from paramfit.data.table import TableDataModule
from paramfit.data.thermometer import ThermometerDataModule

__all__ = [
    "Columns",
    "EstimationDataModule",
    "FixedScale",
    "GaussianDataModule",
    "InMemoryLoader",
    "Labels",
    "Normalization",
    "Split",
    "Standardize",
    "TableDataModule",
    "ThermometerDataModule",
    "observations_from",
    "split_rows",
]
