"""Files that are whole or not there."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from paramfit.atomic_files import new_file, remove_unfinished, whole_file

WHOLE = b"whole" * 10_000


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def write(path: str) -> None:
    with whole_file(Path(path)) as file:
        file.write(WHOLE)


def write_to_a_full_disk(path: str) -> None:
    with whole_file(Path(path)) as file:
        file.write(b"half")
        raise OSError("No space left on device")


def leave_unfinished(path: Path) -> None:
    """What a process leaves that is killed with half a file written: its lock ends with it."""
    path.parent.mkdir(exist_ok=True)
    path.with_name(f"{path.name}.part").write_bytes(b"half")


def test_failed_write_leaves_the_former_file_and_nothing_beside_it():
    write("a.json")
    with pytest.raises(OSError, match="No space"):
        write_to_a_full_disk("a.json")
    assert (names(), Path("a.json").read_bytes()) == (["a.json"], WHOLE)


def test_what_a_killed_process_left_is_written_over():
    leave_unfinished(Path("a.json"))
    write("a.json")
    assert (names(), Path("a.json").read_bytes()) == (["a.json"], WHOLE)


def test_leftovers_of_the_killed_are_removed_and_nothing_else():
    kept = Path("notes.part")
    kept.write_text("of the user")
    for name in ("checkpoints/last.ckpt", "figures/fit.png", "predictions_3.csv", "config.yaml"):
        leave_unfinished(Path(name))
    with whole_file(Path("estimates.json")) as file:  # which is being written
        file.write(WHOLE)
        remove_unfinished(Path())
    assert sorted(str(path) for path in Path().rglob("*") if path.is_file()) == ["estimates.json", "notes.part"]


@pytest.mark.parametrize("workers", [2, 8])
def test_new_files_written_at_once_are_all_whole(workers):
    start = Barrier(workers)

    def write_new(number: int) -> Path:
        start.wait()
        with new_file(Path("table.csv")) as (file, path):
            file.write(WHOLE + bytes([number]))
        return path

    with ThreadPoolExecutor(workers) as pool:
        paths = list(pool.map(write_new, range(workers)))
    assert len(set(paths)) == workers
    assert [path.read_bytes() for path in paths] == [WHOLE + bytes([number]) for number in range(workers)]
    assert len(names()) == workers


def test_one_target_written_at_once_is_whole():
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, ["a.json"] * 40))
    assert (names(), Path("a.json").read_bytes()) == (["a.json"], WHOLE)
