"""What is said where a logger's package is missing or old, for every logger that Lightning exports."""

import importlib
import re
from importlib.metadata import version
from typing import Any

import pytest
from lightning.pytorch import loggers
from lightning_utilities.core.imports import RequirementCache

from paramfit.cli.error_line import explained
from paramfit.cli.requirement import LOGGER_PACKAGES, missing_package


def requirements(name: str) -> set[str]:
    """The packages that the module of a logger asks for, by Lightning's own words."""
    module = importlib.import_module(getattr(loggers, name).__module__)
    asked = [value for key, value in vars(module).items() if isinstance(value, RequirementCache) and "OMEGA" not in key]
    return {re.split("[<>=!~]", cache.requirement)[0] for cache in asked if cache.requirement is not None}


@pytest.mark.parametrize("name", sorted(LOGGER_PACKAGES))
def test_package_is_the_one_that_lightning_asks_for(name):
    assert requirements(name) == {LOGGER_PACKAGES[name]}


def test_every_logger_that_needs_a_package_is_in_the_table():
    fit_for_trainer = [name for name in loggers.__all__ if issubclass(getattr(loggers, name), loggers.Logger)]
    assert {name for name in fit_for_trainer if requirements(name)} == LOGGER_PACKAGES.keys()


@pytest.mark.parametrize("name", sorted(LOGGER_PACKAGES))
def test_missing_package_is_one_line_with_what_to_install(name, monkeypatch):
    package = LOGGER_PACKAGES[name]
    monkeypatch.setattr("paramfit.cli.requirement.version", not_installed)
    refused = ModuleNotFoundError(f"Requirement '{package}>=1.0' not met. HINT: Try running `pip install -U`")
    expected = f"trainer.logger: {name} needs the package {package}, which is not installed: pip install {package}"
    assert missing_package(refused, f"lightning.pytorch.loggers.{name}") == expected


def not_installed(package: str) -> Any:
    raise importlib.metadata.PackageNotFoundError(package)


def test_package_that_is_too_old_is_named_with_its_version():
    said = missing_package(ImportError("Requirement 'torch>=99' not met. HINT"), "lightning.pytorch.callbacks.Timer")
    at_hand = version("torch")
    assert said == f"Timer needs the package torch>=99, but {at_hand} is installed: pip install --upgrade torch"


def test_other_errors_are_left_alone():
    assert missing_package(ValueError("no"), "lightning.pytorch.loggers.WandbLogger") is None
    assert missing_package(ImportError("no"), "my.Logger") is None


@pytest.mark.parametrize(("text", "words"), [
    ("Expected a dot import path string: LitLogger", "LitLogger is no logger for the Trainer"),
    ("Expected a dot import path string: Wandlogger", "there is no class Wandlogger; did you mean 'WandbLogger'?"),
    ("Import path pathlib.Path does not correspond to a subclass of Logger", "pathlib.Path is no Logger; give a class"),
])  # fmt: skip
def test_what_is_no_logger_is_said(text, words):
    outer = ValueError('Parser key "trainer.logger":')
    outer.__cause__ = ValueError(text)
    assert explained(outer).startswith(f"trainer.logger: {words}")
