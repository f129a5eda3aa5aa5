"""Which observations are bounds."""

import pytest
import torch

from paramfit.data.censored_rows import censored, check_censored
from paramfit.errors import InputError
from paramfit.observations import Censored, Observations

INF = torch.inf


def test_upper_ends_are_read_of_intervals_only() -> None:
    found = censored(torch.tensor([0.0, 3.0, 2.0]), torch.tensor([7.0, 8.0, 9.0]))

    assert found is not None
    assert found.status.tolist() == [0, 3, 2]
    assert found.upper.tolist() == [INF, 8.0, INF]


@pytest.mark.parametrize(
    ("status", "upper", "words"),
    [
        ([0, 2], [INF, INF], r"one status for each observation, but there are \(2,\)"),
        ([0, 2, 2], [INF], r"one upper for each observation"),
        ([0, 2, 5], [INF, INF, INF], "row 2 has the censoring 5"),
        ([0, 3, 2], [INF, INF, INF], "row 1 is an interval from 2 to inf"),
        ([0, 3, 2], [INF, 2.0, INF], "row 1 is an interval from 2 to 2"),
    ],
    ids=["statuses", "ends", "unknown", "endless", "without room"],
)
def test_what_does_not_belong_to_the_observations_is_refused(status: list[int], upper: list[float], words: str) -> None:
    observations = Observations(
        (), torch.tensor([1.0, 2.0, 3.0]), None, Censored(torch.tensor(status), torch.tensor(upper))
    )
    with pytest.raises(InputError, match=words):
        check_censored(observations)
