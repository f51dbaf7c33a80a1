"""Work dealt out to the cores of a CPU, which other devices go about in another way.

TensorFlow divides each large operation among the threads of a pool. Where operations are many and
short, the threads wait for each other longer than they work, and none finds in its cache what it is
to read. So here a thread takes a few signals through many operations, and divides none.
"""

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from keras_scattering._gradient import recomputed

# Those that the process that builds the graph may use: one that runs it may have more, or fewer.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
# Parts, or branches, under way at a time where each operation is divided.
PARALLEL = 2


@functools.cache
def _index() -> Any:
    # XLA takes the last one, whatever it compiles for: to it, no device has a name.
    index = tf.function(lambda: tf.raw_ops.DeviceIndex(device_names=["CPU"]), autograph=False)
    return index.get_concrete_function()


def _device() -> tf.Tensor:
    """0 on a CPU, 1 elsewhere."""
    # A call that has no state, unlike what it calls: `tf.vectorized_map` and Jacobians would ask
    # anew for each of their rows.
    (index,) = tf.raw_ops.PartitionedCall(args=[], Tout=[tf.int32], f=_index())
    return index


def choose(
    batch: tf.Tensor, alone: Callable, on_one: Callable, on_cores: Callable, in_turn: Callable
) -> Any:
    """What one of the functions makes of a batch, as suits its size and the device.

    On a CPU a batch of one is for the second, and more items for the third if each core has one.
    Elsewhere, on accelerators and where XLA compiles, a batch of one is for the first. What is left
    is for the last. All stand in the graph, and which to go is found out where it runs.
    """
    elsewhere = _device()
    many = tf.where(batch < CORES, 3, 2 + elsewhere)
    way = tf.where(batch == 1, 1 - elsewhere, many)
    return tf.switch_case(way, [alone, on_one, on_cores, in_turn])


def traced(function: Callable, tensors: Sequence[tf.Tensor]) -> Any:
    """The graph of a function of tensors (batch, ...), of any batch."""
    specs = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in tensors]
    # Written out at each place that calls it, it would be optimized as often.
    once = {"_noinline": True}
    graph = tf.function(function, autograph=False, experimental_attributes=once)
    return graph.get_concrete_function(*specs)


def a_thread_each(graph: Any, parts: Sequence[tf.Tensor], outputs: int = 1) -> list[tf.Tensor]:
    """Apply a traced function to parts (count, batch, ...), as threads of a CPU become free."""
    return tf.raw_ops.MapDefun(
        arguments=parts,
        captured_inputs=graph.captured_inputs,
        output_types=[y.dtype for y in graph.outputs],
        output_shapes=[y.shape for y in graph.outputs],
        f=graph,
        max_intra_op_parallelism=1,
    )


def in_turn(function: Callable, parts: Sequence[tf.Tensor], outputs: int) -> list[tf.Tensor]:
    """Apply a function to parts (count, batch, ...), two of them under way at a time."""
    if parts[0].shape[0] == 1:
        return [y[None] for y in function(*(x[0] for x in parts))]
    return tf.map_fn(
        lambda part: function(*part),
        parts,
        parallel_iterations=PARALLEL,
        fn_output_signature=[parts[0].dtype] * outputs,
    )


def in_pieces(
    function: Callable, tensors: Sequence[tf.Tensor], paths: int, outputs: int
) -> list[tf.Tensor]:
    """Apply a function to tensors (batch, paths, ...), of which it takes each path on its own.

    A thread of a CPU takes one item and so many paths at a time, a divisor of their number.
    """
    total = tensors[0].shape[1]

    def apply(
        functions: Sequence[Callable], tensors: Sequence[tf.Tensor], _: int
    ) -> list[tf.Tensor]:
        parts = [tf.reshape(x, (-1, 1, paths, *x.shape[2:])) for x in tensors]
        graph = traced(functions[0], [part[0] for part in parts])
        return [tf.reshape(y, (-1, total, *y.shape[3:])) for y in a_thread_each(graph, parts)]

    return recomputed(apply, [function], tensors, outputs)
