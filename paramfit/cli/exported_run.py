"""A finished run, exported: its result, and where no formulas say its model, its model."""

import re
from pathlib import Path

from torch import nn

from paramfit.export.formats import ExportFormat, export_as
from paramfit.fits.result import FitResult, load

__all__ = ["default_program", "export_run"]

_VERSION = re.compile(r"version_\d+")


def export_run(run: str | Path, to: str, output: str | Path | None = None) -> str | Path:
    """The fitted model of a run, or its estimates, for use without paramfit; what ``paramfit export`` does.

    For ``pt2`` a model that no formulas say is made again from the run's configuration, which names Python classes:
    export only runs that you trust.

    Args:
        run: the run's folder (``lightning_logs/NAME/version_N``), or the ``estimates.json`` in it.
        to: a format of ``FitResult.export``: ``numpy``, ``pt2``, ``latex``, ``latex-table``, ``markdown`` or ``csv``.
        output: the file to write; where it is not given, ``pt2`` goes to ``NAME.pt2`` in the run's folder.

    Returns:
        The text; where it went to a file, the file's path.

    Raises:
        InputError: if there is no such run, or its model cannot be written in this format.
    """
    result = load(run)
    if ExportFormat.named(to) is not ExportFormat.PT2:
        return export_as(result, to, output, None)
    return export_as(result, to, output or default_program(run), _model(result, Path(run)))


def default_program(run: str | Path) -> Path:
    """Where a run's program goes: into its folder, with the run's name.

    Example:
        >>> default_program("lightning_logs/saturation/version_0").as_posix()
        'lightning_logs/saturation/version_0/saturation.pt2'
    """
    folder = _folder(Path(run))
    whole = folder.resolve()
    return folder / f"{whole.parent.name if _VERSION.fullmatch(whole.name) else whole.name}.pt2"


def _folder(run: Path) -> Path:
    return run.parent if run.suffix == ".json" else run


def _model(result: FitResult, run: Path) -> nn.Module | None:
    if result.model is not None and result.model.is_written:
        return None
    from paramfit.cli.run_model import fitted_model  # with it comes Lightning

    return fitted_model(_folder(run))
