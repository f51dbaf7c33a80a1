"""All uses of TensorFlow beyond its documented interface.

Each function states its purpose, and has a plain fallback with the same results. Without these
internals the package is slower or keeps more memory, but stays correct.
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
# below it. With another threshold threads would wait for each other, but results would be the same.
DIVIDED_TRANSFORM = 2**15


@functools.cache
def _device_index() -> Any:
    index = tf.function(lambda: tf.raw_ops.DeviceIndex(device_names=["CPU"]), autograph=False)
    return index.get_concrete_function()


def off_cpu() -> tf.Tensor:
    """0 where a graph runs on a CPU, 1 on other devices and where XLA compiles.

    `DeviceIndex` decides when the graph runs, and XLA always takes its last branch. TensorFlow
    treats the operation as stateful, so `tf.vectorized_map` and Jacobians would repeat it for each
    row. The call in `PartitionedCall` hides this. The fallback is 1, whose ways to compute a batch
    run anywhere.
    """
    if not (hasattr(tf.raw_ops, "DeviceIndex") and hasattr(tf.raw_ops, "PartitionedCall")):
        return tf.constant(1)
    (index,) = tf.raw_ops.PartitionedCall(args=[], Tout=[tf.int32], f=_device_index())
    return index


def map_on_threads(graph: Any, parts: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Apply a traced function to parts (count, ...), each on one thread that divides no operation.

    `MapDefun` is the operation by which `tf.data` maps rows. It starts a part as soon as a thread
    is free, and can limit the threads of the part's operations. The fallback is a loop of the
    graph.
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
    """A `tf.function` that TensorFlow does not copy into each place that calls it.

    TensorFlow would optimize each copy, which takes a third of the time of first calls. The
    fallback is an ordinary `tf.function`.
    """
    options: dict[str, Any] = {"autograph": False}
    if "experimental_attributes" in inspect.signature(tf.function).parameters:
        options["experimental_attributes"] = {"_noinline": True}
    return tf.function(function, **options)


def may_be_differentiated(tensors: Sequence[tf.Tensor]) -> bool:
    """Whether something may ask for gradients with respect to tensors.

    Where a tape is active, TensorFlow knows. A graph made without a tape may get one later, so the
    answer is True. The fallback is True too, at the cost of gradients that nobody may need.
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

    The operations that compute a batch in parts have no forward derivative. The fallback is False.
    Then graphs may refuse derivatives in forward mode, or return zero.
    """
    return _forwardprop is not None and bool(_forwardprop.pack_tangents([x]).tangents)


def forget_gradient_with_graph(result: tf.Tensor) -> None:
    """Let the gradient that `tf.custom_gradient` has registered for a result die with its graph.

    The registry keeps each gradient forever, and with it all graphs whose tensors it uses: 10 MB
    per graph of an image layer. This function lets the outermost graph keep it instead. The
    fallback leaves the gradient where it is.
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
    """Have glibc keep the memory that one call frees for the next call.

    glibc returns free memory at the end of its heap to the system above a threshold. The threshold
    is twice the largest block that it has mapped on its own and then freed. The next call would pay
    one page fault per page, a third of its time. This function maps and frees the largest block
    that raises the threshold. It costs nothing, since nothing touches its pages. On other systems
    nothing happens.
    """
    np.empty(2**25 - 2**14, np.uint8)
