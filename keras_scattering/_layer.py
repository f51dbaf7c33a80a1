"""What all scattering layers share: shapes, weights, calls and saving."""

import abc
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_scattering import _validate
from keras_scattering._cascade import scatter
from keras_scattering.plans.plan import Plan

Shape = tuple[int | None, ...]


class ScatteringLayer(keras.Layer, abc.ABC):
    """Abstract: a scattering transform of signals with `rank` axes, as its plan prescribes."""

    rank: int
    axes: str  # names of the signal's axes, for messages

    def __init__(self, data_format: str | None, **kwargs: Any):
        # Inputs are cast in `call`, lest a mixed policy round them to half precision first.
        super().__init__(autocast=False, **kwargs)
        self.data_format = _validate.data_format(data_format)
        self._plan: Plan | None = None
        self._batch_shape: Shape | None = None  # what the layer was built for

    @abc.abstractmethod
    def _make_plan(self, size: tuple[int, ...]) -> Plan:
        """The plan for signals of a size."""

    def meta(self) -> dict[str, np.ndarray]:
        """The paths of the output, as columns of equal length: one row a path, in output order.

        Missing values are NaN in float columns and -1 in integer ones. The class says which columns
        there are. `pandas.DataFrame(layer.meta())` makes a table of it.

        Raises:
            ValueError: Before the layer is built, since paths depend on the signal's size.
        """
        if self._plan is None:
            raise ValueError(
                f"{type(self).__name__}.meta() needs a built layer, since the paths depend on the "
                f"signal's size: call the layer, or `build(input_shape)`, first. "
                f"Received: layer {self.name!r}, not built"
            )
        return {name: column.copy() for name, column in self._plan.meta.items()}

    # Shapes

    def _channel_axis(self, shape: Shape) -> int | None:
        """Where a batched input shape has its channels."""
        if len(shape) == self.rank + 1:
            return None
        return 1 if self.data_format == "channels_first" else self.rank + 1

    def _size(self, shape: Shape) -> tuple[int, ...]:
        """Size of the signals in a batched input shape, refused if it is not one."""
        if len(shape) not in (self.rank + 1, self.rank + 2):
            last = self.data_format == "channels_last"
            channels = f"{self.axes}, channels" if last else f"channels, {self.axes}"
            raise ValueError(
                f"{type(self).__name__} takes inputs of shape (batch, {self.axes}) or "
                f"(batch, {channels}). Received: rank {len(shape)}, shape {shape}"
            )
        if None in shape[1:]:
            raise ValueError(
                f"{type(self).__name__} designs its filters for the size of its input: only the "
                f"batch may be unknown. Received: shape {shape}"
            )
        axis = self._channel_axis(shape)
        return tuple(int(n) for i, n in enumerate(shape) if n is not None and i not in (0, axis))

    def _batched(self, shape: Shape) -> Shape:
        """An input shape with its batch axis, which a single signal in a `tf.data` map lacks."""
        if self._batch_shape is None:
            single = len(shape) == self.rank and None not in shape
        else:
            single = shape == self._batch_shape[1:]
        return (None, *shape) if single else shape

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """Shape of the output; for T=0 a list, one shape a path."""
        shape = tuple(input_shape)
        batched = self._batched(shape)
        size = self._size(batched)
        plan = self._plan if self._batch_shape and batched[1:] == self._batch_shape[1:] else None
        plan = plan or self._make_plan(size)
        axis = self._channel_axis(batched)
        channels = None if axis is None else batched[axis]
        outputs = self._output_shapes(plan, channels)
        lead = () if len(batched) > len(shape) else shape[:1]
        outputs = [(*lead, *output) for output in outputs]
        return outputs[0] if plan.stacked else outputs

    def _output_shapes(self, plan: Plan, channels: int | None) -> list[tuple[int, ...]]:
        """Shapes of the outputs, batch aside."""
        if plan.stacked:
            paths, *size = plan.outputs[0]
            return [self._with_channels(tuple(size), paths * (channels or 1))]
        if channels is None:
            return list(plan.outputs)
        return [self._with_channels(size, channels) for size in plan.outputs]

    def _with_channels(self, size: tuple[int, ...], channels: int) -> tuple[int, ...]:
        return (channels, *size) if self.data_format == "channels_first" else (*size, channels)

    # Building and calling

    @property
    def _precision(self) -> str:
        """What the layer computes in: float64 if that is asked for, and never less than float32."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def build(self, input_shape: Shape) -> None:
        """Design the filters for signals of the input's size, and keep them as weights."""
        shape = self._batched(tuple(input_shape))
        plan = self._make_plan(self._size(shape))
        design = plan.design(np.dtype(self._precision))
        self._filters = {
            name: self.add_weight(
                name=name,
                shape=array.shape,
                dtype=self._precision,
                initializer=lambda *_, array=array, **__: tf.constant(array),
                trainable=False,
                autocast=False,
            )
            for name, array in design.arrays.items()
        }
        design.arrays.clear()  # the weights hold them now
        self._plan, self._design = plan, design
        self._batch_shape = (None, *shape[1:])

    def call(self, inputs: Any) -> Any:
        """Scattering coefficients of a batch of signals, or of a single one."""
        x = tf.convert_to_tensor(inputs)
        if x.dtype.is_complex:
            raise ValueError(
                f"{type(self).__name__} takes real input. Received: dtype {x.dtype.name}"
            )
        single = len(x.shape) == len(self._batch_shape) - 1
        if single:
            x = x[None]
        if tuple(x.shape[1:]) != self._batch_shape[1:]:
            raise ValueError(
                f"{type(self).__name__} was built for inputs of shape {self._batch_shape}. "
                f"Received: shape {tuple(x.shape)}"
            )
        x = tf.cast(x, self._precision)
        axis = self._channel_axis(x.shape)
        signals = x
        if axis is not None:
            if axis != 1:
                signals = tf.transpose(x, (0, axis, *range(1, axis)))
            signals = tf.reshape(signals, (-1, *signals.shape[2:]))
        weights = {name: tf.convert_to_tensor(weight) for name, weight in self._filters.items()}
        outputs = scatter(self._plan, self._design, weights, signals)
        channels = None if axis is None else x.shape[axis]
        outputs = [self._finish(y, channels) for y in outputs]
        if single:
            outputs = [y[0] for y in outputs]
        return outputs[0] if self._plan.stacked else outputs

    def _arrange(self, y: tf.Tensor) -> tf.Tensor:
        """Stacked output as (batch, paths, *size), where the cascade's rows are not just that."""
        return y

    def _finish(self, y: tf.Tensor, channels: int | None) -> tf.Tensor:
        """Merge the channels with the paths, and put them where the data format says."""
        y = tf.cast(y, self.compute_dtype)
        if self._plan.stacked:
            y = self._arrange(y)
        elif channels is None:
            return y
        else:
            y = y[:, None]
        y = tf.reshape(y, (-1, y.shape[1] * (channels or 1), *y.shape[2:]))
        if self.data_format == "channels_last":
            y = tf.transpose(y, (0, *range(2, len(y.shape)), 1))
        return y

    # Saving

    def get_config(self) -> dict[str, Any]:
        """The arguments the layer was made with."""
        return {**super().get_config(), "data_format": self.data_format}

    def save_own_variables(self, store: Any) -> None:
        """Nothing is stored: the filters follow from the arguments and the input's size."""

    def load_own_variables(self, store: Any) -> None:
        """Nothing to load: `build` has designed the filters."""
