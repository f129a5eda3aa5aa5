"""Functions of the user's that do not say what they return: the option that takes one says it."""

import inspect
import re
from pkgutil import resolve_name

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

__all__ = ["UNTYPED_FUNCTION", "annotated"]

UNTYPED_FUNCTION = re.compile(r"Expected '(\S+)' to be a function that returns (?:<class '|Union\[)?(\w+)")
"""How the parser refuses a function: its path, and what it should say that it returns."""

_RETURNED: dict[str, type] = {"Optimizer": Optimizer, "LRScheduler": LRScheduler}


def annotated(refusal: Exception) -> bool:
    """Whether the parser has refused a function because it says nothing, and now takes it.

    The parser asks of a function what its signature returns. One that says nothing is taken at its option's word, and
    what it gives is looked at when it is called.
    """
    innermost: BaseException = refusal
    while innermost.__cause__ or innermost.__context__:
        innermost = innermost.__cause__ or innermost.__context__  # type: ignore[assignment]  # one of them is there
    match = UNTYPED_FUNCTION.search(str(innermost))
    if match is None or match[2] not in _RETURNED:
        return False
    function = resolve_name(match[1])  # which the parser has imported
    try:
        signature = inspect.signature(function)
        if signature.return_annotation is not inspect.Signature.empty:
            return False
        function.__signature__ = signature.replace(return_annotation=_RETURNED[match[2]])
    except (ValueError, TypeError, AttributeError):  # of a function that is not written in Python, or takes no mark
        return False
    return True
