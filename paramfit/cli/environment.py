"""Options of a command that environment variables give: ``PARAMFIT_FIT__TRAINER__MAX_EPOCHS=5``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paramfit.errors import InputError
from paramfit.wording import quoted

__all__ = ["GivenVariables"]

_PREFIX = "PARAMFIT_"
_DOT = "__"
_CONFIG = ("-c", "--config")


@dataclass(frozen=True)
class GivenVariables:
    """The environment variables of one command.

    ``PARAMFIT_FIT__MODEL__OPTIMIZER__LR`` is ``--model.optimizer.lr`` of ``fit``: two underscores are a dot, and an
    option's name is in lower case. A variable that is empty is none. An option on the command line goes before its
    variable, a variable before what a configuration file says.

    Attributes:
        names: of the variables, by the options that they give.
        values: of the options.
    """

    names: dict[str, str]
    values: dict[str, str]

    @classmethod
    def of(cls, command: str, environment: Mapping[str, str]) -> "GivenVariables":
        """Those of a command.

        Raises:
            InputError: for a name that can be no option's.
        """
        prefix = f"{_PREFIX}{command.upper()}{_DOT}"
        names, values = {}, {}
        for name in sorted(environment):
            if not name.startswith(prefix) or not environment[name]:
                continue
            parts = name.removeprefix(prefix).lower().split(_DOT)
            if not all(parts):
                raise InputError(f"{quoted(name)}: no option has this name; {prefix}TRAINER{_DOT}MAX_EPOCHS is one's")
            option = ".".join(parts)
            names[option], values[option] = name, environment[name]
        return cls(names, values)

    def added_to(self, arguments: Sequence[str]) -> list[str]:
        """The arguments of the command line with those of the variables, after the configuration files."""
        given = {argument.partition("=")[0] for argument in arguments}
        options = {f"--{option}": value for option, value in self.values.items()}
        config = options.pop("--config", None)
        # A class before its own options.
        added = [f"{option}={options[option]}" for option in sorted(options) if option not in given]
        command, *others = arguments
        if config is not None and given.isdisjoint(_CONFIG):
            others = [f"--config={config}", *others]
        ends = [
            place + (2 if argument in _CONFIG else 1)
            for place, argument in enumerate(others)
            if argument.partition("=")[0] in _CONFIG
        ]
        last = max(ends, default=0)
        return [command, *others[:last], *added, *others[last:]]

    def named_in(self, message: str) -> str:
        """The message about an option, with the variables that gave it, what it is in, or what is in it."""
        option = message.partition(":")[0]
        names = [
            name
            for meant, name in self.names.items()
            if f"{option}.".startswith(f"{meant}.") or meant.startswith(f"{option}.") or meant.endswith(f".{option}")
        ]
        return f"{message} (from the environment: {', '.join(names)})" if names else message
