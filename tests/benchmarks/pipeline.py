"""Signals a second through tf.data: batch before map, map before batch, and read from a disk cache.

A pass begins with an iterator, for which TensorFlow optimizes the graph of the layer anew: that
time, to the first batch, stands apart.

python tests/benchmarks/pipeline.py
"""

import itertools
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_scattering import HarmonicScattering3D, Scattering1D, Scattering2D

ROUNDS = 5
# layer, shape of a signal, signals in all, signals a batch
WORKLOADS = {
    "images of 28 × 28, J=2": (Scattering2D(J=2), (28, 28), 16384, 64),
    "signals of 2^13, J=6, Q=8": (Scattering1D(J=6, Q=8), (2**13,), 1024, 16),
    "volumes of 32³, J=2, L=3": (HarmonicScattering3D(J=2, L=3), (32, 32, 32), 256, 4),
}


def seconds(dataset):
    """The time to the first batch of a pass, and from there to the end."""
    start = time.perf_counter()
    iterator = iter(dataset)
    next(iterator)
    first = time.perf_counter()
    for _ in iterator:
        pass
    return first - start, time.perf_counter() - first


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
    ways = ("batch, then map", "map, then batch", "from the cache")
    print("| signals per second | first batch, s |", *[f"{way} |" for way in ways], "cache, MB |")
    print("|---" * 6, end="|\n")
    for name, (layer, shape, count, batch) in WORKLOADS.items():
        with tempfile.TemporaryDirectory() as folder:
            datasets = pipelines(layer, shape, count, batch, Path(folder, "features"))
            times = {way: [] for way in ways}
            # The ways take turns, since machines drift; the first pass traces, and fills the cache.
            for turn, way in itertools.product(range(ROUNDS + 1), ways):
                elapsed = seconds(datasets[way])
                if turn:
                    times[way].append(elapsed)
            size = sum(file.stat().st_size for file in Path(folder).iterdir()) / 1e6
        medians = {way: np.median(pairs, axis=0) for way, pairs in times.items()}
        begin, _ = medians["batch, then map"]
        rates = [f"{(count - batch) / rest:,.0f}" for _, rest in medians.values()]
        print(f"| {name} | {begin:.2f} | {' | '.join(rates)} | {size:.1f} |")
