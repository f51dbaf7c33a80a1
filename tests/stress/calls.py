"""Thousands of calls with batches of changing size, from one thread and from four."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from rounds import Ended, Row, fresh, resident, scaled

COUNT = 20_000
THREADS = (1, 4)
BATCHES = (0, 1, 2, 3, 4, 5, 7, 9, 16, 33)
TOLERANCE = 1e-5  # of the largest value
MOST = 100.0  # MB that the calls after the first tenth may keep
LIMIT = 3600  # seconds for a row


class Use(NamedTuple):
    """A layer and how it is called."""

    layer: str
    given: dict[str, Any]
    shape: tuple[int, ...]
    graph: bool
    batches: tuple[int, ...] = BATCHES


USES = {
    "Scattering1D, eager": Use("Scattering1D", {"J": 4, "Q": 2}, (100,), False),
    "Scattering1D, graph": Use("Scattering1D", {"J": 4, "Q": 2}, (100,), True),
    "Scattering2D, graph": Use("Scattering2D", {"J": 2, "L": 4}, (15, 18, 2), True),
    "Scattering2D, jit": Use(
        # XLA compiles each size of a batch anew
        "Scattering2D", {"J": 1, "L": 2, "jit_compile": True}, (8, 9), True, (1, 2, 3, 8)
    ),
    "TimeFrequencyScattering, graph": Use(
        "TimeFrequencyScattering", {"J": 3, "J_fr": 1}, (64,), True
    ),
    "HarmonicScattering3D, graph": Use("HarmonicScattering3D", {"J": 1, "L": 2}, (6, 5, 4), True),
}  # fmt: skip


def make(use: Use) -> Callable[[np.ndarray], Any]:
    """The layer as a function of a batch."""
    import tensorflow as tf

    import keras_scattering

    layer = getattr(keras_scattering, use.layer)(**use.given)
    layer.build((None, *use.shape))
    if not use.graph:
        return layer
    return tf.function(layer, [tf.TensorSpec((None, *use.shape))], autograph=False)


def called(name: str, count: int, threads: int, seed: int) -> tuple[list[str], float, float, float]:
    """What was wrong; the worst error, MB that the calls have kept, and seconds."""
    use = USES[name]
    function = make(use)
    signals = np.random.default_rng(seed).standard_normal((64, *use.shape), np.float32)
    one = use.batches[0] or 1
    expected = np.concatenate([function(x) for x in np.split(signals, len(signals) // one)])
    largest = np.abs(expected).max()
    numbers, wrong, errors, before = itertools.count(), [], [0.0], []

    def call(number: int) -> None:
        rng = np.random.default_rng((seed, number))
        batch = int(rng.choice(use.batches))
        chosen = rng.choice(len(signals), batch)
        y = np.asarray(function(signals[chosen]))
        if y.shape != (batch, *expected.shape[1:]):
            raise ValueError(f"shape {y.shape} of a batch of {batch}")
        error = np.abs(y - expected[chosen]).max(initial=0) / largest
        errors.append(float(error))
        if not error <= TOLERANCE:
            raise ValueError(f"off by {error:.1e} of the largest value, in a batch of {batch}")

    def work() -> None:
        while (number := next(numbers)) < count:
            try:
                call(number)
            except Exception as error:
                wrong.append(f"{name}, call {number} of seed {seed}: {error!r}")
            if number == count // 10:
                before.append(resident())

    began = time.monotonic()
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return wrong, max(errors), resident() - before[0], time.monotonic() - began


def rows(scale: float, seed: int) -> Iterator[Row]:
    each = scaled(COUNT / len(USES) / len(THREADS), scale, 20)
    for name, threads in itertools.product(USES, THREADS):
        title = f"calls of {name}, threads: {threads}"
        try:
            wrong, error, kept, seconds = fresh(called, name, each, threads, seed, limit=LIMIT)
        except Ended as ended:
            yield Row(title, each, [f"{name}: {ended}"], 0)
            continue
        if kept > MOST:
            wrong.append(f"{name}: the calls have kept {kept:.0f} MB, {MOST:.0f} are allowed")
        yield Row(title, each, wrong, seconds, f"{error:.0e}, {kept:+.1f} MB")
