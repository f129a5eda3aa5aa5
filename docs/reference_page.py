"""The reference, written anew at each build from the names that ``paramfit`` makes public."""

from typing import Any

from mkdocs.structure.files import File, Files

from paramfit import _HOME

_TITLES = {
    "paramfit.fits": "Fitting",
    "paramfit.results": "Results",
    "paramfit.comparison": "Comparing",
    "paramfit.inference": "Uncertainty",
    "paramfit.models": "Models",
    "paramfit.distributions": "Distributions",
    "paramfit.objectives": "Objectives",
    "paramfit.gradients": "Gradient rules",
    "paramfit.optimizers": "Optimizers",
    "paramfit.solvers": "Solvers",
    "paramfit.data": "Data modules",
    "paramfit.tasks": "Tasks",
    "paramfit.callbacks": "Callbacks",
}


def on_files(files: Files, config: Any) -> Files:
    """Add the page."""
    lines = ["# Reference", "", "Every public name: `import paramfit`, then `paramfit.NAME`.", ""]
    sections: dict[str, list[str]] = {title: [] for title in [*_TITLES.values(), "Other names"]}
    for module, names in _HOME.items():
        title = _TITLES.get(".".join(module.split(".")[:2]), "Other names")
        sections[title] += [f"::: {module}.{name}" for name in names]
    for title, entries in sections.items():
        if entries:
            lines += [f"## {title}", "", *(line for entry in entries for line in (entry, ""))]
    files.append(File.generated(config, "reference.md", content="\n".join(lines)))
    return files
