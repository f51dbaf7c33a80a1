"""Parts of a batch, and pieces of a part: cut, computed in turn or side by side, and joined.

TensorFlow divides each large operation among the threads of a pool. Where operations are many and
short, the threads wait for each other longer than they work, and their caches hold none of their
input. So one CPU thread computes many operations for a few signals, and divides none of them.
"""

import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_scattering.runtime.gradient import Recomputed, Task, Tensors
from keras_scattering.runtime.mode import Mode
from keras_scattering.runtime.tensorflow_internals import map_on_threads, off_cpu, written_once

# Cores of the process that makes the graph. A process that runs it may have more, or fewer.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
# Number of parts, or branches, computed at a time where all threads share each operation.
PARALLEL = 2


def traced(function: Callable, tensors: Tensors) -> Any:
    """The graph of a function of tensors (batch, ...), for batches of any size."""
    specs = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in tensors]
    return written_once(function).get_concrete_function(*specs)


def in_turn(function: Callable, parts: Tensors, outputs: int) -> list[tf.Tensor]:
    """Apply a function to parts (count, items, ...), two parts at a time."""
    if parts[0].shape[0] == 1:
        return [y[None] for y in function(*(x[0] for x in parts))]
    return tf.map_fn(
        lambda part: function(*part),
        parts,
        # Eagerly there is one at a time, and TensorFlow warns if it is asked for more.
        parallel_iterations=1 if tf.executing_eagerly() else PARALLEL,
        fn_output_signature=[parts[0].dtype] * outputs,
    )


def in_equal_parts(
    apply: Callable[[Tensors], list[tf.Tensor]],
    tensors: Tensors,
    most: int,
    least: int = 1,
    total: bool = False,
) -> list[tf.Tensor]:
    """Cut a batch into equal parts, compute them, and join the results.

    Args:
        apply: A function that returns the results of parts (count, items, ...).
        tensors: The batch, (batch, ...).
        most: Largest number of items per part. No part is empty.
        least: Smallest number of parts, if there are as many items.
        total: Whether results are sums over the items of a part; if so, the parts' sums are added.
    """
    batch, lower, higher = tensors[0].shape[0], min, max
    if batch is None:
        batch, lower, higher = tf.shape(tensors[0])[0], tf.minimum, tf.maximum
    each = higher(lower(-(-batch // least), most), 1)
    count = higher(-(-batch // each), 1)
    each = -(-batch // count)
    # XLA needs one shape for all parts. Padding completes them, and its slopes are zero.
    rows: list[Any] = [(0, count * each - batch)]
    parts = [
        tf.reshape(tf.pad(x, rows + [(0, 0)] * (len(x.shape) - 1)), (count, each, *x.shape[1:]))
        for x in tensors
    ]
    results = apply(parts)
    if total:
        return [tf.reduce_sum(y, 0) for y in results]
    return [tf.reshape(y, (count * each, *y.shape[2:]))[:batch] for y in results]


def choose(
    batch: tf.Tensor, *, whole: Callable, one_item: Callable, per_core: Callable, in_turn: Callable
) -> Any:
    """One of four ways to compute a batch; the graph chooses it when it runs.

    | batch | on a CPU | on accelerators, and where XLA compiles |
    |---|---|---|
    | one item | `one_item` | `whole` |
    | at least one per core | `per_core` | `in_turn` |
    | others | `in_turn` | `in_turn` |
    """
    ways = [whole, one_item, per_core, in_turn]
    elsewhere = off_cpu()
    many = tf.where(batch < CORES, ways.index(in_turn), ways.index(per_core) + elsewhere)
    single = ways.index(one_item) - elsewhere
    return tf.switch_case(tf.where(batch == 1, single, many), ways)


def in_pieces(function: Callable, tensors: Tensors, paths: int, outputs: int) -> list[tf.Tensor]:
    """Apply a function to tensors (batch, paths, ...), to each path on its own.

    A CPU thread computes pieces of one item and `paths` paths; `paths` divides the number of paths.
    """
    total = tensors[0].shape[1]

    def deal(task: Task, items: Tensors, shared: Tensors) -> list[tf.Tensor]:
        pieces = [tf.reshape(x, (-1, 1, paths, *x.shape[2:])) for x in items]
        graph = traced(lambda *piece: task.function(Mode(), piece, shared), [x[0] for x in pieces])
        return [tf.reshape(y, (-1, total, *y.shape[3:])) for y in map_on_threads(graph, pieces)]

    return Recomputed(Task(lambda mode, items, shared: function(*items), outputs), deal)(tensors)
