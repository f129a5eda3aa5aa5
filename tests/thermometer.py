"""The eleven thermometer pairs, written out once more: tests of the lower floors read no DataModule."""

import numpy as np
import torch

from paramfit.observations import Observations

READINGS = (35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4)
CELSIUS = (0.5, 14.0, 15.0, 28.0, 11.0, 8.0, 3.0, -4.0, 6.0, 13.0, 21.0)

# Least squares on the raw readings: estimates, mean squared error and standard errors as published for this data set.
WEIGHT, BIAS = 0.5367719209075443, -17.304785503010798
MEAN_SQUARED_ERROR = 2.9276455708956375
STANDARD_ERRORS = {"weight": 0.0355386, "bias": 1.9272273}


def observations(scale: float = 1.0, dtype: torch.dtype = torch.float64) -> Observations:
    """The pairs, with the readings scaled."""
    return Observations((scale * torch.tensor(READINGS, dtype=dtype),), torch.tensor(CELSIUS, dtype=dtype))


def design(scale: float = 1.0) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """The design matrix (reading, 1), as numpy has it."""
    return np.stack([scale * np.array(READINGS), np.ones(len(READINGS))], axis=1)
