"""All figures of a fit: whose they are stands in each title."""

from dataclasses import replace

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from torch import nn

from paramfit import DistributionModel, EstimationDataModule, FormulaModel, Observations, fit
from paramfit.data.columns import DescribedData
from paramfit.objectives import NegativeLogLikelihood, SquaredError
from paramfit.plotting.all_figures import Descent, FigureSet, fit_figures

X = torch.linspace(0.5, 4, 30, dtype=torch.float64)
Z = X.cos()
NOISE = 0.1 * torch.randn(30, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
LINE = FormulaModel("a + b * x", ["x"], {"a": 0.0, "b": 0.0})
PLANE = FormulaModel("a + b * x + c * z", ["x", "z"], {"a": 0.0, "b": 0.0, "c": 0.0})
SAMPLE = DistributionModel("torch.distributions.Normal", {"loc": None, "scale": None})
DESCENT = Descent(7, losses=((1, 3.0), (7, 1.0)), run="march")


class Given(EstimationDataModule):
    """Observations that are there already."""

    def __init__(self, target: torch.Tensor, *inputs: torch.Tensor) -> None:
        super().__init__()
        self.given = Observations(inputs, target)
        self.setup("fit")

    def read(self) -> Observations:
        return self.given


def figures_of(model: nn.Module, data: DescribedData, descent: Descent) -> FigureSet:
    """Those of the model as it is fitted to its rows."""
    result = fit(model, data.raw)
    objective = NegativeLogLikelihood() if isinstance(model, DistributionModel) else SquaredError()
    return fit_figures(model, objective, data, descent, result)


CASES = {
    "line": (LINE, Given(1 + 2 * X + NOISE, X), {"scatter", "fit", "residuals", "correlation", "loss_surface"}),
    "plane": (PLANE, Given(1 + X - Z + NOISE, X, Z), {"residuals", "residuals_by_input", "observed", "correlation"}),
    "sample": (SAMPLE, Given(NOISE), {"density", "histogram", "quantiles", "correlation"}),
}


@pytest.mark.parametrize(("model", "data", "drawn"), CASES.values(), ids=CASES)
@pytest.mark.parametrize(
    "run", ["march", None, "a run whose name is long, as of many options that were tried 0123456789"]
)
def test_every_figure_names_its_model_and_its_run_within_its_width(model, data, drawn, run):
    path = tuple(torch.tensor([1.0 + k, 1.0], dtype=torch.float64) for k in range(3)) if model is LINE else ()
    figures = figures_of(model, data.described, replace(DESCENT, path=path, run=run))
    assert not figures.left_out
    assert set(figures.figures) == {*drawn, "loss_curve"}
    for figure in figures.figures.values():
        titles = [figure.get_suptitle(), *(axes.get_title() for axes in figure.axes)]
        heading = next(title for title in titles if type(model).__name__ in title)
        assert run is None or f"({run[:4]}" in heading
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        (text,) = [written for written in figure.findobj(Text) if written.get_text() == heading]
        box = text.get_window_extent(canvas.get_renderer())
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width
