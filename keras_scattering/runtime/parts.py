"""Parts of a batch, and pieces of a part: cut, computed in turn or side by side, and joined.

TensorFlow divides each large operation among the threads of a pool. Where operations are many and
short, the threads wait for each other longer than they work, and find nothing in their caches of
what they read. So a thread of a CPU takes a few signals through many operations, and divides none.
"""

import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_scattering.runtime.gradient import Recomputed, Task, Tensors
from keras_scattering.runtime.mode import Mode
from keras_scattering.runtime.tensorflow_internals import map_on_threads, off_cpu, written_once

# Of the process that makes the graph: one that runs it may have more cores, or fewer.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
# Parts, or branches, under way at a time where each operation is divided.
PARALLEL = 2


def traced(function: Callable, tensors: Tensors) -> Any:
    """The graph of a function of tensors (batch, ...), of any batch."""
    specs = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in tensors]
    return written_once(function).get_concrete_function(*specs)


def in_turn(function: Callable, parts: Tensors, outputs: int) -> list[tf.Tensor]:
    """Apply a function to parts (count, batch, ...), two of them under way at a time."""
    if parts[0].shape[0] == 1:
        return [y[None] for y in function(*(x[0] for x in parts))]
    return tf.map_fn(
        lambda part: function(*part),
        parts,
        parallel_iterations=PARALLEL,
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
        apply: Gives the results of parts (count, items, ...).
        tensors: The batch, (batch, ...).
        most: Largest number of items in a part. No part is empty.
        least: Number of parts to make, if there are as many items.
        total: Whether results are sums over the items of a part, and so are added.
    """
    batch, lower, higher = tensors[0].shape[0], min, max
    if batch is None:
        batch, lower, higher = tf.shape(tensors[0])[0], tf.minimum, tf.maximum
    each = higher(lower(-(-batch // least), most), 1)
    count = higher(-(-batch // each), 1)
    each = -(-batch // count)
    # XLA needs one shape for all parts: what is missing is padding, whose slopes are zero.
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
    """One of four ways to compute a batch, found out where the graph runs.

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
    """Apply a function to tensors (batch, paths, ...), of which it takes each path on its own.

    A thread of a CPU takes one item and `paths` paths at a time, a divisor of their number.
    """
    total = tensors[0].shape[1]

    def deal(task: Task, items: Tensors, shared: Tensors) -> list[tf.Tensor]:
        pieces = [tf.reshape(x, (-1, 1, paths, *x.shape[2:])) for x in items]
        graph = traced(lambda *piece: task.function(Mode(), piece, shared), [x[0] for x in pieces])
        return [tf.reshape(y, (-1, total, *y.shape[3:])) for y in map_on_threads(graph, pieces)]

    return Recomputed(Task(lambda mode, items, shared: function(*items), outputs), deal)(tensors)
