"""TensorBoard's event file, written without a thread of its own."""

import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard.writer import FileWriter, SummaryWriter

__all__ = ["EventFile", "EventSummaries"]


class EventFile:
    """In the place of TensorBoard's ``EventFileWriter``, whose thread prints a traceback where the disk is full.

    What cannot be written is raised by ``flush``, and nowhere before.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._unwritten: OSError | None = None
        name = f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}.{os.getpid()}"
        try:
            self._file = (folder / name).open("wb")
        except OSError as unwritten:
            self._unwritten = unwritten
        else:
            self._records = RecordWriter(self._file)
            self.add_event(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def get_logdir(self) -> str:
        """The run directory."""
        return str(self.folder)

    def add_event(self, event: Any) -> None:
        """Write one event, unless one before it is missing: what follows could not be read."""
        if self._unwritten is None:
            try:
                self._records.write(event.SerializeToString())
            except OSError as unwritten:
                self._give_up(unwritten)

    def flush(self) -> None:
        """Write what is in memory.

        Raises:
            OSError: what could not be written, here or before.
        """
        if self._unwritten is None and not self._file.closed:
            try:
                self._file.flush()
            except OSError as unwritten:
                self._give_up(unwritten)
        if self._unwritten is not None:
            raise self._unwritten

    def close(self) -> None:
        """Close the file, which was flushed."""
        if self._unwritten is None:
            self._file.close()

    def _give_up(self, unwritten: OSError) -> None:
        self._unwritten = unwritten
        with suppress(OSError):  # which would be the same
            self._file.close()


class _FileWriter(FileWriter):
    def __init__(self, folder: str) -> None:
        self.event_writer = EventFile(Path(folder))


class EventSummaries(SummaryWriter):
    """Torch's writer of curves and images, on an ``EventFile``."""

    def _get_file_writer(self) -> Any:
        if self.file_writer is None:
            own: Any = _FileWriter(self.log_dir)
            writers: Any = {self.log_dir: own}
            self.file_writer, self.all_writers = own, writers
        return self.file_writer
