"""One entry for each family of distributions; a file of this folder holds its entries in ``FAMILIES``."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from torch.distributions import Distribution

from paramfit.distributions.family import Family

__all__ = ["FAMILIES", "family_of", "inherited_family"]

FAMILIES: Mapping[type[Distribution], Family] = {
    family.kind: family
    for module in iter_modules(__path__)
    for family in import_module(f"{__name__}.{module.name}").FAMILIES
}


def family_of(distribution: Distribution) -> Family:
    """The entry of exactly this class; an empty one, for which all is done by autograd, where there is none.

    Example:
        >>> from torch.distributions import Gamma, Kumaraswamy
        >>> family_of(Gamma(1.0, 1.0)).score is None, family_of(Kumaraswamy(1.0, 1.0)).score is None
        (False, True)
    """
    kind = type(distribution)
    return FAMILIES.get(kind) or Family(kind)


def inherited_family(kind: type[Distribution]) -> Family:
    """The entry of the class, or the nearest one above it: what says where the support ends holds for subclasses."""
    return next((FAMILIES[base] for base in kind.__mro__ if base in FAMILIES), Family(kind))
