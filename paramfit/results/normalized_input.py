"""How the inputs of a fit were normalised, as a result keeps it."""

from collections.abc import Mapping
from typing import Any

__all__ = ["shifts_and_scales"]


def shifts_and_scales(normalized: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Shift and scale of ``z = (x - shift) * scale`` for each input column.

    Args:
        normalized: a result's ``normalized_input``: numbers for one column, lists for several.

    Example:
        >>> shifts_and_scales({"shift": [1.0, 2.0], "scale": [0.5, 4.0]}), shifts_and_scales({"shift": 1, "scale": 2})
        ([(1.0, 0.5), (2.0, 4.0)], [(1, 2)])
    """
    shift, scale = normalized["shift"], normalized["scale"]
    return list(zip(shift, scale, strict=True)) if isinstance(shift, list) else [(shift, scale)]
