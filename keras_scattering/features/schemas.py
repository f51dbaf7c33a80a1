"""The schemas of parts: columns, the paths' metadata, and the fingerprint of the model."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from keras_scattering import _validate
from keras_scattering.features.models import Loaded, answers, fingerprint, same

KEY = b"keras_scattering"  # key of the package's entry in a schema's metadata
_MOST_COLUMNS = 3  # in a message


def schema(loaded: Loaded, meta: dict[str, Any] | None) -> pa.Schema:
    """The schema of all parts: columns, the paths' metadata, and the model's fingerprint."""
    answered = answers(loaded)
    if "id" in answered:
        raise ValueError(
            "Argument `model` must not have an output named 'id', which is the column of ids. "
            f"Received: outputs {sorted(answered)}"
        )
    fields = [
        (name, pa.fixed_shape_tensor(pa.from_numpy_dtype(y.dtype), y.shape[1:]))
        for name, y in answered.items()
    ]
    table = loaded.meta if meta is None else meta
    said = {
        "answer": fingerprint(answered),
        "meta": {n: _plain(np.asarray(c)) for n, c in table.items()},
    }
    return pa.schema([("id", pa.string()), *fields], {KEY: json.dumps(said, allow_nan=False)})


def differences(ours: pa.Schema, theirs: pa.Schema) -> str:
    """What sets features apart from ours, for a message; empty for the same columns and model."""
    if ours.equals(theirs, check_metadata=True):
        return ""
    if not ours.equals(theirs):
        return f"its columns are {_columns(theirs)} and not {_columns(ours)}"
    said, known = (json.loads((schema.metadata or {})[KEY]) for schema in (ours, theirs))
    found = []
    if not same(said["answer"], known["answer"]):
        found.append("it is of another model, or of other settings")
    meta, their_meta = said["meta"], known["meta"]
    others = {name for name in meta.keys() & their_meta if meta[name] != their_meta[name]}
    rates = [_rate(table) for table in (their_meta, meta)]
    if rates[0] != rates[1] and None not in rates:
        found.append(f"its sampling rate is {rates[0]} and not {rates[1]}")
        others = {name for name in others if not name.endswith(("_hz", "_s"))}
    if others:
        names = ", ".join(map(repr, sorted(others)))
        found.append(f"its metadata have other values in {names}")
    return "; ".join(found)


def _columns(schema: pa.Schema) -> str:
    """The columns of coefficients in words, with shapes and types."""
    kinds = {field.name: field.type for field in schema if field.name != "id"}
    words = [
        f"{name} {tuple(kind.shape)} {np.dtype(kind.value_type.to_pandas_dtype())}"
        if isinstance(kind, pa.FixedShapeTensorType)
        else f"{name} {kind}"
        for name, kind in kinds.items()
    ]
    return ", ".join(words[:_MOST_COLUMNS]) + ", …" * (len(words) > _MOST_COLUMNS)


def _rate(meta: dict[str, Any]) -> str | None:
    """Samples per second, from the paths' metadata; None if these have no columns in Hz."""
    try:
        hz, own = (np.array(meta[name][1], "float64") for name in ("xi1_hz", "xi1"))
        return f"{np.nanmax(hz) / np.nanmax(own):.7g}"
    except (LookupError, TypeError, ValueError):
        return None


def read_meta(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The paths' metadata from the schema of extracted features, as from `layer.meta()`.

    `pandas.DataFrame(read_meta(path))` makes a table of them. Without `meta`, `extract` stores no
    columns for a SavedModel. It stores none for a model with no or several scattering layers, or
    one that drops paths or joins them.

    Args:
        path: A folder of features, a Parquet file in it, or a Parquet file made of such files.

    Returns:
        The columns, by name: one row per path, in the order of the coefficients.

    Raises:
        ValueError: If the file, or the folder, holds no extracted features.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_scattering import Scattering1D
    >>> from keras_scattering.features import extract, read_meta
    >>> layer = Scattering1D(J=2)
    >>> layer.build((None, 16))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/noise.npy", np.random.default_rng(0).standard_normal(16))
    ...     _ = extract([f"{folder}/noise.npy"], layer, folder, verbose=False)
    ...     meta = read_meta(folder)
    >>> meta["order"]
    array([0, 1, 1, 1])
    """
    parts = sorted(Path(path).glob("*.parquet")) if os.path.isdir(path) else [Path(path)]
    try:
        meta = json.loads(pq.read_schema(parts[0]).metadata[KEY])["meta"]
        return {name: np.array(values, dtype) for name, (dtype, values) in meta.items()}
    except (OSError, ValueError, TypeError, LookupError, pa.ArrowException) as error:
        raise ValueError(
            "Argument `path` must be of extracted features. "
            f"Received: path={path!r}" + "".join(f", with {part.name}" for part in parts[:1])
        ) from error


def metadata_columns(meta: Any) -> dict[str, np.ndarray] | None:
    """Columns of metadata from a dictionary or a DataFrame; None for None."""
    if meta is None:
        return None
    try:
        columns = {name: np.asarray(column) for name, column in dict(meta).items()}
    except (TypeError, ValueError):
        columns = None
    if columns is None or len({column.shape for column in columns.values()}) > 1:
        raise ValueError(
            "Argument `meta` must be a dictionary of columns of one length. "
            f"Received: meta={_validate.shown(meta)}"
        )
    return columns


def _plain(column: np.ndarray) -> tuple[str, list[Any]]:
    """Type and values for JSON, which has no NaN."""
    values = column.astype(object)
    values[column != column] = None
    return column.dtype.str, values.tolist()
