"""The command line's front door: help, version and exit codes, without waiting for torch."""

import io
import os
import sys
from collections.abc import Mapping, Sequence

from paramfit import __version__
from paramfit.cli.error_output import print_error

__all__ = ["COMMANDS", "HELP", "OPTIONS", "main"]

COMMANDS = {
    "fit": "estimate the parameters of a model",
    "validate": "measure a fitted model on the held-out rows",
    "test": "the same, reported as test metrics",
    "predict": "write predictions.csv into the run directory",
    "report": "print the report of a finished run again: paramfit report RUN",
    "compare": "set runs on the same data side by side: paramfit compare RUN RUN",
    "export": "the fit as code, equation or table: paramfit export RUN --to numpy|pt2|latex|markdown|csv",
}

OPTIONS = {
    "--config": "a YAML file; configs/ has one for each lesson",
    "--model": "the task: a class path, or its own options as --model.NAME VALUE",
    "--data": "the data module: a class path, or --data.NAME VALUE",
    "--trainer": "Lightning's Trainer: --trainer.max_epochs 100; max_steps counts blocks of updates",
    "--ckpt_path": "a checkpoint to go on from or to evaluate; last: the newest of this configuration",
    "--name": "folder of the run under lightning_logs (default: the configuration's name)",
    "--early_stopping": "--early_stopping.patience 5 switches it on",
    "--divergence": "--divergence.growth_factor null, --divergence.enabled false",
    "--history": "--history.every 10: how often the curves are recorded",
    "--epoch_table": "--epoch_table.form GradientLines prints the lessons' lines",
    "--checkpoint": "--checkpoint.every_n_updates 1000",
    "--doctor": "--doctor.enabled false leaves out the examination of the start",
    "--plots": "--plots.enabled false leaves out the figures",
    "--ladder": "--ladder.enabled true: errors by every way; --ladder.bootstrap 1000",
    "--hyperparameters": "--hyperparameters.enabled false leaves them out of hparams.yaml and TensorBoard",
    "--report": "--report.enabled false leaves out the printed report",
    "--predictions": "of predict: --predictions.at new.csv, --predictions.format parquet",
    "--print_config": "print the whole configuration and stop",
}

EXIT_CODES = {
    0: "done",
    2: "what you gave is wrong: one error line says what, where and what to do",
    3: "the fit diverged",
    130: "interrupted by Ctrl-C, after a checkpoint",
    143: "terminated by SIGTERM, after a checkpoint",
    1: "anything else: a bug",
}

_SIZES = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS")  # of torchrun, MPI and srun
_RANKS = ("RANK", "LOCAL_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK")
_INTERACTIVE = {"", "bash", "interactive"}  # SLURM's names of shells: what is started there is one process

_READER_GONE = 128 + 13  # as a shell reports SIGPIPE


def _rows(rows: dict[str, str]) -> str:
    return "\n".join(f"  {name:<19}{text}" for name, text in rows.items())


HELP = f"""paramfit {__version__}: parameter estimation as a PyTorch Lightning project

usage: paramfit COMMAND [options]

commands:
{_rows(COMMANDS)}

options (paramfit fit --help lists all of them):
{_rows(OPTIONS)}

environment:
  PARAMFIT_FIT__TRAINER__MAX_EPOCHS=5   is --trainer.max_epochs 5 of fit; --model.optimizer.lr and all others likewise

exit codes:
{_rows({str(code): text for code, text in EXIT_CODES.items()})}

start here:
  paramfit fit --config configs/thermometer/normalized.yaml
  paramfit fit --config configs/table/saturation.yaml          (your own table and formula)
  paramfit predict --config RUN/config.yaml --ckpt_path last   (RUN: what the fit names at its end)
  paramfit compare RUN RUN                                     (which of two models?)
  tensorboard --logdir lightning_logs
"""


def _several_processes(environment: Mapping[str, str]) -> str | None:
    """The variable by which a launcher tells a process that it is not alone, with its value."""
    sizes = list(_SIZES)
    if environment.get("SLURM_JOB_NAME", "") not in _INTERACTIVE:
        sizes.append("SLURM_NTASKS")
    for names, alone in ((sizes, 1), (_RANKS, 0)):
        for name in names:
            value = environment.get(name, "")
            if value.isdecimal() and int(value) > alone:
                return f"{name} is {value}"
    return None


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line on ``args``, or on the process's own arguments, for its exit code."""
    arguments = list(sys.argv[1:] if args is None else args)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for a terminal that has not every letter
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone, such as head.
        _say_no_more()
        return _READER_GONE
    except MemoryError:
        print_error("there is not enough memory for what was given")
        return 2
    except OSError as refused:
        print_error(f"{refused.filename or 'standard output'}: {refused.strerror or refused}")
        try:
            sys.stdout.flush()
        except OSError:
            _say_no_more()
        return 2


def _run(arguments: Sequence[str]) -> int:
    """Run one command, or say what there is."""
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(HELP, end="")
        return 0
    if arguments[0] == "--version":
        print(f"paramfit {__version__}")
        return 0
    if arguments[0] not in COMMANDS:
        print_error(f"{arguments[0]!r} is no command; use one of: {', '.join(COMMANDS)}")
        return 2
    try:
        folder = os.getcwd()
    except FileNotFoundError:
        print_error("the working directory was removed; change to one that exists")
        return 2
    # A console script does not see the working directory, where the user's own model file is. At the end, so that a
    # file there cannot take the place of an installed package.
    if folder not in sys.path:
        sys.path.append(folder)
    if arguments[0] in {"report", "compare", "export"}:
        from paramfit.cli.results_cli import run
    elif several := _several_processes(os.environ):
        print_error(
            f"{several}, but one process is supported: start paramfit without torchrun, mpirun or srun, or as one"
            " task of theirs"
        )
        return 2
    else:
        from paramfit.cli.fit_cli import run
    return run(arguments)


def _say_no_more() -> None:
    """Let what Python would print at its end go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
