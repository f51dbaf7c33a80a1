"""Custom gradients, and functions of a batch whose gradients recompute intermediate tensors.

TensorFlow cannot know that nobody will use a custom gradient. It keeps the gradient in additional
operations, and traces and writes it once more for a SavedModel. So the package puts a custom
gradient into a graph only where something may ask for it.
"""

import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from keras_scattering.runtime.mode import Mode
from keras_scattering.runtime.tensorflow_internals import (
    forget_gradient_with_graph,
    may_be_differentiated,
)

_WANTED = contextvars.ContextVar("_WANTED", default=True)

Tensors = Sequence[tf.Tensor]
Function = Callable[[Mode, Tensors, Tensors], list[tf.Tensor]]
"""A function of a mode, of tensors (batch, ...), item by item, and of tensors that items share."""


class Task(NamedTuple):
    """A function to compute for each part of a batch."""

    function: Function
    outputs: int  # number of tensors that it returns
    total: bool = False  # whether these are sums over the items, not one result per item


Deal = Callable[[Task, Tensors, Tensors], list[tf.Tensor]]
"""A function that computes a task for a batch, part by part."""


@contextlib.contextmanager
def _gradients(wanted: bool) -> Iterator[None]:
    before = _WANTED.set(wanted)
    try:
        yield
    finally:
        _WANTED.reset(before)


def custom_gradient(function: Callable) -> Callable:
    """`tf.custom_gradient`, or only the function's results where nothing wants a gradient."""
    both = tf.custom_gradient(function)

    def transform(*tensors: tf.Tensor) -> Any:
        if not _WANTED.get():
            return function(*tensors)[0]
        results = both(*tensors)
        if not tf.executing_eagerly():
            forget_gradient_with_graph(tf.nest.flatten(results)[0])
        return results

    return transform


def differentiated(tensors: Tensors) -> bool:
    """Whether something wants gradients now, and may ask for those with respect to tensors."""
    return _WANTED.get() and may_be_differentiated(tensors)


def _pulled_back(function: Callable[..., Any], inputs: Tensors, slopes: Tensors) -> list[tf.Tensor]:
    """Slopes by a function's results, turned into slopes by its inputs."""
    with tf.GradientTape() as tape, _gradients(True):
        tape.watch(inputs)
        results = function(*inputs)
    return list(tape.gradient(results, inputs, slopes, tf.UnconnectedGradients.ZERO))  # type: ignore[call-overload]  # the stubs want a list


def adjoint_of(function: Callable[..., Any], count: int) -> Callable[..., list[tf.Tensor]]:
    """The gradient of a function of `count` tensors, as a function of these and of slopes."""

    @tf.autograph.experimental.do_not_convert  # an export traces gradients on their own
    def adjoint(*both: tf.Tensor) -> list[tf.Tensor]:
        return _pulled_back(function, both[:count], both[count:])

    return adjoint


class Recomputed:
    """A function of a batch that keeps no intermediate tensor for its gradient.

    The gradient recomputes what it needs, part by part. Gradients with respect to shared tensors
    are sums over the items. Both gradients are `Recomputed` functions too, so gradients have
    gradients.

    Args:
        task: The function to compute for each part of the batch.
        deal: Computes the task, and its gradients, for all parts.
    """

    def __init__(self, task: Task, deal: Deal):
        self._task = task
        self._deal = deal
        self._gradients: dict[tuple[int, bool], Recomputed] = {}

    def __call__(self, items: Tensors, shared: Tensors = ()) -> list[tf.Tensor]:
        """Results for a batch."""
        count = len(items)
        # Shared tensors without a gradient stay out of the arguments, and so out of the graph.
        arguments = [*items, *shared] if differentiated(shared) else [*items]

        @custom_gradient
        def compute(*tensors: tf.Tensor) -> tuple[list[tf.Tensor], Callable]:
            items, own = tensors[:count], tensors[count:] or shared
            with _gradients(False):  # no tape needs to record the computation
                stopped = [tf.stop_gradient(x) for x in items], [tf.stop_gradient(w) for w in own]
                results = self._deal(self._task, *stopped)

            def gradient(*slopes: tf.Tensor) -> list[tf.Tensor]:
                more = (items, (*own, *slopes)) if self._task.total else ((*items, *slopes), own)
                by_items = self._gradient(count, by_shared=False)(*more)
                if len(tensors) == count:
                    return by_items
                return by_items + self._gradient(len(own), by_shared=True)(*more)

            return results, gradient

        return compute(*arguments)

    def _gradient(self, inputs: int, by_shared: bool) -> "Recomputed":
        """The gradient by items or by shared tensors, as a function of both and of slopes."""
        if (inputs, by_shared) not in self._gradients:
            task = Task(_adjoint(self._task, by_shared), inputs, total=by_shared)
            self._gradients[inputs, by_shared] = Recomputed(task, self._deal)
        return self._gradients[inputs, by_shared]


def _adjoint(task: Task, by_shared: bool) -> Function:
    """The gradient of a task by its items, or by shared tensors; slopes follow its arguments."""

    @tf.autograph.experimental.do_not_convert  # an export traces gradients on their own
    def adjoint(mode: Mode, items: Tensors, shared: Tensors) -> list[tf.Tensor]:
        if task.total:
            shared, slopes = shared[: -task.outputs], shared[-task.outputs :]
        else:
            items, slopes = items[: -task.outputs], items[-task.outputs :]
        # A shared tensor comes from outside of the part's graph, and an identity brings it in.
        inputs = [tf.identity(w) for w in shared] if by_shared else list(items)

        def function(*inputs: tf.Tensor) -> list[tf.Tensor]:
            arguments = (items, inputs) if by_shared else (inputs, shared)
            return task.function(dataclasses.replace(mode, gradient=True), *arguments)

        return _pulled_back(function, inputs, slopes)

    return adjoint
