"""A result from its file."""

import json
from pathlib import Path

from paramfit.errors import InputError
from paramfit.fits.result import FitResult
from paramfit.results.record import Record

__all__ = ["load"]

_FILE = "estimates.json"


def load(path: str | Path) -> FitResult:
    """Read a result that a run or ``result.save`` has written.

    It equals the result that was written. Report and comparison work as before, and so does ``predict`` where formulas
    say all of the model; the data are not in the file, so that there is no ladder and there are no figures.

    Args:
        path: of ``estimates.json``, or of the folder that holds it.

    Raises:
        InputError: if there is no such file, or it does not hold a result of this version.

    Example:
        >>> import tempfile
        >>> from paramfit import LinearModel, fit
        >>> result = fit(LinearModel(), ([0.0, 1.0, 2.0, 3.0], [1.1, 2.9, 5.1, 6.9]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     load(result.save(folder)) == result
        True
    """
    given = Path(path)
    file = given / _FILE if given.is_dir() else given
    if not file.is_file():
        if given.is_dir() or not given.suffix:
            msg = f"there is no {_FILE} in {given}; give the folder version_N of a fit that came to its end"
        else:
            msg = f"there is no file {given}; give {_FILE} of a fit, or its folder"
        raise InputError(msg)
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as wrong:
        msg = f"{file} cannot be read ({wrong}); fit again"
        raise InputError(msg) from wrong
    if not isinstance(plain, dict):
        msg = f"{file} does not hold a result; fit again"
        raise InputError(msg)
    try:
        return FitResult.of(Record.from_plain(plain))
    except InputError as wrong:
        msg = f"{file} {wrong}; fit again"
        raise InputError(msg) from wrong
