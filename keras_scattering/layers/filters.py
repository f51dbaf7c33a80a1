"""Filters as weights of a layer."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_scattering import _validate

_ROUNDING = 1e-5  # of filters designed on other machines, relative to the largest value


class Filter(keras.Variable):
    """Filters or averages of a layer, which only the layer's arguments can change.

    Files of weights and `set_weights` may hold the filters of other arguments. With these, a layer
    would compute another transform than its arguments state.
    """

    def assign(self, value: Any) -> Any:
        """Accept the filters as they are, and refuse any others."""
        if not tf.is_symbolic_tensor(value) and self._equals(value):
            return value
        raise ValueError(
            f"Filter {self.path!r} follows from the layer's arguments and the size of its input, "
            "and is never loaded or set: make a layer with the arguments that the filters were "
            f"made with. Received: other values, of shape {np.shape(value)}"
        )

    def _equals(self, value: Any) -> bool:
        """Whether values are those of the filters, up to rounding."""
        with tf.init_scope():  # out of a graph, where variables have no values
            own, theirs = self.numpy(), np.asarray(value)
        if own.shape != theirs.shape or not _validate.is_real(theirs.dtype):
            return False
        return bool(np.abs(own - theirs).max(initial=0) <= _ROUNDING * np.abs(own).max())
