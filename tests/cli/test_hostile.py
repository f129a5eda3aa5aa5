"""What no user means but some files and command lines hold: one error line, in bounded time, and never a traceback."""

import contextlib
import copy
import io
import os
import random
import re
import tracemalloc
import zipfile
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from paramfit import EstimationDataModule, InputError, MaximumLikelihood, Observations, ThermometerRegression
from paramfit.callbacks import AtomicCheckpointIO
from paramfit.cli import main
from paramfit.cli.config_file import check_sizes
from paramfit.data.files.patterns import table_files
from tests.command_line import one_error_line, part, run_of
from tests.texts import HOSTILE

EXPLODING = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [*{before}, *{before}, *{before}, *{before}, *{before}, *{before}, *{before}, *{before}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(("content", "words"), [
    ("[" * 5000 + "]" * 5000, "nested more than 100 deep"),
    ("a:\n" + "".join(f"{' ' * depth}b:\n" for depth in range(1, 1200)), "nested more than 100 deep"),
    (EXPLODING, "aliases in c.yaml stand for more than 10000 values"),
    ("# " + "x" * 2**21, "larger than 1048576 bytes"),
], ids=["brackets", "blocks", "aliases", "size"])  # fmt: skip
def test_a_configuration_that_would_keep_the_parser_busy_is_refused_before(content, words):
    Path("c.yaml").write_text(content)
    tracemalloc.start()
    with pytest.raises(InputError, match=words):
        check_sizes(["fit", "--config", "c.yaml"])
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


@pytest.mark.parametrize("option", ["--model=", "--model.model.parameters="])
def test_a_value_on_the_command_line_is_held_to_the_same(option):
    for value in ("[" * 5000, "{a: " * 200 + "1" + "}" * 200):
        with pytest.raises(InputError, match=f"{option.strip('-=')}: the value is nested"):
            check_sizes(["fit", option + value])


def test_pipes_and_memory_are_no_configurations():
    os.mkfifo("pipe")
    for arguments, words in (
        (["--config", "pipe"], "config: pipe is a named pipe"),
        (["--config=/proc/self/mem"], "config: /proc/self/mem cannot be read"),
        (["--data", "pipe"], "data: pipe is a named pipe"),
        (["--config", "a\0b"], r"config: 'a\\x00b' is no name of a file"),
    ):
        with pytest.raises(InputError, match=words):
            check_sizes(["fit", *arguments])


def test_links_that_lead_round_are_looked_into_once():
    Path("data/deep").mkdir(parents=True)
    for name in ("x.csv", "deep/y.csv"):
        Path("data", name).write_text("x\n1\n")
    for name in ("loop", "round", "deep/back"):
        Path("data", name).symlink_to(Path("data").absolute(), target_is_directory=True)
    Path("data/itself.csv").symlink_to("itself.csv")
    assert table_files("data/**/*.csv") == ["data/deep/y.csv", "data/x.csv"]
    assert table_files("**/y.csv") == ["data/deep/y.csv"]
    assert table_files(str(Path("data/**/*.csv").absolute())) == [
        str(Path(name).absolute()) for name in ("data/deep/y.csv", "data/x.csv")
    ]
    with pytest.raises(InputError, match=r"there is no file data/z\.csv; did you mean 'x\.csv' or 'y\.csv'|'x\.csv'"):
        table_files("data/z.csv")


class GivesSomethingElse(EstimationDataModule):
    """Whose ``read()`` gives what it was told to."""

    given: Any = None

    def read(self) -> Observations:
        return self.given


@pytest.mark.parametrize("given", [
    None, 3, {"x": [1.0]}, ([1.0], [2.0]), (torch.ones(3), torch.ones(3)), Observations([torch.ones(3)], torch.ones(3)),
    Observations((torch.ones(3),), [1.0, 2.0]), Observations((torch.ones(3, dtype=torch.int64),), torch.ones(3)),
    Observations((), torch.ones(3), 1.0), Observations((), torch.ones(3), None, (torch.ones(3), torch.ones(3))),
], ids=range(10))  # fmt: skip
def test_what_an_own_module_reads_is_said_where_it_is_something_else(given):
    data = GivesSomethingElse()
    data.given = given
    with pytest.raises(InputError, match=r"data: .*read\(\) g"):
        data.setup("fit")


class Fewer(ThermometerRegression):
    """Without the arguments of its base."""

    def __init__(self) -> None:
        super().__init__(weight=2.0, optimizer=torch.optim.Adam)


class FewerLikelihood(MaximumLikelihood):
    """Without them, too."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__(model, dtype="float64")


def test_a_task_with_fewer_arguments_than_its_base_can_be_made():
    from paramfit import GaussianModel

    assert Fewer().hparams["weight"] == 2.0
    assert FewerLikelihood(GaussianModel()).hparams["dtype"] == "float64"


def fitted() -> dict[str, list[str]]:
    """A fit of each kind with its command line, the second with a likelihood, the third of a lesson; none draws."""
    rows = "".join(f"{k},{1 + 2 * k + 0.1 * (k % 3)},{0.1 + k % 2},a\n" for k in range(12))
    Path("t.csv").write_text(f"x,y,s,word\n{rows}")
    table = part("TableDataModule", path="t.csv", inputs=["x"], target="y")
    formula = part("FormulaModel", formula="a + b * x", variables=["x"], parameters={"a": 1, "b": {"start": 1}})
    normal = part(
        "DistributionModel",
        distribution="torch.distributions.Normal",
        parameters={"loc": "a + b * x", "scale": 1.0},
        coefficients={"a": 0, "b": 0},
    )
    tasks = {"squares": ("LeastSquares", formula, table), "likelihood": ("MaximumLikelihood", normal, table)}
    lines = {}
    for name, (task, model, data) in tasks.items():
        config = {"model": part(task, model=model), "data": data, "trainer": {"max_epochs": 30}}
        Path(f"{name}.yaml").write_text(yaml.safe_dump(config | {"plots": {"enabled": False}}))
        lines[name] = ["--config", f"{name}.yaml"]
        assert ended(["fit", *lines[name]]).code == 0
    return lines


class Ended:
    """A command line that has run: exit code, and what it printed."""

    def __init__(self, code: Any, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def is_clean(self) -> bool:
        """Whether it ended as the help says: a known code, one line where the input was wrong, no control letters."""
        lines = [line for line in self.err.splitlines() if line.strip()]
        if re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", self.out + self.err) or self.code not in (0, 2, 3, 130, 143):
            return False
        return self.code != 2 or (len(lines) == 1 and lines[0].startswith("error: ") and len(lines[0]) < 1100)

    def __repr__(self) -> str:
        """What failed."""
        return f"{self.code}: {self.err[-2000:]}"


def ended(arguments: list[str]) -> Ended:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    return Ended(code, out.getvalue(), err.getvalue())


VALUES = [
    *HOSTILE, "", "x", "0", "1", "-1", "3", "1e400", "nan", "-inf", "null", "true", "[]", "{}", "[1, 2]", "{a: 1}",
    "'", '"', "9" * 5000, "-" + "9" * 400, "a" * 300, "a" * 5000, "/dev/null", "/proc/self/mem", "/dev/zero", ".",
    "..", "~nobody/x", "t.csv", "nope.csv", "*.csv", "**/*", "../../x", "SGD", "torch.optim.SGD", "os.system",
    "LeastSquares", "FormulaModel", "lightning.pytorch.callbacks.Timer", "!!python/object/apply:os.system [ls]",
    "&a [*a]", "{{{{", "- - -", "1_000", "0x10", "2**63", "-9223372036854775809", "=1", "--", "{class_path: 3}",
    "{class_path: torch.optim.SGD, init_args: {lr: -1}}", "{init_args: {}}", "[{}]", "[null]", "y", "s", "word",
    "[x, x]", "[x, y]", "[nope]", "[" * 5000, "relative", "best", "last",
]  # fmt: skip
OPTIONS = [
    "seed_everything", "name", "ckpt_path", "config", "model", "model.model", "model.optimizer", "model.objective",
    "model.updates_per_step", "model.scheduler", "model.model.formula", "model.model.variables",
    "model.model.parameters", "model.model.parameters.a", "model.model.parameters.a.start",
    "model.model.parameters.a.lower", "model.model.parameters.a.unit", "model.model.parameters.a.fixed",
    "model.model.distribution", "model.model.coefficients", "data", "data.path", "data.inputs", "data.target",
    "data.sigma", "data.sigma_is", "data.censoring", "data.missing", "data.validation_fraction",
    "data.validation_rows", "data.normalization", "data.batch_size", "data.seed", "data.dtype",
    "trainer.max_epochs", "trainer.max_steps", "trainer.logger", "trainer.callbacks", "trainer.profiler",
    "trainer.devices", "trainer.accelerator", "trainer.precision", "trainer.default_root_dir",
    "trainer.limit_train_batches", "trainer.plugins", "trainer.strategy", "trainer.max_time",
    "trainer.val_check_interval", "history.every", "checkpoint.every_n_updates", "early_stopping.patience",
    "divergence.growth_factor", "epoch_table.form", "ladder.enabled", "ladder.bootstrap", "plots.enabled",
    "report.enabled", "doctor.enabled", "predictions.at", "predictions.format", "nonsense", "model.nonsense",
]  # fmt: skip
ENDLESS = {("trainer.max_epochs", "-1"), ("trainer.max_steps", "-1"), ("ladder.bootstrap", "9" * 5000)}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [12, 13])
@pytest.mark.filterwarnings("ignore")  # what Lightning warns of is not judged here
def test_any_command_line_ends_as_the_help_says(seed):
    draw = random.Random(seed)
    lines, failed = fitted(), {}
    for _ in range(150):
        command = draw.choice(["fit", "fit", "validate", "test", "predict"])
        arguments = [command, *lines[draw.choice(list(lines))]]
        arguments += [] if command == "fit" or draw.random() < 0.1 else ["--ckpt_path", "last"]
        for _ in range(draw.choice([1, 1, 2])):
            option, value = draw.choice(OPTIONS), draw.choice(VALUES)
            if (option, value) not in ENDLESS:
                arguments += [f"--{option}={value}"] if draw.random() < 0.7 else [f"--{option}", value]
        end = ended(arguments)
        if not end.is_clean:
            failed[" ".join(arguments)[:300]] = end
    assert not failed


@pytest.mark.filterwarnings("ignore")
def test_any_name_of_a_run_ends_as_the_help_says():
    lines, failed = fitted(), {}
    for run in [*VALUES, *(str(run_of(name)) for name in lines)]:
        for command in (["report"], ["compare", str(run_of("squares"))]):
            end = ended([*command, run])
            if not end.is_clean:
                failed[f"{command} {run[:100]}"] = end
    assert not failed


def altered(entries: Any, place: tuple[Any, ...], value: Any) -> None:
    """Change one entry of nested mappings and lists; None in the place of a value takes it away."""
    for key in place[:-1]:
        entries = entries[key]
    if value is None:
        del entries[place[-1]]
    else:
        entries[place[-1]] = value


def places(entries: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = entries.items() if isinstance(entries, dict) else enumerate(entries if isinstance(entries, list) else ())
    return [place for key, value in inner for place in ((*before, key), *places(value, (*before, key)))]


def _are_equal(one: Any, other: Any) -> bool:
    return not isinstance(one, torch.Tensor) and not isinstance(other, torch.Tensor) and one == other


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_with_any_entry_altered_is_refused_or_means_the_same():
    line = fitted()["squares"]
    path = run_of("squares") / "checkpoints" / "last.ckpt"
    written = torch.load(path, weights_only=True)
    every = places(written)
    assert len(every) > 60
    for place, value in product(every, [None, "other", {}, [], -1, torch.zeros(2)]):
        entries = copy.deepcopy(written)
        before = entries
        for key in place:
            before = before[key]
        if _are_equal(before, value):
            continue
        altered(entries, place, value)
        torch.save(entries, "altered.ckpt")
        with pytest.raises(InputError, match=r"altered\.ckpt is damaged or no checkpoint"):
            pytest.fail(f"{place}: {AtomicCheckpointIO().load_checkpoint('altered.ckpt')}")
    for command in ("fit", "validate", "test", "predict"):
        end = ended([command, *line, "--ckpt_path", "altered.ckpt", "--trainer.max_epochs", "31"])
        assert (end.code, end.is_clean) == (2, True), end


def test_a_checkpoint_of_nothing_but_zeros_is_refused_unread(capsys):
    with zipfile.ZipFile("bomb.ckpt", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("archive/data/0", "w") as member:
            for _ in range(64):
                member.write(bytes(2**20))
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
    assert Path("bomb.ckpt").stat().st_size < 2**20
    tracemalloc.start()
    arguments = ["validate", "--model", "ThermometerRegression", "--data", "ThermometerDataModule"]
    assert main([*arguments, "--ckpt_path", "bomb.ckpt"]) == 2
    assert tracemalloc.get_traced_memory()[1] < 2**25
    tracemalloc.stop()
    assert "bomb.ckpt is damaged or no checkpoint" in one_error_line(capsys)
