"""Options of a command that environment variables give: ``PARAMFIT_FIT__TRAINER__MAX_EPOCHS=5``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

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
            InputError: for a name that can be no option's, or a list or mapping that is not valid YAML.
        """
        prefix = f"{_PREFIX}{command.upper()}{_DOT}"
        names, values = {}, {}
        for name in sorted(environment):
            if not name.startswith(prefix) or not environment[name]:
                continue
            parts = name.removeprefix(prefix).lower().split(_DOT)
            if not all(parts):
                raise InputError(f"{quoted(name)}: no option has this name; {prefix}TRAINER{_DOT}MAX_EPOCHS is one's")
            if broken := _broken_yaml(environment[name]):
                raise InputError(
                    f"{name}: the value is not valid YAML ({broken}); close what it opens, or mend it there"
                )
            option = ".".join(parts)
            names[option], values[option] = name, environment[name]
        return cls(names, values)

    def added_to(self, arguments: Sequence[str]) -> list[str]:
        """The arguments of the command line, with those of the variables after what they are options of."""
        command, *merged = arguments
        given = {argument.partition("=")[0] for argument in merged}
        values = {f"--{option}": value for option, value in self.values.items() if f"--{option}" not in given}
        config = values.pop("--config", None)
        if config is not None and given.isdisjoint(_CONFIG):
            merged.insert(0, f"--config={config}")
        for option in sorted(values):  # a class before its own options
            ends = [_end(merged, place) for place, name in enumerate(merged) if _is_before(name, option)]
            merged.insert(max(ends, default=0), f"{option}={values[option]}")
        return [command, *merged]

    def named_in(self, message: str) -> str:
        """The message about an option, with the variables that gave it, what it is in, or what is in it."""
        option = message.partition(":")[0]
        names = [
            name
            for meant, name in self.names.items()
            if f"{option}.".startswith(f"{meant}.") or meant.startswith(f"{option}.") or meant.endswith(f".{option}")
        ]
        return f"{message} (from the environment: {', '.join(names)})" if names else message


def _broken_yaml(value: str) -> str | None:
    """What is wrong with a list or a mapping, and where; None for any other value, such as a pattern ``[0-9]*.csv``."""
    text = value.lstrip()
    is_closed = all(text.count(opening) == text.count(closing) for opening, closing in ("[]", "{}"))
    if not text.startswith("{") and (is_closed or not text.startswith("[")):
        return None
    try:
        for _ in yaml.parse(value, Loader=yaml.SafeLoader):
            pass
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark
        where = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
        return f"{wrong.problem or wrong.context}{where}"
    except yaml.YAMLError as wrong:  # a character that no YAML has
        return str(wrong)
    return None


def _is_before(argument: str, option: str) -> bool:
    """Whether an argument is a configuration file, or the class that an option belongs to."""
    name = argument.partition("=")[0]
    return name in _CONFIG or (name.startswith("--") and option.startswith(f"{name.rstrip('+')}."))


def _end(arguments: Sequence[str], place: int) -> int:
    """Where an option ends that begins at a place, with its value."""
    return place + (1 if "=" in arguments[place] else 2)
