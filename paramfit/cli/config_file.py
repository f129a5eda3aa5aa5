"""Reading a configuration, and keeping it with the run."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, SaveConfigCallback
from yaml import SafeDumper

from paramfit.atomic_files import whole_file
from paramfit.callbacks.run import FileWriting, run_directory, run_of, task_of

# A class of another library may have a member of an enumeration as its default, which YAML would refuse to write.
SafeDumper.add_multi_representer(Enum, lambda dumper, member: dumper.represent_data(member.value))

__all__ = ["ConfigFile", "ConfigParser"]


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


def _keep_neighbours(option: str, before: Namespace, parsed: Namespace) -> None:
    """Give the mapping in a mapping that ``option`` reaches into its other entries back: the parser drops them."""
    name, *inside = option.split(".")
    outer, entries = parsed.get(name), before.get(name)
    if len(inside) < 2 or not isinstance(outer, Mapping) or not isinstance(entries, Mapping):
        return
    kept, given = entries.get(inside[0]), outer[inside[0]]
    if not isinstance(kept, Mapping):  # a parameter given as a number: its start
        kept = {} if kept in (None, "None") or name != "parameters" else {"start": kept}
    # "None" is what the parser hands on for null
    changed = {key: None if value == "None" else value for key, value in given.items()}
    parsed[name] = {**outer, inside[0]: {**kept, **changed}}
