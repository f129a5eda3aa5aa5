"""The commands that read finished runs, without a fit and without Lightning: ``report`` and ``compare``."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from paramfit.cli.error_output import print_error
from paramfit.comparison.model_comparison import compare
from paramfit.errors import InputError
from paramfit.fits.result import load
from paramfit.results.report import print_report

__all__ = ["run"]

_RUN = "a run's folder (lightning_logs/NAME/version_N), or the estimates.json in it"


class _Parser(argparse.ArgumentParser):
    """One error line instead of the usage."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def run(arguments: Sequence[str]) -> int:
    """Run one of the commands, for its exit code."""
    command, *rest = arguments
    parser = _Parser(prog=f"paramfit {command}", allow_abbrev=False)
    if command == "report":
        parser.description = "Print the report of a finished fit again, with its ladder where it has one."
        parser.add_argument("run", metavar="RUN", help=_RUN)
    else:
        parser.description = (
            "Set fits of the same data side by side: information criteria, Akaike weights, and tests of nested models."
        )
        parser.add_argument("run", metavar="RUN", nargs="+", help=f"{_RUN}; two or more")
    try:
        given = parser.parse_args(rest).run
        if command == "compare":
            print_report(compare(given))
            return 0
        result = load(given)
        print_report(result)
        if result.errors_by_way is not None:
            print_report(result.errors_by_way)
    except InputError as wrong:
        print_error(str(wrong))
        return 2
    return 0
