"""Names of columns that came without."""

import pytest

from paramfit.data.columns import Columns
from paramfit.data.thermometer import ThermometerDataModule


@pytest.mark.parametrize(
    ("n_inputs", "names"),
    [(0, ()), (1, ("input",)), (3, ("input_0", "input_1", "input_2"))],
    ids=["sample", "one input", "several inputs"],
)
def test_inputs_without_names_are_numbered_where_there_are_several(n_inputs: int, names: tuple[str, ...]) -> None:
    assert Columns.unnamed(n_inputs) == (names, "target", None)


def test_a_data_module_has_names_for_its_columns() -> None:
    data = ThermometerDataModule()
    data.setup()

    assert data.columns == (("input",), "target", None)
    assert data.absolute_sigma
