"""Parts: the features of some items, as one Parquet file each."""

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
from keras_scattering.features.models import Loaded, load, output_columns


class Job(NamedTuple):
    """Everything that a process needs to extract features."""

    model: Any
    reader: Reader
    schema: pa.Schema
    folder: Path
    scratch: Path  # folder inside `folder` for unfinished files; the run removes it at its end
    batch_size: int


class Extractor:
    """Loads a model, and writes parts of features.

    The name of a part follows from its ids. If a process dies and another computes its part again,
    the new file replaces the old one.
    """

    def __init__(self, job: Job, loaded: Loaded | None = None):
        self.job = job
        self.loaded = loaded or load(job.model)

    def write(
        self, items: Iterable[tuple[str, Any]], progress: Callable[[int], Any] = lambda n: None
    ) -> tuple[int, dict[str, str]]:
        """Write the features of items as one part: the number written, and reasons by bad id."""
        items, step = list(items), self.job.batch_size
        bad, done = {}, 0
        refuse_twice([name for name, _ in items])
        digest = hashlib.sha256(json.dumps([name for name, _ in items]).encode()).hexdigest()
        with self._part(f"part-{digest[:32]}.parquet") as write:
            for start in range(0, len(items), step):
                ids, values = zip(*items[start : start + step], strict=True)
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
        """One row per array, and reasons by id for arrays whose output is not finite."""
        tensors = output_columns(self.loaded.apply(np.stack(list(arrays.values()))))
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
        """A Parquet file that appears whole or not at all; without rows there is no file."""
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
    """Rename a file, and make it survive a loss of power, whole."""
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
