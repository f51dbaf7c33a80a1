"""A folder of features: its lock, and its parts."""

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from keras_scattering.features.ids import refuse_twice
from keras_scattering.features.lock import locked
from keras_scattering.features.schemas import KEY, differences


@contextlib.contextmanager
def taken(folder: Path) -> Iterator[Path]:
    """Lock a folder for one run, and make a scratch folder in it for unfinished files.

    It removes the scratch folders of killed runs. So a process that outlives such a run loses its
    scratch folder, and cannot add files to those of this run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        _sweep(folder)
        scratch = folder / f".part-{uuid.uuid4().hex}"
        scratch.mkdir()
        try:
            yield scratch
        finally:
            _sweep(folder)


def _sweep(folder: Path) -> None:
    for begun in folder.glob(".part-*"):
        if begun.is_dir():
            # A new name makes the folder disappear at once for processes that write to it.
            shutil.rmtree(begun.rename(folder / f".part-{uuid.uuid4().hex}"))
        else:
            begun.unlink()


def present(folder: Path, schema: pa.Schema) -> list[str]:
    """Ids of all items in a folder's parts; refuses damaged parts, other schemas, repeated ids."""
    parts = sorted(folder.glob("part-*.parquet"))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda part: _ids(part, schema), parts))
    damaged = [f"{p.name} ({x})" for p, x in zip(parts, found, strict=True) if isinstance(x, str)]
    if damaged:
        raise ValueError(
            "Argument `folder` must not have damaged parts: delete them, and run again for their "
            f"items. Received: folder={str(folder)!r}, with {'; '.join(damaged)}"
        )
    ids = [name for names in found for name in names]
    refuse_twice(ids)
    return ids


def _ids(part: Path, schema: pa.Schema) -> list[str] | str:
    """Ids of a part, or a description of its damage; refuses parts made otherwise."""
    try:
        with pq.ParquetFile(part, page_checksum_verification=True) as file:
            theirs = file.schema_arrow
            ours = KEY in (theirs.metadata or {})
            other = differences(schema, theirs) if ours else "not ours"
            ids = ["not read"] if other else file.read(["id"])["id"].to_pylist()
    except (OSError, ValueError, LookupError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # an error of the system, such as a missing permission
        return f"{type(error).__name__}: {error}".splitlines()[0]
    received = f"Received: folder={str(part.parent)!r}, with {part.name}"
    if not ours:
        raise ValueError(
            f"Argument `folder` must not have Parquet files of something else. {received}"
        )
    if other:
        raise ValueError(
            "Argument `folder` must not have features made otherwise: take another folder, or "
            f"model, settings, sampling rate and metadata as before. {received}: {other}"
        )
    return ids or "no rows"
