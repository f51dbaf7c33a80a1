"""Gradients of our own, which stand in a graph only where something may ask for them.

TensorFlow cannot know that a custom gradient will never be used: it keeps it, in operations around
what it belongs to, traces it once more for a SavedModel, and writes it there.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

_WANTED = contextvars.ContextVar("_WANTED", default=True)


@contextlib.contextmanager
def _gradients(wanted: bool) -> Iterator[None]:
    before = _WANTED.set(wanted)
    try:
        yield
    finally:
        _WANTED.reset(before)


def custom_gradient(function: Callable) -> Callable:
    """`tf.custom_gradient`, or what the function gives alone where its gradient is not wanted."""
    both = tf.custom_gradient(function)

    def transform(*tensors: tf.Tensor) -> Any:
        return both(*tensors) if _WANTED.get() else function(*tensors)[0]

    return transform


def adjoint_of(function: Callable, count: int) -> Callable:
    """The gradient of a function of so many tensors: a function of them, and of slopes."""

    @tf.autograph.experimental.do_not_convert  # exporting traces gradients on their own
    def adjoint(*both: tf.Tensor) -> list[tf.Tensor]:
        inputs, slopes = both[:count], both[count:]
        with tf.GradientTape() as tape, _gradients(True):
            tape.watch(inputs)
            results = function(*inputs)
        return list(tape.gradient(results, inputs, slopes, tf.UnconnectedGradients.ZERO))

    return adjoint


def recomputed(
    apply: Callable,
    functions: Sequence[Callable],
    tensors: Sequence[tf.Tensor],
    outputs: int,
    adjoints: Sequence[Callable] | None = None,
) -> Any:
    """What `apply` makes of functions, tensors and the number of outputs.

    So it does of their gradients, which compute anew what they need: no intermediate tensor is kept
    until then. A function takes tensors and gives a list of them, signal by signal.
    """
    backward = adjoints or [adjoint_of(function, len(tensors)) for function in functions]

    @custom_gradient
    def run(*tensors: tf.Tensor) -> tuple[Any, Callable]:
        # No tape need record what becomes of them.
        with _gradients(False):
            results = apply(functions, [tf.stop_gradient(x) for x in tensors], outputs)
        return results, lambda *slopes: recomputed(apply, backward, tensors + slopes, len(tensors))

    return run(*tensors)
