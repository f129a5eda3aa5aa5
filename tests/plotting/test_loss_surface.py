"""The loss as a landscape, and the way down."""

import math

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor, distributions, nn

from paramfit import NegativeLogLikelihood, Objective, Observations, SquaredError
from paramfit.models import FormulaModel, GaussianModel, LinearModel, ParametricModel, PolynomialModel
from paramfit.plotting import loss_surface_figure
from paramfit.plotting.descent_path import draw_optimum, draw_path
from tests.plotting.test_loss_grid import Line
from tests.thermometer import observations

DATA = observations(0.1)
PATH = torch.tensor([[1.0, 0.0], [2.3, 0.1], [3.0, -4.0], [5.4, -17.3]], dtype=torch.float64)


def drawn(model: nn.Module, path: Tensor, objective: Objective | None = None) -> Figure:
    data = DATA if not isinstance(model, GaussianModel) else Observations((), torch.randn(20, dtype=torch.float64))
    objective = objective or (SquaredError() if not isinstance(model, GaussianModel) else NegativeLogLikelihood())
    figure = loss_surface_figure(model, objective, data, path, "after 3 updates")
    assert figure is not None
    return figure


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def line_called(figure: Figure, label: str) -> list[tuple[float, float]]:
    line = next(line for line in figure.axes[0].lines if line.get_label() == label)
    return [(float(x), float(y)) for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]


@pytest.mark.parametrize("model", [LinearModel(dtype="float64"), Line()], ids=["ParametricModel", "any module"])
def test_surface_has_named_axes_a_colour_bar_and_the_path(model):
    figure = drawn(model, PATH)
    axes, bar = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("weight", "bias")
    assert bar.get_ylabel() == "loss above the lowest shown"
    assert axes.get_title() == "after 3 updates"
    assert legend(figure) == ["path of descent", "start", "end"]
    assert line_called(figure, "path of descent") == [tuple(point) for point in PATH.tolist()]
    assert line_called(figure, "start") == [(1.0, 0.0)]
    assert line_called(figure, "end") == [(5.4, -17.3)]


def test_whole_path_lies_inside_the_surface():
    axes = drawn(LinearModel(dtype="float64"), PATH).axes[0]
    assert axes.get_xlim()[0] < PATH[:, 0].min() < PATH[:, 0].max() < axes.get_xlim()[1]
    assert axes.get_ylim()[0] < PATH[:, 1].min() < PATH[:, 1].max() < axes.get_ylim()[1]


def test_exploding_path_is_cut_and_the_figure_says_so():
    path = torch.tensor([[1.0, 0.0], [-40.0, -1.0], [2e3, 40.0], [-1e5, -2e3], [math.inf, math.nan]]).double()
    figure = drawn(LinearModel(dtype="float64"), path)
    assert line_called(figure, "path of descent") == [(1.0, 0.0), (-40.0, -1.0)]
    assert legend(figure)[-1] == "last point shown"
    assert figure.axes[0].get_title() == "after 3 updates:\nthe first 2 points"


OPTIMUM = torch.tensor([5.36772, -17.3048], dtype=torch.float64)


def with_optimum(path: Tensor, optimum: Tensor, **options: object) -> Figure:
    model = LinearModel(dtype="float64")
    figure = loss_surface_figure(model, SquaredError(), DATA, path, "after", optimum=optimum, **options)
    assert figure is not None
    return figure


def test_optimum_is_marked_and_the_window_widens_for_it():
    figure = with_optimum(PATH[:3], OPTIMUM, units="on the normalised input 0.1 x")
    assert line_called(figure, "closed-form optimum") == [pytest.approx(tuple(OPTIMUM.tolist()))]
    axes = figure.axes[0]
    assert axes.get_ylim()[0] < -17.3048
    assert axes.get_xlabel() == "weight, on the normalised input 0.1 x"
    assert not axes.texts


def pixels_near(axes: Axes, at: tuple[float, float], color: str, reach: int = 15) -> int:
    """How many pixels about a point are of a colour."""
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba(), dtype=int)[..., :3]
    column, row = axes.transData.transform(at)
    row, column = round(len(drawn) - row), round(column)
    cut = drawn[row - reach : row + reach + 1, column - reach : column + reach + 1]
    return int((np.abs(cut - 255 * np.array(to_rgb(color))).max(axis=2) < 8).sum())


@pytest.mark.parametrize(
    ("ends", "mark"), [((PATH[0], OPTIMUM), "gold"), ((OPTIMUM, PATH[0]), "white")], ids=["end", "start"]
)
def test_an_end_of_the_path_and_the_optimum_are_both_seen_where_they_coincide(ends, mark):
    axes = Figure().add_subplot()
    axes.set(xlim=(0, 8), ylim=(-20, 5), facecolor="navy")
    draw_path(axes, *torch.stack(ends).unbind(1), whole=True)
    at, end = ((point[0].item(), point[1].item()) for point in (OPTIMUM, ends[1]))
    draw_optimum(axes, at, end, "")
    assert pixels_near(axes, at, "tab:green") > 50
    assert pixels_near(axes, at, mark) > 20
    assert not pixels_near(axes, (1.0, 0.0), "tab:green")


def test_arrow_points_to_an_optimum_for_which_the_path_would_shrink_to_a_point():
    path = torch.tensor([[1.0, 0.0], [1.001, 0.0], [1.002, 0.001]], dtype=torch.float64)
    figure = with_optimum(path, OPTIMUM)
    (note,) = figure.axes[0].texts
    away = math.hypot(5.36772 - 1.002, -17.3048 - 0.001)
    assert f"{away:.3g} from the end" in note.get_text()
    assert "weight 5.368, bias -17.3" in note.get_text()
    assert note.xy[1] < 0.1  # below
    assert "closed-form optimum" not in legend(figure)


def test_diverging_path_is_a_zigzag_of_arrows_of_which_the_last_leaves_the_window():
    path = torch.tensor([[6.0, -17], [4.0, -17.5], [8.0, -16], [-2, -20], [1e4, 5.0]], dtype=torch.float64)
    axes = with_optimum(path, OPTIMUM, diverged=True).axes[0]
    ends = [patch.get_path().vertices for patch in axes.patches]
    assert len(ends) == 4  # three steps in the window, and one out of it
    assert with_optimum(path, OPTIMUM).axes[0].patches[:] == []


def test_start_whose_loss_is_not_finite_cannot_be_drawn():
    path = torch.full((2, 2), math.nan, dtype=torch.float64)
    assert loss_surface_figure(LinearModel(dtype="float64"), SquaredError(), DATA, path, "lost") is None


@pytest.mark.parametrize(
    ("model", "columns"),
    [(PolynomialModel(2, dtype="float64"), 3), (nn.Linear(1, 1, dtype=torch.float64), 2)],
    ids=["three parameters", "matrices"],
)
def test_other_models_have_no_surface(model, columns):
    path = torch.zeros(2, columns, dtype=torch.float64)
    assert loss_surface_figure(model, SquaredError(), DATA, path, "none") is None


class Gamma(ParametricModel):
    """A distribution of two bounded parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.declare("concentration", {"start": 2.0, "lower": 0}, torch.float64)
        self.declare("rate", {"start": 1.0, "lower": 0, "upper": 4, "unit": "1/s"}, torch.float64)

    def forward(self) -> distributions.Gamma:
        shape, rate = (self.natural(name).unsqueeze(-1) for name in ("concentration", "rate"))
        return distributions.Gamma(shape, rate, validate_args=False)

    def jacobian(self, *inputs: Tensor) -> dict[str, Tensor | float]:
        raise NotImplementedError


NATURAL = torch.tensor([[2.0, 1.0], [0.5, 3.9], [0.01, 2.0]], dtype=torch.float64)


def bounded(natural: Tensor = NATURAL) -> Figure:
    model = Gamma()
    numbers = [model.transforms[name].inv(natural[:, k]) for k, name in enumerate(("concentration", "rate"))]
    data = Observations((), torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64))
    figure = loss_surface_figure(model, NegativeLogLikelihood(), data, torch.stack(numbers, dim=1), "bounded")
    assert figure is not None
    return figure


def test_bounded_parameters_are_drawn_by_their_values():
    figure = bounded()
    assert line_called(figure, "path of descent") == [pytest.approx(point) for point in NATURAL.tolist()]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("concentration", "rate (1/s)")


def test_surface_ends_before_the_bounds():
    axes = bounded().axes[0]
    assert 0 < axes.get_xlim()[0] < 0.01
    assert 0 < axes.get_ylim()[0] < axes.get_ylim()[1] < 4


def test_one_bounded_parameter_has_the_loss_of_its_values():
    sample = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)
    path = torch.tensor([[3.0], [1.5], [1.0]], dtype=torch.float64).log()
    model = GaussianModel({"start": 3.0, "lower": 0})
    figure = loss_surface_figure(model, NegativeLogLikelihood(), Observations((), sample), path, "bounded")
    assert figure is not None
    for location, height in line_called(figure, "loss") + line_called(figure, "path of descent"):
        assert height == pytest.approx(
            1.5 * math.log(2 * math.pi) + (sample - location).square().sum().item() / 2, rel=1e-9
        )


def test_valley_after_a_long_descent_is_told_from_what_surrounds_it():
    rate = FormulaModel("A * exp(-E / T)", ["T"], {"A": 1000.0, "E": 1000.0})
    temperature = torch.linspace(250, 350, 20, dtype=torch.float64)
    data = Observations((temperature,), 1767 * torch.exp(-2362 / temperature) + 0.1 * (-1) ** torch.arange(20))
    path = torch.tensor([[1000, 1000], [25, 1000], [600, 2020], [1767, 2362]], dtype=torch.float64)
    figure = loss_surface_figure(rate, SquaredError(), data, path, "long")
    low, high = figure.axes[1].get_ylim()
    assert low < 0.1  # the noise has the mean square 0.01, the start 1000
    assert high > 1000


def test_wall_beyond_the_path_does_not_take_the_colours():
    growth = FormulaModel("a * exp(k * x)", ["x"], {"a": 2.0, "k": 1.0})
    x = torch.linspace(0, 40, 20, dtype=torch.float64)
    path = torch.tensor([[2.0, -1.0], [2.0, 0.1]], dtype=torch.float64)
    figure = loss_surface_figure(growth, SquaredError(), Observations((x,), 2 * torch.exp(0.1 * x)), path, "wall")
    climbed = (2 * torch.exp(-x) - 2 * torch.exp(0.1 * x)).square().mean().item()
    assert figure.axes[1].get_ylim()[1] == pytest.approx(100 * climbed)  # the corner lies at 1e14
