"""Checkpoints are whole or not there."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from paramfit.callbacks import AtomicCheckpointIO
from paramfit.errors import InputError

CONTENT = {"paramfit": {"updates": 3}, "loops": {}, "state_dict": {"weight": torch.tensor([1.0, 2.0])}}


def test_what_is_written_is_read_back() -> None:
    path = Path("deep") / "in" / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(CONTENT, path)

    found = AtomicCheckpointIO().load_checkpoint(path)

    assert found["paramfit"] == {"updates": 3}
    assert torch.equal(found["state_dict"]["weight"], torch.tensor([1.0, 2.0]))
    assert [entry.name for entry in path.parent.iterdir()] == ["last.ckpt"]


def test_a_write_that_fails_leaves_the_former_checkpoint_alone(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_the_file_is_on_the_disk_before_it_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    flush, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (calls.append("fsync"), flush(file)))
    monkeypatch.setattr(os, "replace", lambda old, new: (calls.append("replace"), rename(old, new)))

    AtomicCheckpointIO().save_checkpoint(CONTENT, "last.ckpt")

    assert calls[:2] == ["fsync", "replace"]


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError, match=r"no file nowhere\.ckpt"):
        AtomicCheckpointIO().load_checkpoint("nowhere.ckpt")


@pytest.mark.parametrize("keep", [0, 100, -1], ids=["empty", "first-bytes", "all-but-one-byte"])
def test_a_damaged_file_is_refused(keep: int) -> None:
    AtomicCheckpointIO().save_checkpoint(CONTENT, "last.ckpt")
    whole = Path("last.ckpt").read_bytes()
    Path("last.ckpt").write_bytes(whole[:keep])

    with pytest.raises(InputError, match=r"last\.ckpt is damaged or no checkpoint"):
        AtomicCheckpointIO().load_checkpoint("last.ckpt")


@pytest.mark.parametrize(
    "content", [{"state_dict": {}}, [1, 2], torch.zeros(2)], ids=["other-project", "list", "tensor"]
)
def test_a_foreign_file_is_refused(content: Any) -> None:
    torch.save(content, "other.ckpt")

    with pytest.raises(InputError, match=r"other\.ckpt was not made by paramfit"):
        AtomicCheckpointIO().load_checkpoint("other.ckpt")


def test_a_file_that_would_run_code_is_refused_and_does_not() -> None:
    class Harm:
        def __reduce__(self) -> Any:
            return (os.mkdir, ("harmed",))

    torch.save({"paramfit": Harm()}, "harm.ckpt")

    with pytest.raises(InputError, match="damaged or no checkpoint"):
        AtomicCheckpointIO().load_checkpoint("harm.ckpt")
    assert not Path("harmed").exists()
