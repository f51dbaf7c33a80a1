"""Models as functions of batches, with fingerprints that identify them."""

import functools
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_scattering import _validate
from keras_scattering.layers.base import ScatteringLayer

# Amplitudes of the noises for a model's fingerprint. A sigmoid does not saturate at the small ones.
_AMPLITUDES = (0.01, 1.0, 100.0)
_ROUNDING = 1e-4  # of a model's outputs on different machines


class Loaded(NamedTuple):
    """A model that is ready to run."""

    apply: Callable[[Any], Any]  # function of a batch
    shape: tuple[int, ...]  # shape of one item
    dtype: str
    meta: dict[str, np.ndarray]  # of the one scattering layer, if its paths remain


def load(model: Any, sampling_rate: float | None = None) -> Loaded:
    """A layer or a model, in memory or saved, as a function of batches."""
    if isinstance(model, (str, os.PathLike)):
        if os.path.isdir(model):
            return _load_exported(model)
        model = keras.saving.load_model(model)
    if isinstance(model, ScatteringLayer):
        layers, apply = [model], model
        shape, dtype = model._built("extract()").shape, model._precision
    elif isinstance(model, keras.Model) and model.built and len(model.inputs or ()) == 1:
        layers = [x for x in model._flatten_layers() if isinstance(x, ScatteringLayer)]
        shape, dtype = model.inputs[0].shape, model.inputs[0].dtype
        apply = functools.partial(model, training=False)
    else:
        raise ValueError(
            "Argument `model` must be a built scattering layer, a model with one input, or the "
            f"path of a .keras file or of a SavedModel. Received: model={_validate.shown(model)}"
        )
    meta = {}
    if len(layers) == 1 and _keeps_paths(model, layers[0]):
        rate = sampling_rate if layers[0].axes == "time" else None
        meta = layers[0].meta(rate)
    graph = tf.function(apply, input_signature=[tf.TensorSpec(shape, dtype)], autograph=False)
    return Loaded(graph, *_item(shape, dtype), meta)


def _keeps_paths(model: keras.Layer, layer: ScatteringLayer) -> bool:
    """Whether an output of a model has as many paths as the scattering layer in it."""
    if model is layer:
        return True
    own, outputs = keras.tree.flatten(layer.output), keras.tree.flatten(model.output)
    if len(own) > 1:  # a path each
        return len(own) == len(outputs)
    axis = -1 if layer._signals.channels_last else 1
    return any(y.shape[axis] == own[0].shape[axis] for y in outputs if len(y.shape) > 1)


def _load_exported(folder: str | os.PathLike) -> Loaded:
    exported = tf.saved_model.load(os.fspath(folder))
    serve = exported.signatures["serving_default"]
    inputs = serve.structured_input_signature[1]
    if len(inputs) != 1:
        raise ValueError(
            f"Argument `model` must have one input. Received: inputs {sorted(inputs)} of {folder}"
        )
    ((name, spec),) = inputs.items()

    def apply(x: Any, _: Any = exported) -> Any:  # the signature needs `exported` to stay alive
        return serve(**{name: tf.convert_to_tensor(x)})

    return Loaded(apply, *_item(tuple(spec.shape), spec.dtype.name), {})


def _item(shape: tuple[int | None, ...], dtype: str) -> tuple[tuple[int, ...], str]:
    """Shape and type of one item of a batch; refuses unknown ones."""
    if None in shape[1:] or not shape or shape[0] is not None or dtype == "string":
        raise ValueError(
            "Argument `model` must take batches of any length, of numbers, of one known size. "
            f"Received: shape {shape}, {dtype}"
        )
    return tuple(n for n in shape[1:] if n is not None), dtype


def output_columns(outputs: Any) -> dict[str, np.ndarray]:
    """Outputs of a model, by the names of their columns."""
    if isinstance(outputs, dict):
        named = [(name, outputs[name]) for name in sorted(outputs)]
    else:
        flat = keras.tree.flatten(outputs)
        named = [(f"coefficients_{i}", y) for i, y in enumerate(flat)]
    if len(named) == 1:
        named = [("coefficients", named[0][1])]
    halves = (tf.float16, tf.bfloat16)  # few readers of Parquet support them
    return {
        name: (tf.cast(y, tf.float32) if y.dtype in halves else tf.convert_to_tensor(y)).numpy()
        for name, y in named
    }


def answers(loaded: Loaded) -> dict[str, np.ndarray]:
    """Outputs of the model for fixed noises, by column."""
    rng, size = np.random.default_rng(0), (len(_AMPLITUDES), *loaded.shape)
    if np.issubdtype(tf.as_dtype(loaded.dtype).as_numpy_dtype, np.integer):
        noise = rng.integers(0, 100, size)
    else:
        amplitudes = np.reshape(_AMPLITUDES, (-1, *[1] * len(loaded.shape)))
        noise = rng.standard_normal(size) * amplitudes
    return output_columns(loaded.apply(noise.astype(loaded.dtype)))


def fingerprint(answered: dict[str, np.ndarray]) -> list[list[float]]:
    """Two numbers per noise, which identify a model by its answers."""
    flat = [y.astype("float64").reshape(len(y), -1) for y in answered.values()]
    flat = np.nan_to_num(np.concatenate(flat, 1))
    return [[float(np.linalg.norm(y)), float(y @ np.cos(np.arange(y.size)))] for y in flat]


def same(ours: list[list[float]], theirs: list[list[float]]) -> bool:
    """Whether two fingerprints belong to one model."""
    a, b = np.array(ours), np.array(theirs)
    return bool((np.abs(a - b) <= _ROUNDING * a[:, :1]).all())
