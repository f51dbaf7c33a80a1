"""The meaning of the axes of a layer's input and output."""

import dataclasses
import math
import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_scattering import _validate
from keras_scattering.engine.axes import sizes

Shape = tuple[int | None, ...]
_FEW = 4  # most inputs have no more channels, and signals have more samples


def _moved(y: tf.Tensor, behind: int) -> tf.Tensor:
    """A tensor with axis 1 moved back, so that `behind` axes follow it."""
    rank = len(y.shape)
    return tf.transpose(y, (0, *range(2, rank - behind), 1, *range(rank - behind, rank)))


@dataclasses.dataclass(frozen=True)
class Signals:
    """Signals of one rank in batches, with or without channels.

    Args:
        layer: Name of the layer's class, for messages.
        rank: Number of axes of a signal.
        axes: Names of these axes, for messages.
        data_format: "channels_last" or "channels_first".
        joint: Whether moments compare the channels of an input, so that they stay together.
    """

    layer: str
    rank: int
    axes: str
    data_format: str
    joint: bool = False

    @property
    def channels_last(self) -> bool:
        """Whether channels and paths come last."""
        return self.data_format == "channels_last"

    def channel_axis(self, shape: Shape) -> int | None:
        """Position of the channels in a batched input shape; None without channels."""
        if len(shape) == self.rank + 1:
            return None
        return self.rank + 1 if self.channels_last else 1

    def channels(self, shape: Shape) -> int | None:
        """Channels that are treated one by one; None if there are none, or if they are joint."""
        axis = self.channel_axis(shape)
        return None if axis is None or self.joint else shape[axis]

    def size(self, shape: Shape) -> tuple[int, ...]:
        """Size of the signals in a batched input shape, joint channels first; refuses others."""
        if len(shape) not in (self.rank + 1, self.rank + 2):
            channels = f"{self.axes}, channels" if self.channels_last else f"channels, {self.axes}"
            raise ValueError(
                f"{self.layer} takes inputs of shape (batch, {self.axes}) or "
                f"(batch, {channels}). Received: rank {len(shape)}, shape {shape}"
            )
        if None in shape[1:]:
            raise ValueError(
                f"{self.layer} designs its filters for the size of its input: only the "
                f"batch may be unknown. Received: shape {shape}"
            )
        if not all(n and _validate.is_int(n) and n > 0 for n in shape[1:]):
            raise ValueError(
                f"{self.layer} takes inputs whose sizes are all at least 1, the batch "
                f"aside. Received: shape {shape}"
            )
        axis = self.channel_axis(shape)
        size = tuple(int(n) for i, n in enumerate(shape) if n is not None and i not in (0, axis))
        if math.prod(size) > _validate.LARGEST_SIZE:
            raise ValueError(
                f"{self.layer} takes signals of at most 2**30 samples. Received: shape {shape}"
            )
        return (int(shape[axis] or 0), *size) if self.joint and axis else size

    def batched(self, shape: Any, built: Shape | None) -> Shape:
        """An input shape with its batch axis, which a single signal in a `tf.data` map lacks.

        Args:
            shape: Of an input.
            built: Shape of inputs that the layer is built for, batch first, if it is built.
        """
        if not isinstance(shape, (tuple, list, tf.TensorShape)):
            raise ValueError(
                f"{self.layer} takes one input, of one shape. "
                f"Received: shape {_validate.shown(shape)}"
            )
        shape = tuple(shape)
        if any(isinstance(n, (tuple, list)) for n in shape):
            raise self._not_stacked(f"inputs of shapes {_validate.shown(shape)}")
        if built is None:
            single = len(shape) == self.rank and None not in shape
        else:
            single = shape == built[1:]
        return (None, *shape) if single else shape

    def _not_stacked(self, received: str) -> ValueError:
        return ValueError(
            f"{self.layer} takes one array for all signals of a batch: stack signals of one size "
            f"(`np.stack`), pad or crop those of many. Received: {received}"
        )

    def refuse_other_than_an_array(self, inputs: Any) -> None:
        """Refuse what Keras would take apart, or not convert to one dense tensor of numbers."""
        if isinstance(inputs, (list, tuple)):
            if inputs and all(hasattr(item, "shape") for item in inputs):
                shapes = tuple(tuple(item.shape) for item in inputs)
                raise self._not_stacked(f"inputs of shapes {_validate.shown(shapes)}")
            kinds = " and ".join(sorted({type(item).__name__ for item in inputs}))
            raise self._not_stacked(f"{len(inputs)} inputs of type {kinds or 'none'}")
        if not hasattr(inputs, "shape"):
            raise ValueError(
                f"{self.layer} takes one array or tensor. Received: {_validate.shown(inputs)}"
            )
        symbol = isinstance(inputs, keras.KerasTensor)
        if isinstance(inputs, tf.SparseTensor) or (symbol and inputs.sparse):
            raise ValueError(
                f"{self.layer} takes dense input, which `tf.sparse.to_dense` makes of a sparse "
                f"tensor. Received: a sparse tensor of shape {inputs.shape}"
            )
        if isinstance(inputs, tf.RaggedTensor) or (symbol and getattr(inputs, "ragged", False)):
            raise ValueError(
                f"{self.layer} takes signals of one size: pad or crop them, by "
                f"`to_tensor(shape=(None, ...))` of the ragged tensor. "
                f"Received: a ragged tensor of shape {inputs.shape}"
            )
        if isinstance(inputs, np.ndarray) and not _validate.is_real(inputs.dtype):
            raise self.not_real(str(inputs.dtype))

    def not_real(self, dtype: str) -> ValueError:
        """The error for input of a type that is not real."""
        return ValueError(f"{self.layer} takes real input. Received: dtype {dtype}")

    def reading(self, shape: Shape) -> str:
        """A batched input shape in words: which axis is taken for what."""
        names = ["batch", *self.axes.split(", ")]
        axis = self.channel_axis(shape)
        hint = ""
        if axis is None:
            hint = "; a single input with channels needs a batch axis in front"
        else:
            names.insert(axis, "channels")
            other = "channels_first" if self.channels_last else "channels_last"
            hint = f"; where the channels stand elsewhere, take data_format={other!r}"
        return f"The input's shape {shape} is read as ({', '.join(names)}){hint}"

    def warn_of_channels(self, shape: Shape) -> None:
        """Warn of inputs whose channels seem to stand where the data format has no channels."""
        axis = self.channel_axis(shape)
        if axis is None:
            return
        elsewhere = 1 if self.channels_last else -1  # where the other data format has them
        channels, samples = (shape[i] or 0 for i in (axis, elsewhere))
        if samples <= _FEW < channels:
            warnings.warn(
                f"{self.layer}: are channels and samples in their places? {self.reading(shape)}",
                stacklevel=2,
            )

    def with_channels(self, size: tuple[int, ...], channels: int) -> tuple[int, ...]:
        """The shape of an output without the batch."""
        return (*size, channels) if self.channels_last else (channels, *size)

    def split(self, x: tf.Tensor, shape: Shape) -> tf.Tensor:
        """Inputs as items: signals (batch * channels, *size), or joint channels together."""
        axis = self.channel_axis(shape)
        if axis is None:
            return x
        if axis != 1:
            x = tf.transpose(x, (0, axis, *range(1, axis)))
        return x if self.joint else tf.reshape(x, (-1, *x.shape[2:]))

    def arrange(self, y: tf.Tensor) -> tf.Tensor:
        """Stacked coefficients (batch, paths, *size), in the layout of the data format."""
        return _moved(y, 0) if self.channels_last else y

    def merge(self, y: tf.Tensor, channels: int | None, stacked: bool) -> tf.Tensor:
        """Move channels from the batch to the item, merged with the paths if these are stacked."""
        if channels is None:
            return y
        y = tf.reshape(y, (-1, channels, *y.shape[1:]))
        if self.channels_last:
            y = _moved(y, 1 if stacked else 0)
        if not stacked:
            return y
        shape = sizes(y)
        first, second = shape[-2:] if self.channels_last else shape[1:3]
        size = shape[1:-2] if self.channels_last else shape[3:]
        return tf.reshape(y, (-1, *self.with_channels(size, first * second)))
