"""Models that torch.compile has wrapped."""

from typing import Any

from torch import nn

from paramfit.instances import check_instance

__all__ = ["unwrapped"]


def unwrapped(model: nn.Module, *, stays_compiled: bool = False) -> nn.Module:
    """The module inside what ``torch.compile`` returned, whose parameters have their plain names; any other as it is.

    The wrapper calls them ``_orig_mod.weight``, which no report, bound or checkpoint knows.

    Args:
        model: any model.
        stays_compiled: whether calls of the module go on to run the compiled code; its copies do not.

    Raises:
        InputError: for what is no module, such as a class of them.
    """
    check_instance("model", model, nn.Module, "LinearModel()")
    wrapper: Any = model  # whose class is private to torch
    inner = getattr(model, "_orig_mod", None)
    if not isinstance(inner, nn.Module):
        return model
    if stays_compiled:
        # what nn.Module.compile sets, with the options that the wrapper was made with
        inner._compiled_call_impl = wrapper.dynamo_ctx(inner._call_impl)
    return inner
