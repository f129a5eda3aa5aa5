"""The commands that read finished runs, without a fit: ``report``, ``compare`` and ``export``."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from paramfit.cli.error_output import print_error, print_warning
from paramfit.cli.exported_run import export_run
from paramfit.comparison.model_comparison import compare
from paramfit.errors import InputError
from paramfit.export.formats import ExportFormat
from paramfit.fits.result import load
from paramfit.results.estimate_cells import caveat
from paramfit.results.report import print_report
from paramfit.wording import visible

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
    elif command == "export":
        parser.description = (
            "Write the fitted model of a finished run, or its estimates, for use without paramfit. numpy: Python source"
            " of a function that needs NumPy alone, with the estimates inside. pt2: a program of torch.export. latex:"
            " the equation with values and errors. latex-table, markdown, csv: the table of estimates. numpy and latex"
            " are for models that formulas say; for pt2 any other model is made again from the run's configuration,"
            " which names Python classes: export only runs that you trust."
        )
        parser.add_argument("run", metavar="RUN", help=_RUN)
        parser.add_argument("--to", metavar="FORMAT", required=True, help=f"one of {', '.join(ExportFormat)}")
        where = "the file to write (default: standard output; for pt2 RUN/NAME.pt2, after the run's name)"
        parser.add_argument("--output", metavar="FILE", help=where)
    else:
        parser.description = (
            "Set fits of the same data side by side: information criteria, Akaike weights, and tests of nested models."
        )
        parser.add_argument("run", metavar="RUN", nargs="+", help=f"{_RUN}; two or more")
    try:
        options = parser.parse_args(rest)
        given = options.run
        if command == "compare":
            print_report(compare(given))
            return 0
        if command == "export":
            written = export_run(given, options.to, options.output)
            if ended := caveat(load(given)):
                print_warning(f"{given}: {ended}")
            print(f"written: {visible(str(written))}" if isinstance(written, Path) else written.removesuffix("\n"))
            return 0
        result = load(given)
        print_report(result)
        if result.errors_by_way is not None:
            print_report(result.errors_by_way)
    except InputError as wrong:
        print_error(str(wrong))
        return 2
    return 0
