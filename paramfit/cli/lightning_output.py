"""Keeping the terminal for what the user wants to read."""

import logging
import warnings

from jsonargparse._deprecated import JsonargparseDeprecationWarning

__all__ = ["silence_lightning"]


def silence_lightning() -> None:
    """Silence what Lightning says of itself; what the user did is still commented."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # A full batch is one batch an epoch; curves are recorded by updates, not by batches.
    warnings.filterwarnings("ignore", message="The number of training batches")
    # A fit need not hold out rows.
    warnings.filterwarnings("ignore", message="Total length of `list` across ranks is zero")
    # An evaluation needs none of the callbacks whose state the checkpoint keeps.
    warnings.filterwarnings("ignore", message="Be aware that when using `ckpt_path`")
    # What Lightning calls in other libraries is not the user's affair.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    warnings.filterwarnings("ignore", category=JsonargparseDeprecationWarning)
