"""Batches computed a few signals at a time: in an ordinary graph, or as XLA clusters.

The signals of one part of the batch fit in a processor's cache. Neither their memory nor the graph
grows with the batch. On a CPU each core computes a part of its own. Volumes are the exception,
since all threads can share each of their large operations.

An ordinary graph makes many passes over memory, and XLA fuses them. But XLA's CPU runtime computes
nearly one operation after the other, so a single cluster keeps little more than one core busy.
Therefore each part of the batch is a cluster, and TensorFlow runs the clusters side by side.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_scattering.runtime.gradient import Function, Recomputed, Task, Tensors
from keras_scattering.runtime.mode import Mode
from keras_scattering.runtime.parts import (
    CORES,
    PARALLEL,
    choose,
    in_equal_parts,
    in_turn,
    traced,
)
from keras_scattering.runtime.tensorflow_internals import in_forward_mode, map_on_threads

# Real samples of the largest set of signals of a part, whose temporaries fit in a cache. Images
# are computed in smaller pieces, and then joined. In XLA clusters a quarter of the samples took no
# longer, and halved the temporaries.
WORKING_SET = 2**20
_IMAGES_WORKING_SET = 2**19
_CLUSTER_WORKING_SET = 2**18
# In eager calls each operation has a fixed cost, so larger parts are faster.
_EAGER_WORKING_SET = 2**24
_ANY = 2**31 - 1  # items per part, without a limit


class Batched:
    """A function of signals, computed for a batch in the way that suits its size and the device.

    Args:
        function: A function of the signals of a part, item by item, and of shared tensors.
        outputs: Number of tensors that it returns.
        samples: Samples of the largest set of signals that it holds at once, for one item.
        mode: The mode of computation, without the flags that depend on the batch.
        images: Whether operations are many and short, so that one thread computes each of them, a
            few paths at a time.
        divided: Whether operations are so large that all threads should share each of them.
    """

    def __init__(
        self,
        function: Function,
        outputs: int,
        samples: int,
        mode: Mode,
        images: bool = False,
        divided: bool = False,
    ):
        self._function = function
        self._samples = samples
        self._mode = mode
        self._images = images
        self._divided = divided
        self._graphs: dict[Task, Callable] = {}
        self._recomputed = Recomputed(Task(function, outputs), self._deal)

    @tf.autograph.experimental.do_not_convert  # a conversion costs time and changes nothing
    def __call__(self, x: tf.Tensor, shared: Tensors) -> list[tf.Tensor]:
        """The function's results for signals (batch, *size)."""
        if in_forward_mode(x):  # parts have no forward derivative
            return self._function(dataclasses.replace(self._mode, xla=False), [x], shared)
        if not self._mode.xla:
            # One part needs no loop, and gains nothing from computing it anew for its gradient.
            whole = len(x) <= self._most() if tf.executing_eagerly() else x.shape[0] == 1
            if whole or self._mode.matrix:  # the runtimes for matrices have no loops
                return self._function(self._mode, [x], shared)
        return self._recomputed([x], shared)

    def _items(self, working_set: int) -> int:
        """Number of items per working set, a power of two, which divides most batches."""
        return 2 ** int(math.log2(max(1, working_set // self._samples)))

    def _most(self) -> int:
        """Largest number of items in a part of an ordinary graph, or of an eager call."""
        if tf.executing_eagerly():
            return self._items(_EAGER_WORKING_SET)
        return self._items(_IMAGES_WORKING_SET if self._images else WORKING_SET)

    def _deal(self, task: Task, items: Tensors, shared: Tensors) -> list[tf.Tensor]:
        """Compute a task for a batch.

        The first call makes the task's graph, for any batch. All graphs that need it call it.
        """
        if tf.executing_eagerly() and not self._mode.xla:
            part = functools.partial(self._part, task, self._mode, shared)
            return self._loop(task, part, items, self._most())
        if task not in self._graphs:
            each = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in items]
            common = [tf.TensorSpec(w.shape, w.dtype) for w in shared]
            ways = self._clusters if self._mode.xla else self._ways
            signature: list[Any] = [each, common]
            self._graphs[task] = tf.function(
                functools.partial(ways, task), signature, autograph=False
            )
        return self._graphs[task](list(items), list(shared))

    @staticmethod
    def _part(task: Task, mode: Mode, shared: Tensors, *items: tf.Tensor) -> list[tf.Tensor]:
        return task.function(mode, items, shared)

    def _ways(self, task: Task, items: Tensors, shared: Tensors) -> list[tf.Tensor]:
        """Compute a task in an ordinary graph."""
        usual = traced(functools.partial(self._part, task, self._mode, shared), items)
        if self._divided:
            return self._loop(task, usual, items, self._most())
        on_thread = usual
        if self._images:
            mode = dataclasses.replace(self._mode, one_thread=True)
            on_thread = traced(functools.partial(self._part, task, mode, shared), items)
        return self._way(task, usual, on_thread, items, self._most())

    def _clusters(self, task: Task, items: Tensors, shared: Tensors) -> list[tf.Tensor]:
        """Compute a task by XLA clusters, each with a loop over a few items at a time.

        XLA compiles one cluster per size of the parts.
        """
        part = functools.partial(self._part, task, self._mode, shared)
        most = self._items(_CLUSTER_WORKING_SET)

        @functools.partial(tf.function, jit_compile=True, autograph=False)
        def cluster(*items: tf.Tensor) -> list[tf.Tensor]:
            return self._loop(task, part, items, most)

        graph = traced(cluster, items)
        return self._way(task, graph, graph, items, _ANY)

    def _loop(self, task: Task, function: Callable, items: Tensors, most: int) -> list[tf.Tensor]:
        """Compute parts of at most `most` items, in turn."""
        apply = functools.partial(in_turn, function, outputs=task.outputs)
        return in_equal_parts(apply, items, most, total=task.total)

    def _way(
        self, task: Task, usual: Callable, on_thread: Callable, items: Tensors, most: int
    ) -> list[tf.Tensor]:
        """Compute a batch in the way that suits it and the device.

        Each part has at most `most` items.
        """
        on_threads = functools.partial(map_on_threads, on_thread)
        loop = functools.partial(in_turn, usual, outputs=task.outputs)
        return choose(
            tf.shape(items[0])[0],
            whole=lambda: usual(*items),
            one_item=lambda: [y[0] for y in on_threads([x[None] for x in items])],
            per_core=lambda: in_equal_parts(on_threads, items, most, CORES, task.total),
            in_turn=lambda: in_equal_parts(loop, items, most, PARALLEL, task.total),
        )
