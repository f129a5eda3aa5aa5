"""One line for what needs a package that is not installed: a logger of Lightning's, or a callback."""

import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from lightning.pytorch import loggers

__all__ = ["LOGGER_PACKAGES", "missing_package"]

LOGGER_PACKAGES: Mapping[str, str] = {
    "CometLogger": "comet-ml",
    "MLFlowLogger": "mlflow",
    "TensorBoardLogger": "tensorboard",
    "WandbLogger": "wandb",
}
"""What to install for each logger that Lightning exports and that needs a package of its own."""

_REQUIREMENT = re.compile(r"Requirement '([\w.-]+)([<>=!~][^']*)?' not met")


def missing_package(error: BaseException, path: str) -> str | None:
    """Which package a class needs, and how it is installed; None where the error is of another kind.

    Args:
        error: the innermost one, as the class has raised it.
        path: of the class.
    """
    name = path.rpartition(".")[2]
    match = _REQUIREMENT.search(str(error))
    if match is None and not isinstance(error, ImportError):
        return None
    is_logger = name in loggers.__all__ and path.startswith("lightning.")
    package = LOGGER_PACKAGES.get(name) if is_logger else None
    if package is None and match is not None:
        package = match[1]
    if package is None:
        return None
    place = "trainer.logger: " if is_logger else ""
    try:
        at_hand = version(package)
    except PackageNotFoundError:
        return f"{place}{name} needs the package {package}, which is not installed: pip install {package}"
    wanted = "" if match is None or match[2] is None else match[2]
    needed = f"{package}{wanted}, but {at_hand} is installed: pip install --upgrade {package}"
    return f"{place}{name} needs the package {needed}" if wanted else None
