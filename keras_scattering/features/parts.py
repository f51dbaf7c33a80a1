"""One block of items as one Parquet file of features."""

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from keras_scattering.features.ids import refuse_twice
from keras_scattering.features.items import Reader
from keras_scattering.features.models import Loaded, columns, load


class Job(NamedTuple):
    """All that a process needs to know in order to extract features."""

    model: Any
    reader: Reader
    schema: pa.Schema
    folder: Path
    scratch: Path  # in the folder, for what is not whole yet; gone when the run ends
    batch_size: int


class Extractor:
    """Has a model loaded, and writes the features of one block after the other.

    A block that is computed a second time, because the process that had it died, replaces the file
    of the first time: its name follows from the ids in it.
    """

    def __init__(self, job: Job, loaded: Loaded | None = None):
        self.job = job
        self.loaded = loaded or load(job.model)

    def write(
        self, items: Iterable[tuple[str, Any]], progress: Callable[[int], Any] = lambda n: None
    ) -> tuple[int, dict[str, str]]:
        """How many of the items are written; and the bad ones, with what is wrong with them."""
        items, size = list(items), self.job.batch_size
        bad, done = {}, 0
        refuse_twice([name for name, _ in items])
        digest = hashlib.sha256(json.dumps([name for name, _ in items]).encode()).hexdigest()
        with self._part(f"part-{digest[:32]}.parquet") as write:
            for start in range(0, len(items), size):
                ids, values = zip(*items[start : start + size], strict=True)
                arrays, wrong = self.job.reader.read_all(list(ids), list(values))
                bad |= wrong
                if arrays:
                    table, wrong = self._table(arrays)
                    bad |= wrong
                    done += table.num_rows
                    if table.num_rows:
                        write(table)
                progress(len(ids))
        return done, bad

    def _table(self, arrays: dict[str, np.ndarray]) -> tuple[pa.Table, dict[str, str]]:
        """A row for each array; and of which there is none, since the model has no answer."""
        tensors = columns(self.loaded.run(np.stack(list(arrays.values()))))
        rows = [np.isfinite(y).all(tuple(range(1, y.ndim))) for y in tensors.values()]
        finite, ids = np.all(rows, 0), np.array(list(arrays), object)
        data: list[Any] = [pa.array(ids[finite], pa.string())]
        for name, y in tensors.items():
            numbers = pa.array(y[finite].reshape(-1))
            kind = self.job.schema.field(name).type
            lists = pa.FixedSizeListArray.from_arrays(numbers, kind.storage_type.list_size)
            data.append(pa.ExtensionArray.from_storage(kind, lists))
        wrong = dict.fromkeys(ids[~finite], "the model's answer holds NaN or infinity")
        return pa.table(data, schema=self.job.schema), wrong

    @contextlib.contextmanager
    def _part(self, name: str) -> Iterator[Callable[[pa.Table], None]]:
        """A Parquet file that is there whole or not at all; none if nothing is written to it."""
        temporary = self.job.scratch / f"{name}.{uuid.uuid4().hex}"
        writers = []

        def write(table: pa.Table) -> None:
            if not writers:
                schema = self.job.schema
                writers.append(pq.ParquetWriter(temporary, schema, write_page_checksum=True))
            writers[0].write_table(table)

        try:
            yield write
            for writer in writers:
                writer.close()
                _put(temporary, self.job.folder / name)
        finally:
            for writer in writers:
                writer.close()
            temporary.unlink(missing_ok=True)


def _put(source: Path, target: Path) -> None:
    """Rename a file, so that it is there, and whole, after a loss of power too."""
    with open(source, "r+b") as file:
        os.fsync(file.fileno())
    os.replace(source, target)
    if os.name == "nt":
        return  # Windows opens no folders
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
