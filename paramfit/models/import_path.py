"""From ``module.name`` to what is there."""

from importlib import import_module
from typing import Any

from paramfit.errors import InputError
from paramfit.wording import nearest_names

__all__ = ["imported"]


def imported(place: str, path: str, example: str) -> Any:
    """What an import path ``module.name`` names; the place (an option) and the example of a path are for messages.

    Raises:
        InputError: if there is no such module, or nothing of that name in it.
    """
    module_name, _, name = path.rpartition(".")
    if not module_name:
        raise InputError(f"{place}: {path!r} is not a path such as {example}")
    try:
        module = import_module(module_name)
    except Exception as failure:  # whatever the user's module raises
        cause = " ".join(f"{type(failure).__name__}: {failure}".split())[:200]
        raise InputError(f"{place}: the module {module_name} cannot be imported ({cause})") from failure
    if not hasattr(module, name):
        present = vars(module)
        # A module may import a name when it is first asked for, as paramfit does.
        callables = [key for key in dir(module) if key not in present or callable(present[key])]
        hint = nearest_names(name, callables, f"a path looks like {example}", most=1)
        raise InputError(f"{place}: {module_name} has no {name!r}; {hint}")
    return getattr(module, name)
