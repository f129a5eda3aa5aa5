"""Which state is the best and which the last, and checkpoints that are whole or not there."""

import hashlib
import os
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger

from paramfit import InputError, ThermometerDataModule
from paramfit.callbacks import AtomicCheckpointIO, FitCheckpoint
from tests.callbacks.conftest import ScriptedTask, descent, thermometer, validation

CHECKPOINTS = Path("run") / "checkpoints"


def updates_in(name: str) -> int:
    return int(AtomicCheckpointIO().load_checkpoint(CHECKPOINTS / name)["paramfit"]["updates"])


@pytest.mark.parametrize(("losses", "best"), [
    pytest.param([5.0, 4.0, 3.0], 3, id="falls"),
    pytest.param([5.0, 3.0, 4.0], 2, id="rises-again"),
    pytest.param([5.0, 3.0, 3.0], 2, id="equal-keeps-the-earlier"),
    pytest.param([float("nan"), 5.0, 6.0], 2, id="nan-first"),
    pytest.param([5.0, float("nan"), 6.0], 1, id="nan-between"),
    pytest.param([5.0, float("-inf"), 6.0], 1, id="minus-infinity"),
])  # fmt: skip
def test_the_lowest_finite_validation_loss_is_the_best(losses, best):
    validations: list[float] = []
    saved: list[int] = []
    keeper = FitCheckpoint()
    trainer = validation(val_loss=0.0)
    trainer.log_dir, trainer.fast_dev_run, trainer.logger = "run", False, CSVLogger("run")
    trainer.save_checkpoint = lambda path: saved.append(len(validations))
    task: Any = ScriptedTask()
    keeper.on_fit_start(trainer, task)
    for loss in losses:
        validations.append(loss)
        trainer.callback_metrics = {"val/loss": torch.tensor(loss)}
        keeper.on_validation_end(trainer, task)
    assert saved[-1] == best


def test_best_and_last_are_different_states_where_the_validation_loss_rises(make_trainer):
    # On these rows the held-out loss rises from the first update to the last of the four.
    make_trainer(4, FitCheckpoint(), enable_checkpointing=True).fit(
        descent(), datamodule=thermometer(validation_fraction=0.2)
    )
    assert (updates_in("best.ckpt"), updates_in("last.ckpt")) == (1, 4)


def test_the_best_of_a_run_that_ends_in_nan_is_finite(make_trainer):
    make_trainer(40, FitCheckpoint(every_n_updates=1), enable_checkpointing=True).fit(
        descent(), datamodule=ThermometerDataModule(validation_fraction=0.2)
    )
    best, last = (
        AtomicCheckpointIO().load_checkpoint(CHECKPOINTS / name)["state_dict"] for name in ("best.ckpt", "last.ckpt")
    )
    assert all(bool(value.isfinite()) for value in best.values())
    assert all(bool(value.isnan()) for value in last.values())


CONTENT = {"paramfit": {"updates": 3}, "loops": {}, "state_dict": {"weight": torch.tensor([1.0, 2.0])}}


def test_what_is_written_is_read_back():
    path = Path("deep") / "in" / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(CONTENT, path)
    actual = AtomicCheckpointIO().load_checkpoint(path)
    assert actual["paramfit"] == {"updates": 3}
    assert torch.equal(actual["state_dict"]["weight"], torch.tensor([1.0, 2.0]))
    assert [entry.name for entry in path.parent.iterdir()] == ["last.ckpt"]


def test_a_write_that_fails_leaves_the_former_checkpoint_alone(monkeypatch):
    path = Path("last.ckpt")
    AtomicCheckpointIO().save_checkpoint(CONTENT, path)

    def full_disk(checkpoint: Any, file: Any) -> None:
        del checkpoint
        file.write(b"half a checkp")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        AtomicCheckpointIO().save_checkpoint({"paramfit": {"updates": 4}}, path)
    assert AtomicCheckpointIO().load_checkpoint(path)["paramfit"] == {"updates": 3}
    assert [entry.name for entry in Path().iterdir()] == ["last.ckpt"]


def test_the_file_is_on_the_disk_before_it_has_its_name(monkeypatch):
    calls: list[str] = []
    flush, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (calls.append("fsync"), flush(file)))
    monkeypatch.setattr(os, "replace", lambda old, new: (calls.append("replace"), rename(old, new)))
    AtomicCheckpointIO().save_checkpoint(CONTENT, "last.ckpt")
    assert calls[:2] == ["fsync", "replace"]


def test_a_missing_file_is_named():
    with pytest.raises(InputError, match=r"no file nowhere\.ckpt"):
        AtomicCheckpointIO().load_checkpoint("nowhere.ckpt")


@pytest.mark.parametrize("keep", [0, 100, -1], ids=["empty", "first-bytes", "all-but-one-byte"])
def test_a_damaged_file_is_refused(keep):
    AtomicCheckpointIO().save_checkpoint(CONTENT, "last.ckpt")
    whole = Path("last.ckpt").read_bytes()
    Path("last.ckpt").write_bytes(whole[:keep])
    with pytest.raises(InputError, match=r"last\.ckpt is damaged or no checkpoint"):
        AtomicCheckpointIO().load_checkpoint("last.ckpt")


@pytest.mark.parametrize(
    "content", [{"state_dict": {}}, [1, 2], torch.zeros(2), CONTENT], ids=["other-project", "list", "tensor", "ours"]
)
def test_what_another_program_wrote_is_refused(content):
    torch.save(content, "other.ckpt")
    with pytest.raises(InputError, match=r"other\.ckpt is damaged or no checkpoint of this version .* plugins="):
        AtomicCheckpointIO().load_checkpoint("other.ckpt")


@pytest.mark.parametrize("content", [{"state_dict": {}}, {}])
def test_another_project_with_the_same_plugin_is_refused(content):
    AtomicCheckpointIO().save_checkpoint(content, "other.ckpt")
    with pytest.raises(InputError, match=r"other\.ckpt was not made by paramfit"):
        AtomicCheckpointIO().load_checkpoint("other.ckpt")


def test_a_file_that_would_run_code_is_refused_and_does_not():
    class Harm:
        def __reduce__(self) -> Any:
            return (os.mkdir, ("harmed",))

    torch.save({"paramfit": Harm()}, "harm.ckpt")
    with pytest.raises(InputError, match="damaged or no checkpoint"):
        AtomicCheckpointIO().load_checkpoint("harm.ckpt")
    assert not Path("harmed").exists()


@pytest.mark.parametrize("entry", [torch.eye(3).to_sparse(), torch.ones(3, dtype=torch.complex64).conj()])
def test_an_unusual_tensor_of_the_users_own_is_kept(entry):
    AtomicCheckpointIO().save_checkpoint({**CONTENT, "own": entry}, "last.ckpt")
    assert torch.equal(AtomicCheckpointIO().load_checkpoint("last.ckpt")["own"].to_dense(), entry.to_dense())


def test_any_flipped_bit_is_noticed_before_anything_is_unpacked(monkeypatch):
    AtomicCheckpointIO().save_checkpoint(CONTENT, "last.ckpt")
    whole = Path("last.ckpt").read_bytes()
    monkeypatch.setattr(torch, "load", lambda *given, **options: pytest.fail(f"unpacked {given} {options}"))
    size = 8 * len(whole)
    for place in (
        *range(0, size, 97),
        *range(size - 8 * 66, size, 5),
    ):  # in each byte of the checksum and of its length, too
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        Path("damaged.ckpt").write_bytes(damaged)
        with pytest.raises(InputError, match=r"damaged\.ckpt is damaged or no checkpoint"):
            AtomicCheckpointIO().load_checkpoint("damaged.ckpt")


def test_torch_alone_can_read_a_checkpoint():
    AtomicCheckpointIO().save_checkpoint(CONTENT, "last.ckpt")
    assert torch.load("last.ckpt", weights_only=True)["paramfit"] == CONTENT["paramfit"]
    with zipfile.ZipFile("last.ckpt") as archive:
        assert archive.testzip() is None
        assert archive.comment.decode() == hashlib.sha256(Path("last.ckpt").read_bytes()[:-64]).hexdigest()


@pytest.mark.parametrize("members", [
    {"data.pkl": b"\x80\x02}q\x00.", "data/0": bytes(2**24)},
    {"data.pkl": b"\x80\x02c__builtin__\nbytearray\n\x8a\x05" + (3 * 10**9).to_bytes(5, "little") + b"\x85R."},
], ids=["zeros", "a-pickle-that-asks-for-3-GB"])  # fmt: skip
def test_an_archive_that_unpacks_to_more_than_it_holds_is_not_unpacked(members):
    with zipfile.ZipFile("bomb.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"archive/{name}", content)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"bomb\.ckpt is damaged or no checkpoint"):
        AtomicCheckpointIO().load_checkpoint("bomb.ckpt")
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()
