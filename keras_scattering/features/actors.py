"""Features of Ray datasets, by extractors in many processes, on one machine or many."""

import importlib
import json
import sys
from typing import Any, NamedTuple

import numpy as np

from keras_scattering._extras import needed_by
from keras_scattering.features.parts import Extractor, Job


def _import_ray() -> Any:
    with needed_by("Argument `actors`", "ray"):
        importlib.import_module("ray.data")
        return importlib.import_module("ray")


def is_dataset(source: Any) -> bool:
    """Whether a source is a Ray dataset."""
    data = sys.modules.get("ray.data")  # every dataset needs this module
    return data is not None and isinstance(source, data.Dataset)


class _Actor:
    """An `Extractor` in a Ray process, for items in batches of a Ray dataset."""

    def __init__(self, reference: Any):
        job, self.there = _import_ray().get(reference)
        self.extractor = Extractor(job)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list]:
        rows = _rows(batch)
        missing = [(name, value) for name, value in rows if name not in self.there]
        done, bad = self.extractor.write(missing)
        return {"done": [done], "skipped": [len(rows) - len(missing)], "bad": [json.dumps(bad)]}


def _rows(batch: dict[str, np.ndarray]) -> list[tuple[str, Any]]:
    """Ids and items, from column `id` or `path` and one other, or from `path` for both."""
    id_column = "id" if "id" in batch else "path"
    others = [name for name in batch if name != id_column] or ["path"]
    if not {id_column, *others} <= batch.keys() or len(others) > 1:
        raise ValueError(
            "A Ray dataset must have a column `id` or `path`, and one for the items. "
            f"Received: columns {sorted(batch)}"
        )
    return list(zip(map(str, batch[id_column]), batch[others[0]], strict=True))


class Pool(NamedTuple):
    """Actors that share a job; each has an extractor."""

    job: Job
    actors: int
    options: dict[str, Any]  # for map_batches
    verbose: bool

    def extract_dataset(
        self, dataset: Any, part_size: int | None, there: frozenset[str] = frozenset()
    ) -> tuple[int, int, dict[str, str]]:
        """Extract the items of a dataset: numbers of written and skipped items, and bad items.

        Args:
            dataset: A Ray dataset.
            part_size: Items per part; None makes one part per block of the dataset.
            there: Ids of the items to skip.
        """
        ray = _import_ray()
        reports = dataset.map_batches(
            _Actor,
            fn_constructor_args=(ray.put((self.job, there)),),
            batch_size=part_size,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(size=self.actors),
            **{"num_cpus": 1, **self.options},
        )
        context = reports.context
        bars, context.enable_progress_bars = context.enable_progress_bars, self.verbose
        done, skipped, bad = 0, 0, {}
        try:
            for report in reports.iter_rows():
                done += report["done"]
                skipped += report["skipped"]
                bad |= json.loads(report["bad"])
        finally:
            context.enable_progress_bars = bars
        return done, skipped, bad

    def extract_files(
        self, files: dict[str, str], part_size: int
    ) -> tuple[int, int, dict[str, str]]:
        """Extract files, given as paths by id, in enough parts for all actors."""
        parts = max(-(-len(files) // part_size), min(self.actors, len(files)))
        rows = [{"id": name, "path": path} for name, path in files.items()]
        dataset = _import_ray().data.from_items(rows, override_num_blocks=parts)
        return self.extract_dataset(dataset, None)
