"""The loss as a landscape, and the way down."""

import math

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, distributions, nn
from torch.distributions import Normal

from paramfit.models import GaussianModel, LinearModel, ParametricModel, PolynomialModel
from paramfit.objectives import AbsoluteError, NegativeLogLikelihood, Objective, SquaredError
from paramfit.observations import Observations
from paramfit.plotting import loss_on_grid, loss_surface_figure
from paramfit.plotting import loss_surface as module
from tests.thermometer import observations

DATA = observations(0.1)
PATH = torch.tensor([[1.0, 0.0], [2.3, 0.1], [3.0, -4.0], [5.4, -17.3]], dtype=torch.float64)


class Line(nn.Module):
    """The line as a user would write it: it knows nothing of leading parameter dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
        self.bias = nn.Parameter(torch.tensor(0.0, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        if self.weight.ndim:
            raise AssertionError("a whole grid was given to a model that does not broadcast")
        return self.weight * x + self.bias


def line_and_its_user_written_twin() -> list[nn.Module]:
    return [LinearModel(dtype="float64"), Line()]


@pytest.mark.parametrize("model", line_and_its_user_written_twin(), ids=["ParametricModel", "any module"])
@pytest.mark.parametrize(
    "objective",
    [SquaredError(), SquaredError("sum"), AbsoluteError(), SquaredError(l1=3.0, l2=0.5)],
    ids=["mean", "sum", "absolute", "penalised"],
)
def test_grid_equals_a_loop(model: nn.Module, objective: Objective) -> None:
    weights, biases = torch.linspace(-2, 7, 4).double(), torch.linspace(-20, 3, 3).double()
    found = loss_on_grid(model, objective, DATA, {"weight": weights.unsqueeze(0), "bias": biases.unsqueeze(1)})
    assert found.shape == (3, 4)
    for row, bias in enumerate(biases):
        for column, weight in enumerate(weights):
            residual = weight * DATA.inputs[0] + bias - DATA.target
            each = residual.abs() if isinstance(objective, AbsoluteError) else residual**2
            expected = each.sum() if objective.reduction == "sum" else each.mean()
            expected = expected + objective.l1 * (weight.abs() + bias.abs()) + objective.l2 * (weight**2 + bias**2)
            assert found[row, column].item() == pytest.approx(expected.item(), rel=1e-12)


def test_grid_of_locations_equals_a_loop() -> None:
    sample = torch.randn(7, dtype=torch.float64)
    locations = torch.linspace(-1, 1, 5, dtype=torch.float64)
    data = Observations((), sample)
    found = loss_on_grid(GaussianModel(scale=0.5), NegativeLogLikelihood(), data, {"location": locations})
    expected = [-Normal(location, 0.5).log_prob(sample).sum().item() for location in locations]
    assert found.tolist() == pytest.approx(expected, rel=1e-12)


def test_grid_too_large_for_memory_is_added_up_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = {"weight": torch.linspace(-2, 7, 6).double()}
    whole = loss_on_grid(LinearModel(dtype="float64"), SquaredError(), DATA, grid)
    monkeypatch.setattr(module, "_MOST_ELEMENTS", 24)
    calls: list[int] = []
    model = LinearModel(dtype="float64")
    model.register_forward_pre_hook(lambda _, inputs: calls.append(len(inputs[0])))
    parts = loss_on_grid(model, SquaredError(), DATA, grid)
    assert calls == [4, 4, 3]
    assert torch.allclose(parts, whole, rtol=1e-14)


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


@pytest.mark.parametrize("model", line_and_its_user_written_twin(), ids=["ParametricModel", "any module"])
def test_surface_has_named_axes_a_colour_bar_and_the_path(model: nn.Module) -> None:
    figure = drawn(model, PATH)
    axes, bar = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("weight", "bias")
    assert bar.get_ylabel() == "loss above the lowest shown"
    assert axes.get_title() == "after 3 updates"
    assert legend(figure) == ["path of descent", "start", "end"]
    assert line_called(figure, "path of descent") == [tuple(point) for point in PATH.tolist()]
    assert line_called(figure, "start") == [(1.0, 0.0)]
    assert line_called(figure, "end") == [(5.4, -17.3)]


def test_whole_path_lies_inside_the_surface() -> None:
    axes = drawn(LinearModel(dtype="float64"), PATH).axes[0]
    assert axes.get_xlim()[0] < PATH[:, 0].min() < PATH[:, 0].max() < axes.get_xlim()[1]
    assert axes.get_ylim()[0] < PATH[:, 1].min() < PATH[:, 1].max() < axes.get_ylim()[1]


def test_model_of_one_parameter_is_drawn_as_a_curve() -> None:
    figure = drawn(GaussianModel(), torch.tensor([[1.0], [0.5], [0.1]], dtype=torch.float64))
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("location", "loss")
    assert legend(figure) == ["loss", "path of descent", "start", "end"]
    assert [x for x, _ in line_called(figure, "path of descent")] == [1.0, 0.5, 0.1]
    heights = [y for _, y in line_called(figure, "path of descent")]
    assert heights == sorted(heights, reverse=True)


def test_exploding_path_is_cut_and_the_figure_says_so() -> None:
    path = torch.tensor([[1.0, 0.0], [-40.0, -1.0], [2e3, 40.0], [-1e5, -2e3], [math.inf, math.nan]]).double()
    figure = drawn(LinearModel(dtype="float64"), path)
    assert line_called(figure, "path of descent") == [(1.0, 0.0), (-40.0, -1.0)]
    assert legend(figure)[-1] == "last point shown"
    assert figure.axes[0].get_title() == "after 3 updates: the first 2 points"


def test_path_that_leaves_the_finite_numbers_at_once_shows_its_start() -> None:
    path = torch.tensor([[1.0, 0.0], [math.nan, math.nan]]).double()
    figure = drawn(LinearModel(dtype="float64"), path)
    assert line_called(figure, "path of descent") == [(1.0, 0.0)]


def test_start_whose_loss_is_not_finite_cannot_be_drawn() -> None:
    path = torch.full((2, 2), math.nan, dtype=torch.float64)
    assert loss_surface_figure(LinearModel(dtype="float64"), SquaredError(), DATA, path, "lost") is None


def test_path_that_stays_where_it_is_can_be_drawn() -> None:
    figure = drawn(LinearModel(dtype="float64"), PATH[:1].repeat(3, 1))
    assert line_called(figure, "end") == [(1.0, 0.0)]


@pytest.mark.parametrize(
    ("model", "columns"),
    [(PolynomialModel(2, dtype="float64"), 3), (nn.Linear(1, 1, dtype=torch.float64), 2)],
    ids=["three parameters", "matrices"],
)
def test_other_models_have_no_surface(model: nn.Module, columns: int) -> None:
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


def test_bounded_parameters_are_drawn_by_their_values() -> None:
    figure = bounded()
    assert line_called(figure, "path of descent") == [pytest.approx(point) for point in NATURAL.tolist()]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("concentration", "rate (1/s)")


def test_surface_ends_before_the_bounds() -> None:
    axes = bounded().axes[0]
    assert 0 < axes.get_xlim()[0] < 0.01
    assert 0 < axes.get_ylim()[0] < axes.get_ylim()[1] < 4


def test_path_that_ends_on_its_bound_can_be_drawn() -> None:
    figure = bounded(torch.cat([NATURAL, torch.tensor([[1e-300, 2.0]], dtype=torch.float64)]))
    assert figure.axes[0].get_xlim()[0] >= 0


def test_one_bounded_parameter_has_the_loss_of_its_values() -> None:
    sample = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)
    path = torch.tensor([[3.0], [1.5], [1.0]], dtype=torch.float64).log()
    model = GaussianModel({"start": 3.0, "lower": 0})
    figure = loss_surface_figure(model, NegativeLogLikelihood(), Observations((), sample), path, "bounded")
    assert figure is not None
    for location, height in line_called(figure, "loss") + line_called(figure, "path of descent"):
        assert height == pytest.approx(
            1.5 * math.log(2 * math.pi) + (sample - location).square().sum().item() / 2, rel=1e-9
        )


def test_places_without_a_loss_are_left_white() -> None:
    class Walled(Line):
        def forward(self, x: Tensor) -> Tensor:
            return torch.where(self.weight > 6, torch.nan, self.weight * x + self.bias)

    figure = drawn(Walled(), PATH)
    assert math.isfinite(figure.axes[1].get_ylim()[1])
