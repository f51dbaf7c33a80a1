"""Features of a block of items, computed and written as one Parquet file."""

import contextlib
import hashlib
import json
import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import tensorflow as tf

from keras_scattering._items import Reader
from keras_scattering.layers.base import ScatteringLayer

KEY = b"keras_scattering"  # of what the package has to say in a file's schema


# Of the noises that a model is known by its answers to: some are out of where a sigmoid saturates.
_LEVELS = (0.01, 1.0, 100.0)


class Loaded(NamedTuple):
    """A model that is ready to run."""

    run: Callable[[Any], Any]  # of a batch
    shape: tuple[int, ...]  # of one item
    dtype: str
    meta: dict[str, np.ndarray]  # of the scattering layer, if it has just one


def load(model: Any, sampling_rate: float | None = None) -> Loaded:
    """A layer, a model, or one of these saved; as a function of batches."""
    if isinstance(model, (str, os.PathLike)):
        if os.path.isdir(model):
            return _load_exported(model)
        model = keras.saving.load_model(model)
    if isinstance(model, ScatteringLayer):
        layers, run = [model], model
        shape, dtype = model._built("extract()").shape, model._precision
    elif isinstance(model, keras.Model) and model.built and len(model.inputs or ()) == 1:
        layers = [x for x in model._flatten_layers() if isinstance(x, ScatteringLayer)]
        shape, dtype = model.inputs[0].shape, model.inputs[0].dtype

        def run(x: Any) -> Any:
            return model(x, training=False)
    else:
        raise ValueError(
            "Argument `model` must be a built scattering layer, a model with one input, or the "
            f"path of a .keras file or of a SavedModel. Received: model={model!r}"
        )
    meta = {}
    if len(layers) == 1:
        rate = sampling_rate if layers[0].axes == "time" else None
        meta = layers[0].meta(rate)
    graph = tf.function(run, input_signature=[tf.TensorSpec(shape, dtype)], autograph=False)
    return Loaded(graph, *_item(shape, dtype), meta)


def _load_exported(folder: str | os.PathLike) -> Loaded:
    exported = tf.saved_model.load(os.fspath(folder))
    serve = exported.signatures["serving_default"]
    inputs = serve.structured_input_signature[1]
    if len(inputs) != 1:
        raise ValueError(
            f"Argument `model` must have one input. Received: inputs {sorted(inputs)} of {folder}"
        )
    ((name, spec),) = inputs.items()

    def run(x: Any, _: Any = exported) -> Any:  # which lives as long as its signature is used
        return serve(**{name: tf.convert_to_tensor(x)})

    return Loaded(run, *_item(tuple(spec.shape), spec.dtype.name), {})


def _item(shape: tuple[int | None, ...], dtype: str) -> tuple[tuple[int, ...], str]:
    """Shape and type of one item of a batch, refused where they are not known."""
    if None in shape[1:] or not shape or shape[0] is not None or dtype == "string":
        raise ValueError(
            "Argument `model` must take batches of any length, of numbers, of one known size. "
            f"Received: shape {shape}, {dtype}"
        )
    return tuple(n for n in shape[1:] if n is not None), dtype


def columns(outputs: Any) -> dict[str, np.ndarray]:
    """Outputs of a model by the names of the columns that they go to."""
    if isinstance(outputs, dict):
        named = [(name, outputs[name]) for name in sorted(outputs)]
    else:
        flat = keras.tree.flatten(outputs)
        named = [(f"coefficients_{i}", y) for i, y in enumerate(flat)]
    if len(named) == 1:
        named = [("coefficients", named[0][1])]
    halves = (tf.float16, tf.bfloat16)  # Parquet's readers know little of them
    return {
        name: (tf.cast(y, tf.float32) if y.dtype in halves else tf.convert_to_tensor(y)).numpy()
        for name, y in named
    }


def schema(loaded: Loaded, meta: dict[str, Any] | None) -> pa.Schema:
    """Of the files: their columns, the paths' metadata, and the model's answers to fixed noises."""
    rng, size = np.random.default_rng(0), (len(_LEVELS), *loaded.shape)
    if np.issubdtype(tf.as_dtype(loaded.dtype).as_numpy_dtype, np.integer):
        noise = rng.integers(0, 100, size)
    else:
        noise = rng.standard_normal(size) * np.reshape(_LEVELS, (-1, *[1] * len(loaded.shape)))
    answers = columns(loaded.run(noise.astype(loaded.dtype)))
    if "id" in answers:
        raise ValueError(
            "Argument `model` must not have an output named 'id', which is the column of ids. "
            f"Received: outputs {sorted(answers)}"
        )
    fields = [
        (name, pa.fixed_shape_tensor(pa.from_numpy_dtype(y.dtype), y.shape[1:]))
        for name, y in answers.items()
    ]
    flat = [y.astype("float64").reshape(len(y), -1) for y in answers.values()]
    flat = np.nan_to_num(np.concatenate(flat, 1))
    table = loaded.meta if meta is None else meta
    said = {
        "answer": [[np.linalg.norm(y), y @ np.cos(np.arange(y.size))] for y in flat],
        "meta": {n: _plain(np.asarray(c)) for n, c in table.items()},
    }
    return pa.schema([("id", pa.string()), *fields], {KEY: json.dumps(said, allow_nan=False)})


def _plain(column: np.ndarray) -> tuple[str, list[Any]]:
    """Type and values for JSON, which knows no NaN."""
    values = column.astype(object)
    values[column != column] = None
    return column.dtype.str, values.tolist()


class Job(NamedTuple):
    """All that a process needs to know in order to extract features."""

    model: Any
    reader: Reader
    schema: pa.Schema
    folder: Path
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
        _refuse_twice([name for name, _ in items])
        digest = hashlib.sha256(json.dumps([name for name, _ in items]).encode()).hexdigest()
        with self._part(f"part-{digest[:32]}.parquet") as write:
            for start in range(0, len(items), size):
                ids, values = zip(*items[start : start + size], strict=True)
                good, wrong = self.job.reader.read_all(list(ids), list(values))
                bad |= wrong
                if good:
                    write(self._table(good))
                done += len(good)
                progress(len(ids))
        return done, bad

    def _table(self, arrays: dict[str, np.ndarray]) -> pa.Table:
        tensors = columns(self.loaded.run(np.stack(list(arrays.values()))))
        data: list[Any] = [pa.array(list(arrays), pa.string())]
        for name, y in tensors.items():
            numbers = pa.array(y.reshape(-1))
            kind = self.job.schema.field(name).type
            rows = pa.FixedSizeListArray.from_arrays(numbers, kind.storage_type.list_size)
            data.append(pa.ExtensionArray.from_storage(kind, rows))
        return pa.table(data, schema=self.job.schema)

    @contextlib.contextmanager
    def _part(self, name: str) -> Iterator[Callable[[pa.Table], None]]:
        """A Parquet file that is there whole or not at all; none if nothing is written to it."""
        temporary = self.job.folder / f".{name}.{uuid.uuid4().hex}"
        writers = []

        def write(table: pa.Table) -> None:
            if not writers:
                writers.append(pq.ParquetWriter(temporary, self.job.schema))
            writers[0].write_table(table)

        try:
            yield write
            for writer in writers:
                writer.close()
                os.replace(temporary, self.job.folder / name)
        finally:
            for writer in writers:
                writer.close()
            temporary.unlink(missing_ok=True)


# The folder


def sweep(folder: Path) -> None:
    """Remove what processes that were killed have begun to write."""
    for temporary in folder.glob(".part-*"):
        temporary.unlink()


def present(folder: Path) -> list[str]:
    """Ids that a folder has features of, refused if one comes twice."""
    parts = sorted(folder.glob("part-*.parquet"))
    if not parts:
        return []
    dataset = pyarrow.dataset.dataset(parts, pa.schema([("id", pa.string())]))
    ids = dataset.to_table()["id"].to_pylist()
    _refuse_twice(ids)
    return ids


def _refuse_twice(ids: list[str]) -> None:
    """An id names one item."""
    if len(set(ids)) < len(ids):
        name, count = Counter(ids).most_common(1)[0]
        raise ValueError(f"Each item needs an id of its own. Received: {name!r} {count} times")
