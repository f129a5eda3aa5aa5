"""Reading a configuration, and keeping it with the run."""

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from itertools import pairwise
from typing import Any

import torch
import yaml
from jsonargparse import Namespace
from jsonargparse.typing import register_type
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, SaveConfigCallback
from yaml import SafeDumper

from paramfit.atomic_files import whole_file
from paramfit.callbacks.run import FileWriting, run_directory, run_of, task_of
from paramfit.errors import InputError
from paramfit.wording import printable

# A class of another library may have a member of an enumeration as its default, which YAML would refuse to write.
SafeDumper.add_multi_representer(Enum, lambda dumper, member: dumper.represent_data(member.value))
# Or a device, as the average of Lightning's callback has.
register_type(torch.device, serializer=str)

__all__ = ["ConfigFile", "ConfigParser", "check_sizes", "config_files"]

_LARGEST = 2**20  # bytes of a configuration: those of the lessons have about 1000
_DEEPEST = 100  # brackets in brackets: Python's own stack ends at about 1000, and the parser takes several for each
_MOST_REPEATED = 10_000  # values that aliases stand for: each is built, checked and kept anew
_BRACKETS = frozenset("[{&\n")  # without one of these there is one value
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where libyaml is there
_PIPES_OF_A_SHELL = ("/dev/fd/", "/proc/self/fd/")


class _Quoting(SafeDumper):
    """Quotes the text ``1e3`` too, which YAML takes for one without quotes, and the parser for a number."""


_Quoting.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\.?[0-9][0-9_.]*[eE][-+]?[0-9]+$"), list("-+.0123456789")
)


class ConfigParser(LightningArgumentParser):
    """A parser whose errors are exceptions, without fifty lines of usage before them.

    An option for one entry of a parameter (``--model.model.parameters.b2.start 0.7``) changes that entry alone.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"exit_on_error": False, "allow_abbrev": False, **kwargs})

    def parse_args(  # type: ignore[override]  # as jsonargparse's own
        self, args: Sequence[str] | None = None, namespace: Namespace | None = None, *others: Any, **options: Any
    ) -> Namespace:
        """Parse the command line, or (for the class that holds it) one option on top of what is known."""
        # jsonargparse calls this for each class on the way to a nested option, with what the class was given before.
        parsed: Namespace = super().parse_args(args, namespace, *others, **options)
        if namespace is not None:
            for option in args or ():
                _keep_neighbours(option.partition("=")[0].removeprefix("--"), namespace, parsed)
        return parsed

    def dump(self, cfg: Namespace, *others: Any, **options: Any) -> str:
        """The configuration as YAML, each text as the text that it is.

        The parser reads a text in a mapping of any values once more, and would write the unit ``'1'`` as a number.
        """
        text: str = super().dump(cfg, *others, **options)
        plain = yaml.safe_load(text)
        _keep_texts(cfg, plain)
        head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))  # Lightning's version
        return head + str(yaml.dump(plain, Dumper=_Quoting, sort_keys=False, allow_unicode=True))


class ConfigFile(FileWriting, SaveConfigCallback):
    """``config.yaml`` in the run directory, written when nothing stands in the way of the first update any more."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Not yet: the checkpoint has not been read, the optimizer not been made."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Now."""
        folder = run_directory(trainer)
        if folder is not None and not self.already_saved:
            text = self.parser.dump(self.config, skip_none=False)
            with run_of(trainer).writing(), whole_file(folder / self.config_filename) as file:
                file.write(text.encode())
            self.already_saved = True

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Now, of a resumed fit that had no update left to make."""
        if task_of(pl_module).updates:
            self.on_train_start(trainer, pl_module)


def config_files(arguments: Sequence[str]) -> list[str]:
    """The files that follow ``--config``."""
    after = [following for option, following in pairwise(arguments) if option in {"-c", "--config"}]
    return after + [option.split("=", 1)[1] for option in arguments if option.startswith("--config=")]


def check_sizes(arguments: Sequence[str]) -> None:
    """Refuse what would keep the parser busy without end: endless, huge, deeply nested or exploding values.

    Raises:
        InputError: naming the option.
    """
    for path in config_files(arguments):
        text = _text_of(path)
        if text is not None:
            _check_nesting("config", printable(path), text)
    for option, value in _values(arguments):
        _refuse_pipe(option, value)
        if not _BRACKETS.isdisjoint(value):
            _check_nesting(option, "the value", value)


def _values(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each argument with the option that it stands behind."""
    option = ""
    for argument in arguments:
        if argument.startswith("--"):
            option, _, argument = argument.removeprefix("--").partition("=")
        yield option, argument


def _text_of(path: str) -> str | None:
    """What a regular file says; None where the parser has better words for what is wrong with it."""
    _refuse_pipe("config", path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as file:
            content = file.read(_LARGEST + 1)
    except ValueError:
        raise InputError(f"config: {printable(path)} is no name of a file") from None
    except FileNotFoundError:
        return None
    except OSError as refused:
        raise InputError(f"config: {printable(path)} cannot be read ({refused.strerror})") from None
    if len(content) > _LARGEST:
        raise InputError(f"config: {printable(path)} is larger than {_LARGEST} bytes, which no configuration is")
    return content.decode("utf-8", "replace")


def _refuse_pipe(option: str, path: str) -> None:
    """Refuse a pipe that may never be written to; that of a shell, ``<(...)``, is."""
    try:
        if stat.S_ISFIFO(os.stat(path).st_mode) and not path.startswith(_PIPES_OF_A_SHELL):
            raise InputError(f"{option}: {printable(path)} is a named pipe; give a regular file")
    except OSError:
        return
    except ValueError as refused:  # a zero byte, which is in the name of no file
        if isinstance(refused, InputError):
            raise


def _check_nesting(option: str, called: str, text: str) -> None:
    """Refuse YAML that nests deeply, or whose aliases stand for much more than is written."""
    depth, count, repeated = 0, 0, 0
    begun: list[tuple[str | None, int]] = []  # of each bracket that is open its anchor, and how many values were before
    sizes: dict[str, int] = {}
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.AliasEvent):
                size = sizes.get(str(event.anchor), 0)
                count, repeated = count + size, repeated + size
            elif isinstance(event, yaml.CollectionStartEvent):
                begun.append((event.anchor, count))
                depth, count = max(depth, len(begun)), count + 1
            elif isinstance(event, yaml.CollectionEndEvent):
                anchor, before = begun.pop()
                if anchor is not None:
                    sizes[anchor] = count - before
            elif isinstance(event, yaml.ScalarEvent):
                count += 1
            if depth > _DEEPEST:
                raise InputError(f"{option}: {called} is nested more than {_DEEPEST} deep, which no configuration is")
            if repeated > _MOST_REPEATED:
                raise InputError(
                    f"{option}: aliases in {called} stand for more than {_MOST_REPEATED} values; write out what is"
                    " needed"
                )
    except yaml.YAMLError:
        return  # which the parser tells


def _keep_neighbours(option: str, before: Namespace, parsed: Namespace) -> None:
    """Give the mapping in a mapping that ``option`` reaches into its other entries back: the parser drops them."""
    name, *inside = option.split(".")
    outer, entries = parsed.get(name), before.get(name)
    if len(inside) < 2 or not isinstance(outer, Mapping) or not isinstance(entries, Mapping):
        return
    kept, given = entries.get(inside[0]), outer[inside[0]]
    if not isinstance(kept, Mapping):  # a parameter given as a number: its start
        kept = {} if kept in (None, "None") or name != "parameters" else {"start": kept}
    changed = {key: value if key == "unit" else _typed(value) for key, value in given.items()}
    parsed[name] = {**outer, inside[0]: {**kept, **changed}}


def _typed(value: Any) -> Any:
    """What the parser hands on as the text of a value that is none."""
    if not isinstance(value, str):
        return value
    try:
        return float(value) if value != "None" else None
    except ValueError:
        with suppress(yaml.YAMLError):
            return yaml.load(value, Loader=_LOADER)
    return value


def _keep_texts(given: Any, plain: Any) -> None:
    """Put the texts that mappings in a configuration were given back into its plain form."""
    if not isinstance(given, Namespace | dict) or not isinstance(plain, dict):
        return
    for key, value in (vars(given) if isinstance(given, Namespace) else given).items():
        if isinstance(given, dict) and isinstance(value, str) and key in plain:
            plain[key] = value
        else:
            _keep_texts(value, plain.get(key))
