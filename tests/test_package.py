"""What is built and installed works outside the checkout, and says who may use it and how."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

import paramfit
from tests.page import REPOSITORY

_SOURCES = ("paramfit", "pyproject.toml", "README.md", "LICENSE")


def _ran(*words: object, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in words], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
    return done.stdout


@pytest.mark.slow
def test_wheel_and_sdist_build_install_and_fit(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in _SOURCES:
        path = REPOSITORY / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source)
    built, installed, elsewhere = (tmp_path / name for name in ("built", "installed", "elsewhere"))
    built.mkdir()
    elsewhere.mkdir()
    backend = "import sys; from setuptools.build_meta import build_sdist; print(build_sdist(sys.argv[1]))"
    _ran(sys.executable, "-c", backend, built, folder=source)
    (sdist,) = built.glob("*.tar.gz")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    _ran(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", built, sdist, folder=elsewhere)
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive, tarfile.open(sdist) as tar:
        names = archive.namelist()
        assert "paramfit/py.typed" in names
        assert any(name.endswith("licenses/LICENSE") for name in names)
        assert any(name.endswith("/LICENSE") for name in tar.getnames())
        written = {f"paramfit/{path.relative_to(source / 'paramfit')}" for path in (source / "paramfit").rglob("*.py")}
        assert written <= set(names)
    _ran(*pip, "install", "--no-deps", "--target", installed, wheel, folder=elsewhere)
    program = (
        "import paramfit; print(paramfit.__file__);"
        " print(paramfit.fit(paramfit.LinearModel(), ([0.0, 1.0, 2.0], [1.0, 3.0, 5.0])).parameters['weight'].estimate)"
    )
    there, estimate = _ran(sys.executable, "-c", program, folder=elsewhere, PYTHONPATH=str(installed)).split()
    assert Path(there).is_relative_to(installed)
    assert float(estimate) == pytest.approx(2.0)


def test_who_may_use_it_and_how_it_is_cited():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == paramfit.__version__
    assert citation["license"] == "Apache-2.0"
    assert citation["authors"] == [{"name": "The paramfit contributors"}]
    assert "Apache License" in (REPOSITORY / "LICENSE").read_text(encoding="utf-8")


def test_every_file_that_contributors_are_sent_to_exists():
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = {word for word in text.split("`") if "/" in word and word.endswith((".py", ".md")) and " " not in word}
    assert len(named) > 8
    assert {
        name for name in named if not any((REPOSITORY / base / name).exists() for base in (".", "paramfit"))
    } == set()
