"""What the package uses of TensorFlow beyond its documented interface, all in this one place.

Each function says what it is for, and has a plain fallback that gives the same results: without
these internals the package is slower, or keeps more memory, and is still right.
"""

import functools
import inspect
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

try:
    from tensorflow.python.eager import forwardprop_util as _forwardprop
    from tensorflow.python.eager import record as _record
    from tensorflow.python.framework.ops import gradient_registry as _registry
except ImportError:
    _forwardprop = _record = _registry = None

# DUCC, the library behind TensorFlow's FFTs, divides a transform of at least this many samples
# among threads, whatever limit its operation has (`thread_count` in 2.21). Pieces of images stay
# below it. With another threshold they would wait for each other, and be as right.
DIVIDED_TRANSFORM = 2**15


@functools.cache
def _device_index() -> Any:
    index = tf.function(lambda: tf.raw_ops.DeviceIndex(device_names=["CPU"]), autograph=False)
    return index.get_concrete_function()


def off_cpu() -> tf.Tensor:
    """0 where a graph runs on a CPU, 1 on other devices and in what XLA compiles.

    `DeviceIndex` tells it when the graph runs. XLA always takes the last branch. The call hides
    that the operation counts as stateful: `tf.vectorized_map` and Jacobians would ask it anew for
    each of their rows. The fallback is 1, whose ways of computing run anywhere.
    """
    if not (hasattr(tf.raw_ops, "DeviceIndex") and hasattr(tf.raw_ops, "PartitionedCall")):
        return tf.constant(1)
    (index,) = tf.raw_ops.PartitionedCall(args=[], Tout=[tf.int32], f=_device_index())
    return index


def map_on_threads(graph: Any, parts: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Apply a traced function to parts (count, ...), each on a thread of its own that divides none.

    `MapDefun` is what `tf.data` maps rows by: it starts a part as soon as a thread is free, and can
    limit the threads of the operations in it. The fallback is a loop of the graph.
    """
    if not hasattr(tf.raw_ops, "MapDefun"):
        signature: list[Any] = [tf.TensorSpec(y.shape, y.dtype) for y in graph.outputs]
        return tf.map_fn(lambda part: graph(*part), parts, fn_output_signature=signature)
    return tf.raw_ops.MapDefun(
        arguments=parts,
        captured_inputs=graph.captured_inputs,
        output_types=[y.dtype for y in graph.outputs],
        output_shapes=[y.shape for y in graph.outputs],
        f=graph,
        max_intra_op_parallelism=1,
    )


def written_once(function: Callable) -> Any:
    """A `tf.function` that is not written out at each place that calls it.

    TensorFlow would optimize each copy: a third of the time of first calls. The fallback is an
    ordinary `tf.function`.
    """
    options: dict[str, Any] = {"autograph": False}
    if "experimental_attributes" in inspect.signature(tf.function).parameters:
        options["experimental_attributes"] = {"_noinline": True}
    return tf.function(function, **options)


def may_be_differentiated(tensors: Sequence[tf.Tensor]) -> bool:
    """Whether somebody may ask for gradients with respect to tensors.

    Where a tape is active, TensorFlow knows. In a graph that is made without one, a tape may come
    to it later. The fallback is to say yes, and to compute gradients that may not be needed.
    """
    if not tensors:
        return False
    if _record is None:
        return True
    if _record.could_possibly_record():
        return bool(_record.should_record_backprop(list(tensors)))
    return not tf.executing_eagerly()


def in_forward_mode(x: tf.Tensor) -> bool:
    """Whether a `tf.autodiff.ForwardAccumulator` follows a tensor.

    Operations by which parts of a batch are dealt out have no forward derivative. The fallback is
    to say no: then derivatives in forward mode may be refused, or be zero, in graphs.
    """
    return _forwardprop is not None and bool(_forwardprop.pack_tangents([x]).tangents)


def forget_gradient_with_graph(result: tf.Tensor) -> None:
    """Let the gradient that `tf.custom_gradient` has registered for a result die with its graph.

    The registry keeps each gradient for good, and with it all graphs that the gradient has tensors
    of: 10 MB for every graph of an image layer. Here the outermost graph keeps it instead. The
    fallback is to leave the gradient where it is.
    """
    entries = getattr(_registry, "_registry", {})
    try:
        name = result.op.get_attr("_gradient_op_type").decode()
        function = entries[name]["type"]
    except (AttributeError, KeyError, ValueError):
        return
    graph = result.graph
    while isinstance(getattr(graph, "outer_graph", None), type(result.graph)):
        graph = graph.outer_graph
    setattr(graph, f"_{name}", function)
    kept = weakref.ref(function, lambda _: entries.pop(name, None))
    entries[name]["type"] = lambda op, *slopes: kept()(op, *slopes)  # type: ignore[misc]


def keep_freed_memory() -> None:
    """Have glibc keep the memory that a call frees for the next call.

    glibc returns memory at the end of its heap to the system if more is free than twice the largest
    block that it has mapped by itself and seen freed. The pages come anew in the next call, at one
    fault each: a third of its time. This block is the largest that counts, and costs nothing,
    since no page of it is touched. On other systems nothing happens.
    """
    np.empty(2**25 - 2**14, np.uint8)
