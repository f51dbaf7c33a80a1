"""Filters as weights of a layer."""

from typing import Any

import keras
import numpy as np

_ROUNDING = 1e-5  # of filters designed on other machines, relative to the largest value


class Filter(keras.Variable):
    """Filters or averages of a layer, which only the layer's arguments can change.

    Files of weights and `set_weights` may hold the filters of other arguments. With these, a layer
    would compute another transform than its arguments state.
    """

    def assign(self, value: Any) -> Any:
        """Accept the filters as they are, and refuse any others."""
        own, theirs = self.numpy(), np.asarray(value)
        same = own.shape == theirs.shape
        if not (same and np.abs(own - theirs).max(initial=0) <= _ROUNDING * np.abs(own).max()):
            raise ValueError(
                f"Filter {self.path!r} follows from the layer's arguments and the size of its "
                "input, and is never loaded or set: make a layer with the arguments that the "
                f"filters were made with. Received: other values, of shape {theirs.shape}"
            )
        return value
