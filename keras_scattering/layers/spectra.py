"""The base of layers of moments: means over the signal, divided by powers."""

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_scattering import _validate
from keras_scattering.engine.ratios import powers, ratios
from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.layers.signals import Shape
from keras_scattering.plans.plan import Ratios

NORMALIZATIONS = (True, False, "adapted")


class SpectraLayer(ScatteringLayer):
    """Moments of signals and of their moduli, divided by powers as `normalize` says."""

    def __init__(
        self,
        normalize: bool | str,
        padding: str,
        data_format: str | None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        if not isinstance(normalize, bool):
            normalize = _validate.one_of("normalize", normalize, NORMALIZATIONS)
        self.normalize = normalize
        self.padding = _validate.one_of("padding", padding, _validate.PADDINGS)
        self._powers: keras.Variable | None = None  # (channels, powers), after `adapt`

    def _ratios(self) -> Ratios:
        rule = self._built(f"{type(self).__name__}.adapt()").plan.ratios
        if rule is None:
            raise TypeError(f"The plan of {type(self).__name__} has no ratios")
        return rule

    def _design(self, shape: Shape) -> None:
        super()._design(shape)
        if self.normalize == "adapted":
            channels = self._signals.channels(shape) or 1
            rule = self._ratios()
            self._powers = keras.Variable(
                np.zeros((channels, len(rule.powers) + len(rule.levels))),
                dtype=self._precision,
                trainable=False,
                autocast=False,  # under a mixed policy too
                name="powers",
            )

    @property
    def adapted(self) -> bool:
        """Whether the layer has powers to divide by: those that `adapt` or a file gave it."""
        if self._powers is None:
            return False
        with tf.init_scope():  # graphs ask too, when they are made
            return bool(np.any(self._powers.value.numpy()))

    def adapt(self, data: Any, batch_size: int = 32) -> None:
        """Take the mean powers of data, by which `normalize="adapted"` divides the moments.

        The powers are weights of the layer, one set per channel, and are saved with it. Another
        call replaces them.

        Args:
            data: Signals: an array with the batch first, a `tf.data.Dataset` of batches, or any
                iterable of batches. Of tuples, such as signals with labels, the first entry counts.
            batch_size: Signals per step, for an array.

        Raises:
            ValueError: If `normalize` is not `"adapted"`. If there are no data, or no batches of
                signals. If all are zero, some not finite, or all of a size whose squares the
                layer's precision does not hold.
        """
        if self.normalize != "adapted":
            raise ValueError(
                "Only a layer with `normalize='adapted'` takes the powers of data. "
                f"Received: normalize={self.normalize!r}"
            )
        total, count, largest = np.zeros(()), 0, 0.0
        for batch in self._batches(data, _validate.positive_int("batch_size", batch_size)):
            if not self.built:
                self.build(tuple(batch.shape))
            self._check(tuple(batch.shape), batch.dtype.name)
            (y,) = super()._coefficients(tf.cast(batch, self._precision))
            own = powers(y, self._ratios()).numpy().astype("float64")
            total = total + own.reshape(len(batch), -1, own.shape[1]).sum(0)
            count += len(batch)
            largest = max(largest, float(tf.reduce_max(tf.abs(tf.cast(batch, "float64")))))
        if largest:
            _validate.refuse_beyond("data", largest, self._precision, squared=True)
        if self._powers is None or not np.isfinite(total).all() or not total.any():
            raise ValueError(
                "Argument `data` must hold signals that are finite and not all zero. "
                f"Received: {count} signals with powers {_validate.shown(total)}"
            )
        self._powers.assign(total / count)

    def _batches(self, data: Any, batch_size: int) -> Iterator[tf.Tensor]:
        """Batches of signals, from an array or from batches with or without labels."""
        if hasattr(data, "__array__"):
            whole = self._batch(data)
            yield from (whole[i : i + batch_size] for i in range(0, len(whole), batch_size))
        elif isinstance(data, Iterable):
            for batch in data:
                yield self._batch(batch[0] if isinstance(batch, (tuple, list)) else batch)
        else:
            raise self._no_batch(data)

    def _batch(self, batch: Any) -> tf.Tensor:
        try:
            batch = tf.convert_to_tensor(batch)
        except (TypeError, ValueError) as error:
            raise self._no_batch(batch) from error
        if batch.shape.rank - self.rank not in (1, 2):
            raise self._no_batch(batch)
        return batch

    def _no_batch(self, received: Any) -> ValueError:
        shape = getattr(received, "shape", None)
        what = _validate.shown(received) if shape is None else f"shape {tuple(shape)}"
        return ValueError(
            f"Argument `data` must be an array of signals (batch, {self.axes}), with or without "
            f"channels, or an iterable of such batches. Received: {what}"
        )

    def _coefficients(self, x: tf.Tensor) -> list[tf.Tensor]:
        """The results of the transform, (batch * channels, ...), of inputs in its precision."""
        (y,) = super()._coefficients(x)
        rule = self._ratios()
        if rule.own or self._powers is None:
            return [y]
        if not self.adapted:
            raise ValueError(
                f"Layer {self.name!r} divides by the powers of data that it has not seen: call "
                "`adapt(data)` first. Received: normalize='adapted'"
            )
        known = tf.convert_to_tensor(self._powers)
        y = ratios(tf.reshape(y, (-1, known.shape[0], y.shape[1])), known, rule)
        return [tf.reshape(y, (-1, y.shape[2]))]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the layer by its configuration, and with the powers of data if it has them."""
        return keras.Layer.__reduce__(self) if self.adapted else super().__reduce__()

    def save_own_variables(self, store: Any) -> None:
        """Store the powers of data; the filters follow from the arguments and the input's size."""
        if self._powers is not None and self.adapted:
            store["powers"] = self._powers.value.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Load the powers of data; `build` has designed the filters."""
        if self._powers is not None and "powers" in store:
            self._powers.assign(store["powers"])

    def get_config(self) -> dict[str, Any]:
        """The arguments of the layer."""
        return {
            **super().get_config(),
            "normalize": self.normalize,
            "padding": self.padding,
        }
