"""The single LightningCLI call."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from jsonargparse import ArgumentError, Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import BatchSizeFinder, Checkpoint, DeviceStatsMonitor, ProgressBar, ThroughputMonitor
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

# Imported for their names: a class_path may be short for any class that is imported.
from paramfit import callbacks, gradients, models, objectives, tasks
from paramfit.atomic_files import remove_unfinished
from paramfit.callbacks import AtomicCheckpointIO, FitCheckpoint, FitReport
from paramfit.callbacks.run import run_directory
from paramfit.cli.config_file import ConfigFile, ConfigParser, check_sizes, config_files
from paramfit.cli.environment import GivenVariables
from paramfit.cli.error_line import error_of_users_code, explained, foreign_refusal, input_error_in
from paramfit.cli.error_output import one_line, print_error
from paramfit.cli.lightning_output import NoProfiler, raised_by_lightning, silence_lightning
from paramfit.cli.run_folder import RunFolder
from paramfit.cli.run_logger import RunLogger
from paramfit.cli.unannotated import annotated, functions_given_as_classes, without_class_path
from paramfit.data import gaussian, normalization, table, thermometer
from paramfit.data.base import EstimationDataModule
from paramfit.data.files.patterns import table_file
from paramfit.errors import InputError
from paramfit.facts import Status
from paramfit.models import match_columns
from paramfit.parameters import ParameterSpec
from paramfit.tasks import EstimationTask, try_model
from paramfit.tasks.updates import refuse_half_precision
from paramfit.wording import printable, quoted

__all__ = ["FitCLI", "run"]

_ = (gaussian, gradients, models, normalization, objectives, table, tasks, thermometer)

_ABOUT_ACCELERATORS = re.compile(r"accelerator|backend|\bGPU", re.IGNORECASE)
_MOST_EPOCHS = 1000  # Lightning's own default, which it warns of
_SEEDS = 2**32  # of NumPy's generator, which Lightning seeds too
# Callbacks of Lightning's that write, log or tune even where nothing is fitted.
_OF_A_FIT = (BatchSizeFinder, Checkpoint, DeviceStatsMonitor, ThroughputMonitor)
_VERSION = re.compile(r"version_\d+")  # what Lightning calls a run's directory
_LONGEST_NAME = 255  # bytes of a folder's name, on every file system in use
# What it cannot read, a file that cannot be, an integer of more digits than Python reads, and values too deep for it.
_REFUSALS_OF_THE_PARSER = (ArgumentError, OSError, ValueError, RecursionError)
# What Lightning's own help leaves open: a step is one of its own, in which a task makes a block of updates.
_STEPS = "Steps are blocks of --model.updates_per_step updates here."
_COUNTED = {"trainer.max_steps": _STEPS, "trainer.min_steps": _STEPS}
_EXIT_CODES = {Status.DIVERGED.value: 3, Status.INTERRUPTED.value: 130, Status.TERMINATED.value: 143}


class FitCLI(LightningCLI):
    """``paramfit fit``, ``validate``, ``test`` and ``predict``."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._command = arguments[0]
        self.report = FitReport()
        self.has_unwritten = False  # files, though the fit went well
        self._made_before = 0
        self._folder: RunFolder | None = None
        super().__init__(
            model_class=EstimationTask,
            datamodule_class=EstimationDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=ConfigFile,
            seed_everything_default=0,
            parser_class=ConfigParser,
            auto_configure_optimizers=False,
            trainer_defaults={
                "accelerator": "cpu",  # auto may choose one without float64
                "num_sanity_val_steps": 0,
                "enable_model_summary": False,
            },
            args=list(arguments),
            run=True,
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]  # static there; here it knows the command
        """The command that was asked for alone: each parser takes a while to build."""
        return {name: skip for name, skip in LightningCLI.subcommands().items() if name == self._command}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Our callbacks, each configurable under its own key; what Lightning's help leaves open about its options."""
        for action in parser._actions:
            if action.dest in _COUNTED:
                action.help = f"{action.help} {_COUNTED[action.dest]}"
        name = "Folder of the run under lightning_logs; the config's name."
        parser.add_argument("--name", type=str | None, default=None, help=name)
        for callback, key in (
            (callbacks.FitHistory, "history"),
            (callbacks.DivergenceDetection, "divergence"),
            (callbacks.FitEarlyStopping, "early_stopping"),
            (callbacks.Doctor, "doctor"),
            (callbacks.EpochTable, "epoch_table"),
            (FitReport, "report"),  # before the plots: a figure that fails must not cost the result
            (callbacks.HyperparameterLog, "hyperparameters"),  # after the report, for the metrics at the end
            (callbacks.UncertaintyLadder, "ladder"),
            (callbacks.FitPlots, "plots"),
            (FitCheckpoint, "checkpoint"),
        ):
            parser.add_lightning_class_args(callback, key)
        if self._command == "predict":
            kind = "Kind of file that is written: csv or parquet."
            parser.add_argument("--predictions.format", type=str, default="csv", help=kind)
            at = "Table (CSV or Parquet) of the inputs to predict for; those of the data where it is not given."
            parser.add_argument("--predictions.at", type=str | None, default=None, help=at)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse without Lightning's warning about arguments given from Python."""
        files = config_files(args)
        check_sizes(args)
        refusal = self._refusal(parser, args, files)
        while refusal is not None and annotated(refusal):
            refusal = self._refusal(parser, args, files)
        if refusal is not None:
            options = self._subcommand_parsers[self._command].get_defaults(skip_validation=True).keys()
            raise InputError(explained(refusal, options, files)) from refusal
        for option, path in functions_given_as_classes(self._options):
            raise InputError(without_class_path(option, path))
        seed = self._options["seed_everything"]
        if not isinstance(seed, bool) and not 0 <= seed < _SEEDS:
            raise InputError(f"seed_everything: expected a number from 0 to {_SEEDS - 1}, but got {seed}")

    def _refusal(self, parser: LightningArgumentParser, args: Any, files: Sequence[str]) -> Exception | None:
        """Parse; what the parser refuses, if anything."""
        try:
            self.config = parser.parse_args(args)
        except UnicodeDecodeError as wrong:
            raise InputError(f"config: {', '.join(files)} is not a text file in UTF-8 ({wrong.reason})") from wrong
        except _REFUSALS_OF_THE_PARSER as wrong:
            if isinstance(wrong, OSError) and wrong.filename is None:  # what --print_config prints is not taken
                raise
            return wrong
        return None

    def _parse_ckpt_path(self) -> None:
        """Leave the configuration alone: the checkpoint's own would override what the user says."""

    @property
    def _options(self) -> Namespace:
        return cast("Namespace", self.config[self._command])

    def before_instantiate_classes(self) -> None:
        """Give the run its name."""
        options = self._options
        name = options.get("name")
        if name is not None and not _may_be_folder(name):
            raise InputError(f"name: expected a folder under lightning_logs, but got {quoted(name)}")
        if name is None:
            given = [str(path) for path in options.get("config") or []]
            options["name"] = Path(given[-1]).stem if given else options["model"]["class_path"].rsplit(".", 1)[-1]

    def instantiate_classes(self) -> None:
        """Build task, data and trainer; what they refuse becomes one line."""
        try:
            super().instantiate_classes()
        except Exception as wrong:
            refusal = input_error_in(wrong)
            refused = None if refusal is not None else error_of_users_code(wrong) or foreign_refusal(wrong)
            if refusal is None and refused is None:
                raise
            raise InputError(refused or explained(wrong, _option_names(self._options))) from wrong
        self.model.check_made()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """A trainer with our logger and checkpoints, and only the callbacks that the command needs."""
        given = self._get(self.config_init, "trainer")
        settings = {"plugins": [*_as_list(given.get("plugins")), AtomicCheckpointIO()], **kwargs}
        if given.get("profiler") is None:
            settings["profiler"] = NoProfiler()
        if self._command == "fit":
            if given.get("max_epochs") is None and given.get("max_steps", -1) == -1 and given.get("max_time") is None:
                settings["max_epochs"] = _MOST_EPOCHS
            loggers = [] if given.get("logger") in (None, True) else _as_list(given["logger"])
            if not loggers or not isinstance(loggers[0], TensorBoardLogger | CSVLogger | bool):
                settings["logger"] = [self._new_logger(), *loggers]  # others have no folder before the run has begun
            return super().instantiate_trainer(**settings)
        config = {**given, **settings, "logger": False, "enable_checkpointing": False}
        chosen = _as_list(config.get("callbacks"))
        config["callbacks"] = [callback for callback in chosen if not isinstance(callback, _OF_A_FIT)]
        if self._command == "predict":
            asked = self._options["predictions"]
            at = None if asked["at"] is None else table_file(asked["at"], "predictions.at")
            checkpoint = self._checkpoint()
            of_run = checkpoint is not None and checkpoint.parent.name == "checkpoints"
            folder = checkpoint.parents[1] if checkpoint and of_run else Path(self._new_logger().log_dir)
            config["callbacks"].append(callbacks.PredictionsFile(folder, asked["format"], at))
        if not _has_progress_bar(config):
            config["enable_progress_bar"] = False
        return self._checked_trainer(config)

    @staticmethod
    def _checked_trainer(config: dict[str, Any]) -> Trainer:
        for option in ("accumulate_grad_batches", "check_val_every_n_epoch", "log_every_n_steps"):
            if config.get(option) == 0:
                raise InputError(f"trainer.{option}: expected at least 1, but got 0")
        refuse_half_precision(config.get("precision"))  # as it is given: on a CPU Lightning makes another of it
        try:
            trainer = Trainer(**config)
        except (ValueError, TypeError, RuntimeError, MisconfigurationException) as wrong:
            accelerator = config.get("accelerator")
            if _ABOUT_ACCELERATORS.search(str(wrong)) and accelerator not in ("cpu", "auto", None):
                raise InputError(
                    f"trainer.accelerator: {quoted(str(accelerator))} is not available on this machine; give cpu, or"
                    f" leave it out ({one_line(str(wrong))})"
                ) from wrong
            raise InputError(f"trainer: {wrong}") from wrong
        if trainer.world_size > 1:  # before Lightning starts the other processes
            option = "devices" if trainer.num_nodes == 1 else "num_nodes"
            raise InputError(f"trainer.{option}: one process is supported, but {trainer.world_size} were asked for")
        return trainer

    def _instantiate_trainer(self, config: dict[str, Any], ours: list[Callback]) -> Trainer:
        chosen: list[Callback] = [callbacks.GracefulStop(), *ours]
        if config.get("enable_progress_bar") is not False and not _has_progress_bar(config):
            chosen.append(callbacks.FitProgress())
        if config.get("enable_checkpointing") is False:
            chosen = [callback for callback in chosen if not isinstance(callback, FitCheckpoint)]
        self.report = next(callback for callback in chosen if isinstance(callback, FitReport))
        kept = ConfigFile(self._parser(self._command), self._options)
        config["callbacks"] = [*_as_list(config.get("callbacks")), *chosen, kept]
        return self._checked_trainer(config)

    def _root(self) -> Path:
        return Path(self._get(self.config_init, "trainer").get("default_root_dir") or ".") / "lightning_logs"

    def _new_logger(self, version: int | None = None) -> RunLogger:
        return RunLogger(self._root(), name=self._options["name"], version=version, default_hp_metric=False)

    def _checkpoint(self) -> Path | None:
        """The file that ``--ckpt_path`` means."""
        given = self._options.get("ckpt_path")
        if given is None:
            return None
        if given in ("last", "best"):
            return self._latest(f"{given}.ckpt")
        if not os.path.isfile(given):
            raise InputError(
                f"ckpt_path: there is no file {printable(given)}; give RUN/checkpoints/last.ckpt, or last for the"
                " newest"
            )
        return Path(given)

    def _latest(self, file: str) -> Path:
        """The checkpoint of the run whose configuration was given, or that of the newest run of this name."""
        own = [run for path in self._options.get("config") or [] if (run := _run_of(Path(str(path)))) is not None]
        folder: Path = own[-1] if own else self._root() / self._options["name"]
        pattern = f"checkpoints/{file}" if own else f"version_*/checkpoints/{file}"
        checkpoints = sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime)
        if not checkpoints:
            raise InputError(
                f"ckpt_path: there is no {file} under {folder}; run the fit first, or give a file"
                f" (--ckpt_path RUN/checkpoints/{file})"
            )
        return checkpoints[-1]

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        checkpoint = self._checkpoint()
        arguments = super()._prepare_subcommand_kwargs(subcommand)
        return {**arguments, "ckpt_path": None if checkpoint is None else str(checkpoint)}

    def before_fit(self) -> None:
        """Try everything that can be wrong before a run directory exists."""
        checkpoint = self._checkpoint()
        if checkpoint is not None:
            self._made_before = int(AtomicCheckpointIO().load_checkpoint(checkpoint)["paramfit"]["updates"])
        self._try_model_on_data("fit")
        self.model.configure_optimizers()
        self._claim_run_directory()

    def _claim_run_directory(self) -> None:
        """Make the run directory, so that of two runs begun together each has its own.

        A fit without one is still worth its report: where none can be made, that is said at once.
        """
        wanted = self.run_directory
        if wanted is None:
            return
        try:
            while (folder := RunFolder.made(wanted)) is None:
                if not isinstance(self.trainer.logger, RunLogger):
                    raise InputError(
                        f"trainer.logger: {wanted} exists already, and nothing is overwritten; leave its version out"
                    )
                following = self._new_logger(int(self.trainer.logger.version) + 1)
                self.trainer.loggers = [following, *self.trainer.loggers[1:]]
                wanted = Path(self.trainer.logger.log_dir)
        except OSError as unwritten:
            self._say_unwritten(unwritten, wanted)
            self.trainer.logger = None
        else:
            self._folder = folder
            for run in wanted.parent.glob("version_*"):
                remove_unfinished(run)

    def _say_unwritten(self, unwritten: OSError, folder: Path | None) -> None:
        """Say what could not be written, in the one error line that there is.

        Raises:
            OSError: where it is standard output itself, to which a blank line goes.
        """
        self.has_unwritten = True
        print(flush=True)
        print_error(_unwritten(unwritten, folder))

    def before_validate(self) -> None:
        """Try the model on the data, with the parameters of a fit.

        The loss at the start tells something of a descent; a prediction from starts, which tells nothing, is refused.
        """
        if self._checkpoint() is None:
            if self._command != "validate" or self.model.is_solved:
                raise InputError(
                    f"ckpt_path: {self._command} needs a fit, and would take the starting values for one; give"
                    " --ckpt_path last, or --config RUN/config.yaml --ckpt_path best"
                )
            print("No --ckpt_path is given: evaluated at the starting values, which are no fit.")
        self._try_model_on_data("validate")

    before_test = before_predict = before_validate

    def _try_model_on_data(self, stage: str) -> None:
        try:
            self.datamodule.prepare_data()
            self.datamodule.setup(stage)
            match_columns(self.model.model, self.datamodule.columns.inputs)
        except InputError as wrong:  # of an option that could only be judged with the data
            names = [name for name in self._options.keys(branches=True) if name.startswith("data.")]
            raise InputError(explained(wrong, names)) from wrong
        # In the table's order: a wrong row is told by its number.
        is_start, held_out = self._checkpoint() is None, self.datamodule.described.held_out
        try_model(self.model, self.datamodule.every, is_start=is_start, held_out=held_out)

    @property
    def run_directory(self) -> Path | None:
        """Where this run's files go, if it has a logger."""
        return run_directory(self.trainer)

    def fit(self, **arguments: Any) -> None:
        """Fit; where the input turns out to be wrong, leave nothing behind."""
        try:
            self.trainer.fit(**arguments)
            if self.model.updates == self._made_before and self.model.stop is None:
                self._say_that_nothing_was_left()
        except BrokenPipeError:
            raise
        except OSError as unwritten:
            self._leave_nothing()
            self._say_unwritten(unwritten, self.run_directory)
        except (ValueError, RuntimeError, ImportError) as refused:  # a callback may need a library that is missing
            self._leave_nothing()
            if isinstance(refused, InputError) or not raised_by_lightning(refused):
                raise
            raise InputError(f"trainer: {refused}") from refused
        except BaseException:
            self._leave_nothing()
            raise

    def _say_that_nothing_was_left(self) -> None:
        if not self._made_before:
            raise InputError(
                f"there is nothing to do: no update was made; give a larger {self._limit}, and"
                " --trainer.limit_train_batches above 0"
            )
        print(
            f"no update was left to make after the {self._made_before} of the checkpoint; a larger {self._limit} goes"
            " on with it"
        )

    @property
    def _limit(self) -> str:
        """The option that has ended the fit: that in steps, or in time, where it is reached."""
        trainer = self.trainer
        if 0 <= trainer.max_steps <= trainer.global_step:
            return "--trainer.max_steps (it counts blocks of updates; -1 sets no limit)"
        epochs = trainer.max_epochs
        has_time = self._get(self.config_init, "trainer").get("max_time") is not None
        if has_time and (epochs is None or epochs < 0 or trainer.current_epoch < epochs):
            return "--trainer.max_time"
        return "--trainer.max_epochs"

    def _leave_nothing(self) -> None:
        """Leave no run directory behind, unless it holds something of worth."""
        if self._folder is not None:
            for logger in self.trainer.loggers:
                with suppress(OSError):
                    logger.finalize("failed")
            self._folder.remove()


def _may_be_folder(name: str) -> bool:
    """Whether a name can be that of a folder, or of folders in folders, and leads nowhere else."""
    path = Path(name)
    short = all(len(os.fsencode(part)) <= _LONGEST_NAME for part in path.parts)
    return bool(path.parts) and "\0" not in name and short and ".." not in path.parts and not path.is_absolute()


def _run_of(config: Path) -> Path | None:
    """The run directory that a configuration was kept in, or None for any other file."""
    folder = config.parent
    is_run = (folder / "checkpoints").is_dir() or _VERSION.fullmatch(folder.resolve().name)
    return folder if config.name == "config.yaml" and is_run else None


def _unwritten(refused: OSError, folder: Path | None) -> str:
    return f"trainer.default_root_dir: {folder} cannot be written ({refused.strerror or refused})"


def _option_names(options: Namespace) -> Iterator[str]:
    """Dotted names of all options, those of what can be said of each parameter included."""
    for name, value in options.items():
        yield name
        if isinstance(value, Mapping):
            for inside in value:
                yield f"{name}.{inside}"
                yield from (f"{name}.{inside}.{field.name}" for field in fields(ParameterSpec))


def _has_progress_bar(config: dict[str, Any]) -> bool:
    return any(isinstance(callback, ProgressBar) for callback in _as_list(config.get("callbacks")))


def _as_list(value: Any) -> list[Any]:
    given = [] if value is None else value
    return list(given) if isinstance(given, list | tuple) else [given]


def run(arguments: Sequence[str]) -> int:
    """Parse, run, and turn the outcome into an exit code."""
    silence_lightning()
    variables = GivenVariables({}, {})
    try:
        variables = GivenVariables.of(arguments[0], os.environ)
        cli = FitCLI(variables.added_to(arguments))
    except (InputError, MisconfigurationException) as wrong:
        print_error(variables.named_in(explained(wrong)))
        return 2
    except (OSError, MemoryError):  # of a disk or a machine, which the front door tells
        raise
    except Exception as wrong:
        theirs = error_of_users_code(wrong)
        if theirs is None:
            raise
        print_error(theirs)
        return 2
    except SystemExit as ended:
        if isinstance(ended.__context__, KeyboardInterrupt):  # Lightning makes a 1 of the second Ctrl-C
            return 130
        return ended.code if isinstance(ended.code, int) else 0
    result = cli.report.result
    if cli.has_unwritten:
        return 2
    if result is None:  # a trial has none, and may have been stopped all the same
        return 0 if cli.model.stop is None else _EXIT_CODES.get(cli.model.stop.status.value, 0)
    return _EXIT_CODES.get(result.status, 0)
