"""What a folder of features holds."""

from pathlib import Path

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

from keras_scattering.features.parts import refuse_twice
from keras_scattering.features.schemas import KEY, agree


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
    refuse_twice(ids)
    return ids


def refuse_others(folder: Path, schema: pa.Schema) -> None:
    """Refuse a folder that has features of something else than the schema says."""
    parts = sorted(folder.glob("part-*.parquet"))
    if not parts:
        return
    theirs = pq.read_schema(parts[0])
    if KEY not in (theirs.metadata or {}):
        raise ValueError(
            "Argument `folder` must not have Parquet files of something else. "
            f"Received: folder={str(folder)!r}, with {parts[0].name}"
        )
    if not agree(schema, theirs):
        raise ValueError(
            "Argument `folder` must not have features of another model, nor of the same one with "
            "other settings, another sampling rate or other metadata. "
            f"Received: folder={str(folder)!r}"
        )
