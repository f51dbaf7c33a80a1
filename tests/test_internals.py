"""Without what the package uses of TensorFlow's internals it computes the same."""

import functools
import types

import numpy as np
import pytest
import tensorflow as tf

from keras_scattering import Scattering1D, Scattering2D
from keras_scattering.runtime import tensorflow_internals

LAYERS = {
    "1d": (lambda: Scattering1D(J=2), (32,)),
    "2d": (lambda: Scattering2D(J=1, L=2), (8, 9)),
    "jit": (lambda: Scattering2D(J=1, L=2, jit_compile=True), (8, 9)),
}


BATCHES = (1, 3, 9)  # which a layer computes in different ways


def results(kind):
    """For each batch, coefficients and gradients by signals and by a filter; in a new graph."""
    make, shape = LAYERS[kind]
    layer = make()
    layer.build((None, *shape))

    @tf.function(input_signature=[tf.TensorSpec((None, *shape))], autograph=False)
    def run(x):
        weight = layer.weights[0].value
        with tf.GradientTape() as tape:
            tape.watch([x, weight])
            y = layer(x)
        return [y, *tape.gradient(y, [x, weight], tf.cos(y))]

    x = np.random.default_rng(0).standard_normal((max(BATCHES), *shape)).astype("float32")
    return [array for batch in BATCHES for array in run(x[:batch])]


whole = functools.cache(results)


def without(*names):
    """TensorFlow's raw operations but for some."""
    kept = {name: getattr(tf.raw_ops, name) for name in dir(tf.raw_ops) if name not in names}
    return types.SimpleNamespace(**kept)


def without_attributes(_):
    """The signature of a `tf.function` that takes no experimental attributes."""
    return types.SimpleNamespace(parameters={})


GONE = {
    "DeviceIndex": lambda patch: patch(tf, "raw_ops", without("DeviceIndex")),
    "PartitionedCall": lambda patch: patch(tf, "raw_ops", without("PartitionedCall")),
    "MapDefun": lambda patch: patch(tf, "raw_ops", without("MapDefun")),
    "_noinline": lambda patch: patch(
        tensorflow_internals, "inspect", types.SimpleNamespace(signature=without_attributes)
    ),
    "record": lambda patch: patch(tensorflow_internals, "_record", None),
}


@pytest.mark.slow
@pytest.mark.parametrize("gone", GONE)
@pytest.mark.parametrize("kind", ["1d", "2d", "jit"])
def test_fallbacks_give_the_same(kind, gone, monkeypatch):
    expected = whole(kind)
    GONE[gone](monkeypatch.setattr)
    for found, wanted in zip(results(kind), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
