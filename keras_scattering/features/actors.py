"""Features of Ray datasets: extractors in many processes, on many machines."""

import importlib
import json
import sys
from typing import Any, NamedTuple

import numpy as np

from keras_scattering.features.parts import Extractor, Job


def _import_ray() -> Any:
    try:
        importlib.import_module("ray.data")
        return importlib.import_module("ray")
    except ImportError as error:
        raise ImportError(
            f'Argument `actors` needs Ray: pip install "keras-scattering[ray]". Received: {error}'
        ) from error


def is_dataset(source: Any) -> bool:
    """Whether this is one of Ray's."""
    data = sys.modules.get("ray.data")  # nobody has a dataset without
    return data is not None and isinstance(source, data.Dataset)


class _Actor:
    """An `Extractor` in a process of Ray's, for items that come as batches of its datasets."""

    def __init__(self, reference: Any):
        job, self.there = _import_ray().get(reference)
        self.extractor = Extractor(job)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list]:
        rows = _rows(batch)
        missing = [(name, value) for name, value in rows if name not in self.there]
        done, bad = self.extractor.write(missing)
        return {"done": [done], "skipped": [len(rows) - len(missing)], "bad": [json.dumps(bad)]}


def _rows(batch: dict[str, np.ndarray]) -> list[tuple[str, Any]]:
    """Ids and items: column `id` or `path` and one other, or `path` for both."""
    id_column = "id" if "id" in batch else "path"
    others = [name for name in batch if name != id_column] or ["path"]
    if not {id_column, *others} <= batch.keys() or len(others) > 1:
        raise ValueError(
            "A Ray dataset must have a column `id` or `path`, and one for the items. "
            f"Received: columns {sorted(batch)}"
        )
    return list(zip(map(str, batch[id_column]), batch[others[0]], strict=True))


class Pool(NamedTuple):
    """Actors, each with an extractor, that share a job."""

    job: Job
    actors: int
    options: dict[str, Any]  # for map_batches
    verbose: bool

    def run(
        self, dataset: Any, part_size: int | None, there: frozenset[str] = frozenset()
    ) -> tuple[int, int, dict[str, str]]:
        """Items done, those skipped since they are there, and bad ones; None: a part a block."""
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

    def run_files(self, files: dict[str, str], part_size: int) -> tuple[int, int, dict[str, str]]:
        """The same for paths by id, with work for each actor."""
        parts = max(-(-len(files) // part_size), min(self.actors, len(files)))
        rows = [{"id": name, "path": path} for name, path in files.items()]
        return self.run(_import_ray().data.from_items(rows, override_num_blocks=parts), None)
