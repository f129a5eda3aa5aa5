"""Records to show, to write and to read."""

from paramfit.facts import Fact, FactKind, Status
from paramfit.results.record import Estimate, NamedMatrix, NormalizedInput, Record
from paramfit.results.statistics import LeastSquaresStatistics, LikelihoodStatistics
from paramfit.results.verdict import Verdict

SOLVED = {"updates_to_converge": (Fact(FactKind.SOLVED_NOT_DESCENDED, numbers={"what": "least squares"}),)}

LESSON = Record(
    task="ThermometerRegression",
    status=Status.LIMIT_REACHED,
    stop_reason=Fact(FactKind.ALL_UPDATES_MADE, numbers={"distance": None}),
    updates=5000,
    loss={"train": 2.92764, "val": None},
    n_observations={"train": 11, "val": 0},
    parameters={
        "weight": Estimate(5.3671, 0.355386, (4.5631, 6.1710), -2.5e-4, 5.36772, None),
        "bias": Estimate(-17.3012, 1.92723, (-21.661, -12.941), 1.4e-3, -17.3048, None),
    },
    normalized_input=NormalizedInput(0.0, 0.1),
    original_units={
        "weight": Estimate(0.53671, 0.0355386, (0.45631, 0.61710), None, 0.536772, 0.55556),
        "bias": Estimate(-17.3012, 1.92723, (-21.661, -12.941), None, -17.3048, -17.7778),
    },
    distance_to_optimum_in_standard_errors=0.0021,
    verdict=Verdict.NEITHER,
    verdict_updates=(3750, 5000),
    method=Fact(FactKind.STUDENT_T, numbers={"freedom": 9}),
)

CURVE = Record(
    task="LeastSquares",
    status=Status.CONVERGED,
    stop_reason="the relative offset is 1e-12.",
    updates=6,
    loss={"train": 0.0088965, "val": None},
    n_observations={"train": 14, "val": 0},
    parameters={
        "b1": Estimate(238.94212918, 2.7070075241, (233.044, 244.840), unit="kPa"),
        "b2": Estimate(5.5015643181e-4, 7.2668688436e-6, (5.3432e-4, 5.6599e-4)),
    },
    reasons=SOLVED,
    method=Fact(FactKind.STUDENT_T, numbers={"freedom": 12}),
    correlation=NamedMatrix(("b1", "b2"), ((1.0, -0.9987), (-0.9987, 1.0))),
    least_squares=LeastSquaresStatistics(12, 0.12455, 0.10187876, None, None, 0.99998765, 13.1, -20.2, -17.8, -18.3),
)

SAMPLE = Record(
    task="GaussianLocation",
    status=Status.LIMIT_REACHED,
    stop_reason="all 5 updates were made",
    updates=5,
    loss={"train": 1.4, "val": None},
    n_observations={"train": 10000, "val": 0},
    parameters={"location": Estimate(-0.0199, 0.01, (-0.0395, -0.0003), 0.46, -0.01994, 0.0, unit="mm")},
    distance_to_optimum_in_standard_errors=0.0021,
    method=Fact(FactKind.OBSERVED_INFORMATION),
    likelihood=LikelihoodStatistics(-14262.1, 1, 28526.2, 28526.3, 28533.4),
    cautions=("be careful",),
)
