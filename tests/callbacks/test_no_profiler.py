"""Not profiling."""

import pytest

from paramfit.callbacks import NoProfiler


def test_it_opens_nothing_and_hides_no_error() -> None:
    profiler = NoProfiler()
    assert profiler.profile("one") is profiler.profile("another")
    with pytest.raises(ZeroDivisionError), profiler.profile("an action"):
        _ = 1 / 0
    assert profiler.summary() == ""
