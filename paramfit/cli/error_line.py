"""One line that says what the user gave wrong, out of the many that the parser gives."""

import ast
import inspect
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from types import FrameType
from typing import Any, get_args

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import callbacks, loggers
from torch import nn
from yaml import YAMLError

import paramfit
from paramfit.cli.error_output import one_line
from paramfit.cli.requirement import missing_package
from paramfit.cli.unannotated import UNTYPED_FUNCTION, function_at, without_class_path
from paramfit.errors import InputError
from paramfit.synonyms import nearest_options, options_meant
from paramfit.tasks.updates import PRECISIONS
from paramfit.users_code import place_in_users_code
from paramfit.wording import nearest_names, quoted

__all__ = ["error_of_users_code", "explained", "foreign_refusal", "input_error_in"]


_KEY = re.compile(r'Parser key "([^"]+)"')
_EXPECTED = re.compile(r"Expected an? <class '([\w.]+)'>")
_GIVEN = re.compile(r"(?:Got|Given) value: (.*)")
_NOT_ACCEPTED = re.compile(r"does not accept option '([^']+)'|Option '([^']+)' is not accepted")
_UNRECOGNIZED = re.compile(r"unrecognized arguments: (.*)")
_ABSTRACT = re.compile(r"Expected an instantiatable class, but (\S+) is abstract")
_WITHOUT_CLASS = re.compile(r"Given value: NestedArg\(key='([^']+)', val=(.*)\)")
_CHOICES = re.compile(r"typing\.Literal(\[[^\]]*\])")
_FEW = 3  # options that are suggested
_OPTION_OF_FUNCTION = re.compile(
    r"Dict must include a class_path and optionally init_args, but got NestedArg\(key='([^']+)'"
)
_MADE_ALREADY = re.compile(r"Unexpected import object (\w+)")
_CALLED_WITHOUT = re.compile(r"function or a callable class: the following arguments .*class_path='([^']+)'")
_REQUIRED = re.compile(r"the following arguments are required: (.*)")
_NO_CLASS = re.compile(
    r"Expected a dot import path string: (\S+)|No module named '([^']+)'|has no attribute '([^']+)'|"
    r"Import path (\S+)|Not a valid subclass"
)
_SEVERAL_CLASSES = re.compile(r"Multiple subclasses with name (\w+)\..*: ([\w., ]+)\.$")
_OTHER_KIND = re.compile(r"Import path (\S+) does not correspond to a subclass of (\w+)")
_NO_LIST = re.compile(r"Expected a <class 'list'>\. Got value: \w+\.")  # but the path of one entry
_ELSEWHERE = "give module.Class, where a module in the working directory is found too"
_RETURNED = {"optimizer": "torch.optim.Optimizer", "scheduler": "torch.optim.lr_scheduler.LRScheduler"}


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it was raised from, and so on to the innermost."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _with_alternatives(error: BaseException) -> Iterator[BaseException]:
    """The chain, with the errors of every type that a value may have: the parser chains the first of them alone."""
    for inner in _chain(error):
        yield inner
        frames = [frame for frame, _ in traceback.walk_tb(inner.__traceback__)]
        if frames and frames[-1].f_code.co_name == "raise_union_unexpected_value":
            for alternative in frames[-1].f_locals["exceptions"]:
                yield from _with_alternatives(alternative)


def _innermost(error: BaseException) -> BaseException:
    """The innermost error; of a list that was given as the path of one entry, that of the entry."""
    *_, innermost = _chain(error)
    if not _NO_LIST.match(str(innermost)):
        return innermost
    of_entry = [each for each in _with_alternatives(error) if _NO_CLASS.search(str(each))]
    return of_entry[-1] if of_entry else innermost


def input_error_in(error: BaseException) -> InputError | None:
    """The ``InputError`` that other libraries have wrapped into errors of their own, if there is one."""
    return next((inner for inner in _chain(error) if isinstance(inner, InputError)), None)


def foreign_refusal(error: BaseException) -> str | None:
    """What a class of Lightning, or of a library that is missing, says against its arguments; None for any other error.

    An error in the user's own class is not one (``error_of_users_code``).
    """
    *_, innermost = _chain(error)
    classes = re.findall(r"Problem with given class_path '([^']+)'", "\n".join(map(str, _chain(error))))
    if not classes:
        return None
    if missing := missing_package(innermost, classes[-1]):
        return missing
    is_foreign = isinstance(innermost, ImportError | MisconfigurationException) or classes[-1].startswith("lightning.")
    return one_line(f"{classes[-1]}: {innermost}") if is_foreign else None


def error_of_users_code(error: BaseException) -> str | None:
    """What went wrong in a person's own file, and on which line of it; None for any other error."""
    for inner in reversed(list(_with_alternatives(error))):
        place = place_in_users_code(inner)
        if place is not None:
            said = getattr(inner, "msg", inner) if isinstance(inner, SyntaxError) else inner
            of = "" if place.function == "<module>" else f", in {place.function}"
            return one_line(f"{place}{of}: {type(inner).__name__}: {said}")
    return None


def explained(error: BaseException, option_names: Iterable[str] = (), files: Sequence[str] = ()) -> str:
    """The innermost message of an error with its dotted option and a remedy, on one line.

    The dotted ``option_names`` give the nearest of a misspelt one, and what an ``InputError`` that names an option
    without its dots is about; ``files`` are the configuration files that were given.
    """
    options = [name.replace(".init_args.", ".") for name in option_names]
    own = input_error_in(error)
    if own is not None:
        return one_line(_with_dots(str(own), options))
    innermost = _innermost(error)
    text = str(innermost)
    place = _place(error)
    theirs = None if isinstance(innermost, ModuleNotFoundError) else error_of_users_code(error)
    if theirs is not None:
        return f"{place}: {theirs}" if place else theirs
    if isinstance(innermost, YAMLError):
        return one_line(f"config: {', '.join(files)} is not valid YAML: {text}")
    if "File does not exist" in str(error) or "File does not exist" in text:
        quoted = re.search(r"'([^']+)'", str(error))
        return f"config: there is no file {quoted[1] if quoted else ', '.join(files)}; configs/ has one for each lesson"
    if match := _NOT_ACCEPTED.search(text):
        name = next(group for group in match.groups() if group).removesuffix(".class_path")
        return _unknown_option(f"{place}.{name}" if place else name, error, options)
    if match := _UNRECOGNIZED.search(text):
        name = match[1].split()[0].lstrip("-").split("=")[0]
        return _unknown_option(f"{place}.{name}" if place else name, error, options)
    if match := _REQUIRED.search(text):
        called = next(filter(None, map(_CALLED_WITHOUT.search, map(str, _chain(error)))), None)
        if called is not None and function_at(called[1]) is not None:
            return without_class_path(place, called[1])
        if place:
            place = ".".join((place, *_entries(error)))
            return (
                f"{place}: {match[1]} is missing; give --{place}.{match[1].split(',')[0]} or a complete --config FILE"
            )
        missing = ", ".join(f"--{name.split('.')[-1]}" for name in match[1].split(", "))
        return f"{missing}: missing; give --config FILE (configs/ has one for each lesson), or --model and --data"
    if text.startswith("Unexpected config"):
        return f"config: {', '.join(files)} is empty or no mapping of options; configs/ has one for each lesson"
    if text.startswith("Not a valid subclass"):
        return one_line(f"{place}: {text.split('. Got')[0]}; got {(_GIVEN.findall(text) or ['something else'])[-1]}")
    if match := UNTYPED_FUNCTION.search(text):
        function, returned = match[1].rpartition(".")[2], _RETURNED.get(place.rpartition(".")[2], match[2])
        return f"{place}: {match[1]} does not say that it returns one; write def {function}(...) -> {returned}:"
    if match := _OPTION_OF_FUNCTION.search(text):
        return f"{place}.{match[1]}: a function takes no options; give its argument a default, or write a class"
    if match := _MADE_ALREADY.search(text):
        return (
            f"{place}: an instance of {match[1]} belongs to other parameters; give its class, as"
            f" --{place} {match[1]} and --{place}.lr 0.01, or a function that makes it"
        )
    if match := _ABSTRACT.search(text):
        return one_line(f"{place}: {_classes_before(place, match[1], error) or _unwritten(match[1])}")
    if match := _OTHER_KIND.search(text):
        if (name := match[1].rpartition(".")[2]) and function_at(match[1]) is not None:
            makes = f"write def {name}(...) -> {match[2]}: where it makes one, or a class that is one"
            return one_line(f"{place}: {match[1]} is a function that does not say that it returns one; {makes}")
        return one_line(f"{place}: {match[1]} is no {match[2]}; give a class that is one")
    if match := _SEVERAL_CLASSES.search(text):
        return one_line(f"{place}: {_which_class(place, match[1], match[2].split(', '))}")
    if match := _NO_CLASS.search(text):
        name = next((group for group in match.groups() if group), "")
        line = place_in_users_code(innermost)
        if place == "trainer.logger" and "." not in name:
            return one_line(f"{place}: {_no_logger(name)}")
        place = ".".join((place, *_entries(error)))
        return one_line(f"{place}: {_no_class(name, text, error)}{f' ({line})' if line else ''}")
    expected = [name.rsplit(".", 1)[-1] for name in _EXPECTED.findall(text) if name != "NoneType"]
    given = _GIVEN.findall(text)
    choices = _choices(place, error)
    if choices and given:
        return one_line(f"{place}: expected one of {', '.join(choices)}, but got {given[-1]!r}")
    if place == "trainer.callbacks" and expected == ["list"] and given and given[-1].isidentifier():
        return f"{place}: {_no_callback(given[-1])}"
    if expected and given:
        finite = "a finite " if given[-1] in {"nan", "inf", "-inf"} else ""
        return one_line(f"{place}: expected {finite}{' or '.join(dict.fromkeys(expected))}, but got {given[-1]!r}")
    return one_line(f"{place}: {text}" if place else text)


def _place(error: BaseException) -> str:
    """The dotted option: each level of nesting wraps its key, several times over."""
    keys = [match[1] if (match := _KEY.match(str(inner))) else None for inner in _chain(error)]
    return ".".join(key for key, _ in groupby(keys) if key is not None)


def _unknown_option(option: str, error: BaseException, options: Sequence[str]) -> str:
    classes = re.findall(r"Problem with given class_path '([^']+)'", str(error))
    refused = _refused_by_class(option, classes, _entries(error))
    if refused is not None:
        return refused
    owner, _, name = option.rpartition(".")
    if options_meant(name, ["lr"]):
        return f"{option}: there is no such option; did you mean {quoted(_rate_for(option))}?"
    places = {other: other.rpartition(".") for other in options}
    meant = [
        other
        for other, (place, _, last) in places.items()
        if owner in ("", place) and (last == name or options_meant(name, [last]))
    ]
    if 0 < len(meant) <= _FEW:
        return f"{option}: there is no such option; did you mean {' or '.join(map(quoted, meant))}?"
    hint = nearest_names(option, options, "paramfit fit --help lists all of them", most=1, nearness=0.75)
    return f"{option}: there is no such option; {hint}"


def _refused_by_class(option: str, classes: Sequence[str], entries: Sequence[str]) -> str | None:
    """That a class takes no such option, with what it takes; None where it is not the one that refuses it.

    The class that is named last has as many names before its own options as there are classes, and those of the
    ``entries`` of a mapping.
    """
    parts = option.split(".")
    if not classes or len(classes) >= len(parts):
        return None
    takes = _options_of(classes[-1])
    name = parts[len(classes)]
    if len(parts) > len(classes) + 1 and (name in takes or not takes):
        return None
    place = ".".join((*parts[: len(classes)], *entries, name))
    owner = classes[-1].removeprefix("paramfit.")
    if options_meant(name, ["lr"]) and "optimizer" in takes:
        return f"{place}: there is no such option; did you mean {quoted(_rate_for(place))}?"
    everything = f"{owner} takes {', '.join(takes)}" if takes else "paramfit fit --help lists all of them"
    return f"{place}: {owner} has no such option; {nearest_options(name, takes, everything)}"


def _options_of(path: str) -> list[str]:
    """What a class takes."""
    refusing = _class_at(path)
    try:
        parameters = {} if refusing is None else inspect.signature(refusing).parameters
    except (TypeError, ValueError):  # it does not say
        return []
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [name for name, parameter in parameters.items() if parameter.kind in named]


def _rate_for(option: str) -> str:
    """The option that holds the learning rate, which is the optimizer's."""
    owner = option.rpartition(".")[0]
    return f"{owner}.lr" if owner.rpartition(".")[2] == "optimizer" else "model.optimizer.lr"


def _frames(error: BaseException) -> Iterator[FrameType]:
    """Where the parser looked at a value by its type, from the whole value to the part that it refuses."""
    for inner in _chain(error):
        for frame, _ in traceback.walk_tb(inner.__traceback__):
            if frame.f_code.co_name == "adapt_typehints":
                yield frame


def _entries(error: BaseException) -> list[str]:
    """The entry of a mapping that was refused, which the parser's text leaves out; none where there is no mapping."""
    kept = (frame.f_locals for frame in _frames(error))
    keys = [each["k"] for each in kept if isinstance(each.get("k"), str) and isinstance(each.get("val"), dict)]
    return [key for key, _ in groupby(keys)][-1:]


def _wanted(error: BaseException) -> tuple[type, ...]:
    """The classes one of which the refused value has to be, or that what it is called for has to return."""
    hints = [hint for frame in _frames(error) if (hint := frame.f_locals.get("typehint")) is not None]
    for hint in reversed(hints):
        if kinds := tuple(dict.fromkeys(_classes_in(hint))):
            return kinds
    return ()


def _classes_in(hint: Any) -> Iterator[type]:
    arguments = get_args(hint)
    if not arguments and inspect.isclass(hint) and hint is not type(None):
        yield hint
    if arguments and isinstance(arguments[0], list):  # of a call: what it is called with is given by us
        arguments = arguments[1:]
    yield from chain.from_iterable(map(_classes_in, arguments))


def _may_be_meant(path: str, wanted: tuple[type, ...]) -> list[str]:
    """What may be meant by a class that is not there: of its module, or of those that need none, of the right kind."""
    module, _, _ = path.rpartition(".")
    held = (
        {f"{module}.{name}": part for name, part in vars(sys.modules[module]).items()} if module in sys.modules else {}
    )
    public = {name: getattr(paramfit, name) for name in paramfit.__all__}
    # Of torch and torchmetrics the parser takes short names too; modules there are layers, and no models.
    kinds: Iterator[type] = chain.from_iterable(each.__subclasses__() for each in wanted if each is not nn.Module)
    short = {kind.__name__: kind for kind in kinds}
    parts = {**short, **public, **held}
    classes = {name: part for name, part in parts.items() if inspect.isclass(part) and not name.startswith("_")}
    return [name for name, part in classes.items() if not wanted or issubclass(part, wanted)]


def _which_class(place: str, name: str, paths: Sequence[str]) -> str:
    """Which of several classes of one name to give."""
    if name == "ReduceLROnPlateau":  # torch's own does not say what it watches
        return (
            f"give --{place} lightning.pytorch.cli.ReduceLROnPlateau --{place}.monitor train/loss, or val/loss where"
            " rows are held out"
        )
    return f"there are several classes {name}; give one of {', '.join(paths)}"


def _no_class(name: str, text: str, error: BaseException) -> str:
    given = re.findall(r"Problem with given class_path '([^']+)'", str(error))
    if given and text.startswith("No module") and not f"{given[-1]}.".startswith(f"{name}."):
        return f"{given[-1]} cannot be imported: {text}"
    shown = given[-1] if given and text.startswith("No module") else name or text
    path = given[-1] if given and given[-1].endswith(shown) else shown
    meant = _may_be_meant(path, _wanted(error))
    if path.rpartition(".")[0] in sys.modules and (hint := nearest_names(path, meant, "", most=1, nearness=0.8)):
        return f"there is no class {shown}; {hint}"
    short = [each for each in meant if "." not in each]
    return f"there is no class {shown}; {nearest_names(path.rpartition('.')[2], short, _ELSEWHERE, most=1)}"


def _no_logger(name: str) -> str:
    """Lightning exports one that is none of the Trainer's."""
    takes = [each for each in loggers.__all__ if _is_logger(getattr(loggers, each))]
    if name in loggers.__all__ and name not in takes:
        return f"{name} is no logger for the Trainer of this version; there are {', '.join(takes)}"
    return f"there is no class {name}; {nearest_names(name, takes, _ELSEWHERE, most=1)}"


def _is_logger(kind: type) -> bool:
    return issubclass(kind, loggers.Logger) and not inspect.isabstract(kind)


def _no_callback(name: str) -> str:
    """The parser takes the name of a class that is not there for a list that is none."""
    names = [*callbacks.__all__, *paramfit.__all__]
    return f"there is no class {name}; {nearest_names(name, names, _ELSEWHERE, most=1)}"


def _choices(place: str, error: BaseException) -> list[str]:
    """What an option takes by the lists that its type has, if any; of precisions those that a fit takes."""
    if place == "trainer.precision":
        return list(PRECISIONS)
    *_, innermost = _chain(error)
    of_union = [str(inner) for inner in _chain(error) if str(inner).startswith("Does not validate against any")]
    lists = map(ast.literal_eval, _CHOICES.findall(of_union[-1] if of_union else str(innermost)))
    return list(dict.fromkeys(str(choice) for choices in lists for choice in choices))


def _class_at(path: str) -> type | None:
    """The class at a path, which the parser has imported or knows by its public name."""
    module, _, name = path.rpartition(".")
    kind = getattr(sys.modules.get(module, paramfit), name, None)
    return kind if inspect.isclass(kind) else None


def _classes_before(place: str, path: str, error: BaseException) -> str | None:
    """Which of our classes to name before an option that was given without one; None where that is not the fault."""
    base = _class_at(path)
    without = [match for inner in _chain(error) if (match := _WITHOUT_CLASS.search(str(inner)))]
    if base is None or not without:
        return None
    # Of an option that has to be given the parser tells what the level above has got.
    option = without[-1][1].removeprefix(f"{place.rpartition('.')[2]}.")
    value = without[-1][2].strip("'")
    public = {name: getattr(paramfit, name) for name in paramfit.__all__}
    kinds = [name for name, kind in public.items() if inspect.isclass(kind) and issubclass(kind, base)]
    kinds = [name for name in kinds if not inspect.isabstract(public[name])]
    taking = [name for name in kinds if option.partition(".")[0] in inspect.signature(public[name]).parameters] or kinds
    if not taking:
        return None
    given = f"--{place}.{option} {value}"
    if len(taking) == 1:
        return f"no class is named; give --{place} {taking[0]} {given}"
    return f"no class is named; give --{place} CLASS {given}, where CLASS is one of {', '.join(taking)}"


def _unwritten(path: str) -> str:
    """What an abstract class leaves to its subclasses."""
    abstract = getattr(_class_at(path), "__abstractmethods__", ())
    missing = f" without {' and '.join(sorted(abstract))}" if abstract else ""
    return f"{path} is an abstract class{missing}; write what is missing, or give a class that has it"


def _with_dots(message: str, options: Sequence[str]) -> str:
    """``scale: ...`` as ``data.normalization.scale: ...`` where only one option can be meant."""
    name, colon, rest = message.partition(":")
    if name in {option.partition(".")[0] for option in options}:
        return message  # it is a whole option already, such as model, beside which there may be a model.model
    meant = {option for option in options if option.endswith(f".{name}")}
    if len(meant) > 1:  # what callbacks refuse has its dots already
        meant = {option for option in meant if option.startswith(("data.", "model."))}
    return f"{meant.pop()}{colon}{rest}" if colon and len(meant) == 1 and " " not in name else message
