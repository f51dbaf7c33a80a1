"""The base of layers of covariances, which have many rows."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

from keras_scattering import _validate
from keras_scattering.layers.signals import Shape
from keras_scattering.layers.spectra import SpectraLayer
from keras_scattering.plans.phase import CLASSES


def classes_of_moments(value: str | Sequence[str]) -> tuple[str, ...]:
    """The names of classes of moments, one or several, each once."""
    names = (value,) if isinstance(value, str) else value
    known = isinstance(names, (tuple, list)) and names and all(name in CLASSES for name in names)
    if not known or len(set(names)) < len(names):
        raise ValueError(
            f"Argument `moments` must be one or several of {', '.join(map(repr, CLASSES))}, each "
            f"once. Received: moments={_validate.shown(value)}"
        )
    return tuple(names)


class CovarianceLayer(SpectraLayer):
    """Covariances of functions of filtered signals, from which signals can be made again."""

    def _periodic_oversampling(self, value: Any) -> int | None:
        """None or an integer, which only a signal without padding can have."""
        oversampling = _validate.optional_natural("oversampling", value)
        if oversampling is not None and self.padding not in ("periodic", "none"):
            raise ValueError(
                "Argument `oversampling` must be None where signals are padded, since sums over a "
                "part of a coarser grid differ too much. "
                f"Received: oversampling={oversampling}, padding={self.padding!r}"
            )
        return oversampling

    def _design(self, shape: Shape) -> None:
        super()._design(shape)
        rows = math.prod(self._built(type(self).__name__).plan.outputs[0])
        numbers = math.prod(self._signals.size(shape))
        if rows > numbers:
            warnings.warn(
                f"{type(self).__name__} has {rows:,} rows for signals of {numbers:,} numbers. What "
                "is made to match them tends to be a copy of the signal that they were measured "
                "on: take larger signals, or fewer scales, angles or shifts.",
                stacklevel=2,
            )
