"""Signals a second through tf.data: batch before map, map before batch, and read from a disk cache.

python tests/benchmarks/pipeline.py
"""

import itertools
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_scattering import HarmonicScattering3D, Scattering1D, Scattering2D

ROUNDS = 5
# layer, shape of a signal, signals in all, signals a batch
WORKLOADS = {
    "images of 28 × 28, J=2": (Scattering2D(J=2), (28, 28), 2048, 64),
    "signals of 2^13, J=6, Q=8": (Scattering1D(J=6, Q=8), (2**13,), 128, 16),
    "volumes of 32³, J=2, L=3": (HarmonicScattering3D(J=2, L=3), (32, 32, 32), 32, 4),
}


def seconds(dataset):
    """The time of one pass."""
    start = time.perf_counter()
    for _ in dataset:
        pass
    return time.perf_counter() - start


def pipelines(layer, shape, count, batch, file):
    """The same coefficients in three ways, by name."""
    layer.build((None, *shape))
    x = np.random.default_rng(0).standard_normal((count, *shape), np.float32)
    signals = tf.data.Dataset.from_tensor_slices(x)
    parallel = {"num_parallel_calls": tf.data.AUTOTUNE}
    batched = signals.batch(batch).map(layer, **parallel)
    return {
        "batch, then map": batched.prefetch(2),
        "map, then batch": signals.map(layer, **parallel).batch(batch).prefetch(2),
        "from the cache": batched.cache(str(file)).prefetch(2),
    }


if __name__ == "__main__":
    header = "| signals a second | batch, then map | map, then batch | from the cache | cache, MB |"
    print(header, "\n|---|---|---|---|---|", sep="")
    for name, (layer, shape, count, batch) in WORKLOADS.items():
        with tempfile.TemporaryDirectory() as folder:
            ways = pipelines(layer, shape, count, batch, Path(folder, "features"))
            times = {way: [] for way in ways}
            # The ways take turns, since machines drift; the first pass traces, and fills the cache.
            for turn, (way, dataset) in itertools.product(range(ROUNDS + 1), ways.items()):
                elapsed = seconds(dataset)
                if turn:
                    times[way].append(elapsed)
            size = sum(file.stat().st_size for file in Path(folder).iterdir()) / 1e6
        rates = [f"{count / statistics.median(values):,.0f}" for values in times.values()]
        print(f"| {name} | {' | '.join(rates)} | {size:.1f} |")
