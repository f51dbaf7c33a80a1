"""A batch, a few signals at a time: in an ordinary graph, or as XLA clusters.

The signals of a part of the batch fit in a processor's cache, and neither memory nor the graph
grows with the batch. On a CPU each core takes a part of its own. Volumes are the exception: their
operations are large enough to be divided.

XLA fuses the passes over memory of which an ordinary graph has many. But its CPU runtime does
nearly one thing after the other: what it compiles as a whole keeps little more than one core busy.
So the parts of the batch are clusters, and TensorFlow runs them side by side.
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

# Real samples of the largest set of signals of a part: their temporaries fit in a cache. Images
# are computed in smaller pieces, which are joined again. In XLA clusters a quarter of the samples
# took no longer, at half of the temporaries.
WORKING_SET = 2**20
_IMAGES_WORKING_SET = 2**19
_CLUSTER_WORKING_SET = 2**18
# Eagerly every operation has a cost of its own, so that larger parts pay.
_EAGER_WORKING_SET = 2**24
_ANY = 2**31 - 1  # items: as many as there are


class Batched:
    """A function of signals, computed for a batch in the way that suits its size and the device.

    Args:
        function: Of the signals of a part and of tensors that all share, item by item.
        outputs: Tensors that it gives.
        samples: Of the largest set of signals that it has at once, for one item.
        mode: How it computes, as far as that is known before the batch is.
        images: Whether operations are many and short enough for each to run on one thread, with
            transforms that a thread takes a few paths of at a time.
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

    @tf.autograph.experimental.do_not_convert  # there is nothing to convert, at a cost
    def __call__(self, x: tf.Tensor, shared: Tensors) -> list[tf.Tensor]:
        """What the function makes of signals (batch, *size)."""
        if in_forward_mode(x):  # parts have no derivative in it
            return self._function(dataclasses.replace(self._mode, xla=False), [x], shared)
        if not self._mode.xla:
            # There is nothing to deal out, and nothing to gain from computing it anew.
            whole = len(x) <= self._most() if tf.executing_eagerly() else x.shape[0] == 1
            if whole or self._mode.matrix:  # the runtimes for matrices have no loops
                return self._function(self._mode, [x], shared)
        return self._recomputed([x], shared)

    def _items(self, working_set: int) -> int:
        """How many items make a working set: a power of two, which divides most batches."""
        return 2 ** int(math.log2(max(1, working_set // self._samples)))

    def _most(self) -> int:
        """Largest number of items in a part of an ordinary graph, or of an eager call."""
        if tf.executing_eagerly():
            return self._items(_EAGER_WORKING_SET)
        return self._items(_IMAGES_WORKING_SET if self._images else WORKING_SET)

    def _deal(self, task: Task, items: Tensors, shared: Tensors) -> list[tf.Tensor]:
        """Carry out a task for a batch.

        Its graph is made once, for any batch, and called by all graphs that need it.
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
        """In an ordinary graph."""
        usual = traced(functools.partial(self._part, task, self._mode, shared), items)
        if self._divided:
            return self._loop(task, usual, items, self._most())
        on_thread = usual
        if self._images:
            mode = dataclasses.replace(self._mode, one_thread=True)
            on_thread = traced(functools.partial(self._part, task, mode, shared), items)
        return self._way(task, usual, on_thread, items, self._most())

    def _clusters(self, task: Task, items: Tensors, shared: Tensors) -> list[tf.Tensor]:
        """By XLA clusters, within which a loop takes a few items at a time.

        Each is compiled once for each size that a part of a batch has.
        """
        part = functools.partial(self._part, task, self._mode, shared)
        most = self._items(_CLUSTER_WORKING_SET)

        @functools.partial(tf.function, jit_compile=True, autograph=False)
        def cluster(*items: tf.Tensor) -> list[tf.Tensor]:
            return self._loop(task, part, items, most)

        graph = traced(cluster, items)
        return self._way(task, graph, graph, items, _ANY)

    def _loop(self, task: Task, function: Callable, items: Tensors, most: int) -> list[tf.Tensor]:
        """Parts of at most so many items, in turn."""
        apply = functools.partial(in_turn, function, outputs=task.outputs)
        return in_equal_parts(apply, items, most, total=task.total)

    def _way(
        self, task: Task, usual: Callable, on_thread: Callable, items: Tensors, most: int
    ) -> list[tf.Tensor]:
        """The way that suits the device and the batch, with at most so many items in a part."""
        on_threads = functools.partial(map_on_threads, on_thread)
        loop = functools.partial(in_turn, usual, outputs=task.outputs)
        return choose(
            tf.shape(items[0])[0],
            whole=lambda: usual(*items),
            one_item=lambda: [y[0] for y in on_threads([x[None] for x in items])],
            per_core=lambda: in_equal_parts(on_threads, items, most, CORES, task.total),
            in_turn=lambda: in_equal_parts(loop, items, most, PARALLEL, task.total),
        )
