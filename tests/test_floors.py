"""The floors of the package: a file imports from lower floors or, without a circle, from its own."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import paramfit

PACKAGE = Path(paramfit.__file__).parent

FLOORS = (
    {"errors", "facts", "observations", "parameters", "wording", "synonyms"}
    | {"torch_overhead", "atomic_files", "users_code", "instances"},
    {"linalg"},
    {"shown"},
    {"formulas"},
    {"distributions"},
    {"solvers"},
    {"optimizers"},
    {"models", "objectives", "data"},
    {"passes"},
    {"gradients"},
    {"inference"},
    {"results"},
    {"plotting", "export"},
    {"fits"},
    {"comparison"},
    {"tasks"},
    {"callbacks"},
    {"cli"},
)
HEIGHT = {name: height for height, floor in enumerate(FLOORS) for name in floor}
DOORS = {"paramfit", "paramfit.__main__"}  # the public names and python -m paramfit: from outside, above all floors


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    named = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


MODULES = modules()


def imported(path: Path) -> Iterator[str]:
    """The modules of ours that a file imports, wherever in the file, type checking and functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "paramfit")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            if node.module is not None and node.module.split(".")[0] == "paramfit":
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    yield inner if inner in MODULES else node.module


IMPORTS = {name: sorted(set(imported(path))) for name, path in MODULES.items() if name not in DOORS}


def floor_of(module: str) -> str:
    return module.split(".")[1]


def test_every_module_has_a_floor():
    assert {floor_of(name) for name in IMPORTS} == HEIGHT.keys()


def test_no_import_goes_upwards():
    arrows = [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in others
        if other not in DOORS and HEIGHT[floor_of(other)] > HEIGHT[floor_of(name)]
    ]
    assert not arrows


def test_no_imports_go_round_in_a_circle():
    TopologicalSorter(
        {name: [other for other in others if other != name] for name, others in IMPORTS.items()}
    ).prepare()


def test_no_module_shares_its_name_with_what_it_holds():
    shared = []
    for name, path in MODULES.items():
        own = name.rsplit(".", 1)[-1]
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == own:
                shared.append(name)
    assert not shared
