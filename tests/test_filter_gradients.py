"""Gradients with respect to filters are those of the definition, wherever they are asked for."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from layers import VARIED

from keras_scattering.runtime import gradient

BATCH = 5


@functools.cache
def layer_of(case, jit_compile=False, fft="native"):
    layer = case.make(dtype="float64", jit_compile=jit_compile, fft=fft)
    layer.build((None, *case.shape))
    return layer


def energy(layer, x):
    """A function of the coefficients that is not linear in them, and differs from item to item."""
    outputs = [tf.reshape(y, (tf.shape(y)[0], -1)) for y in keras.tree.flatten(layer(x))]
    item = tf.cast(tf.range(tf.shape(x)[0]) + 1, tf.float64)
    return tf.add_n([tf.reduce_sum(item * tf.reduce_sum(tf.sin(y) * y, 1)) for y in outputs])


def gradients(layer, x):
    weights = [weight.value for weight in layer.weights]
    with tf.GradientTape() as tape:
        tape.watch([x, *weights])
        e = energy(layer, x)
    return tape.gradient(e, [x, *weights])


def inputs(case, batch):
    return tf.constant(case.inputs(batch).astype("float64"))


@functools.cache
def expected(case):
    """Item by item, by TensorFlow's own gradients of all operations."""
    rows = []
    layer = layer_of(case)
    for i, x in enumerate(inputs(case, BATCH)):
        weights = [weight.value for weight in layer.weights]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            e = (i + 1) * energy(layer, x[None])
        rows.append(tape.gradient(e, weights))
    return [np.sum(parts, 0) for parts in zip(*rows, strict=True)]


def every(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


@pytest.mark.slow
@every(VARIED)
def test_it_is_the_limit_of_differences(case):
    layer, x, rng = layer_of(case), inputs(case, BATCH), np.random.default_rng(1)
    for weight, slope in zip(layer.weights, expected(case), strict=True):
        # In proportion: where nothing but rounding responds, a modulus has a kink at hand.
        kept, step = weight.numpy(), 1e-6
        direction = rng.standard_normal(weight.shape) * kept
        values = []
        for sign in (1, -1):
            weight.value.assign(kept + sign * step * direction)
            values.append(energy(layer, x).numpy())
        weight.value.assign(kept)
        difference = (values[0] - values[1]) / (2 * step)
        scale = np.linalg.norm(slope) * np.linalg.norm(direction) + 1e-3
        np.testing.assert_allclose(np.vdot(slope, direction), difference, atol=1e-6 * scale)


# All in one way, and in all ways what has a gradient of its own.
WAYS = ["graph", "eager", "known batch", "jit", "matrix", "tape outside"]
OWN = [
    case for case in VARIED if case.name in ("2d", "3d-channels-first", "tf", "phase1d-channels")
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "way"),
    [(case, way) for case in OWN for way in WAYS]
    + [(case, WAYS[0]) for case in VARIED if case not in OWN],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_it_is_the_same_everywhere(case, way, monkeypatch):
    layer = layer_of(case, way == "jit", "matrix" if way == "matrix" else "native")
    x = inputs(case, BATCH)
    if way == "eager":
        # in parts, whose gradients are computed anew
        monkeypatch.setattr(type(layer._state.transform), "_items", lambda self, working_set: 2)
        found = gradients(layer, x)
    elif way == "tape outside":
        function = tf.function(
            lambda x: energy(layer, x),
            [tf.TensorSpec((None, *case.shape), tf.float64)],
            autograph=False,
        )
        function.get_concrete_function()  # made without a tape
        weights = [weight.value for weight in layer.weights]
        with tf.GradientTape() as tape:
            tape.watch([x, *weights])
            e = function(x)
        found = tape.gradient(e, [x, *weights])
    else:
        shape = (BATCH if way == "known batch" else None, *case.shape)
        function = tf.function(
            functools.partial(gradients, layer), [tf.TensorSpec(shape, tf.float64)], autograph=False
        )
        found = function(x)
    assert all(slope is not None for slope in found)
    for slope, wanted in zip(found[1:], expected(case), strict=True):
        np.testing.assert_allclose(slope, wanted, rtol=0, atol=1e-9 * np.abs(wanted).max() + 1e-14)


@pytest.mark.parametrize("asked", [True, False])
def test_it_is_computed_where_it_is_asked_for_only(asked, monkeypatch):
    case = VARIED[1]
    layer, made = layer_of(case), []
    adjoint = gradient._adjoint
    layer = case.make()
    layer.build((None, *case.shape))
    monkeypatch.setattr(
        gradient,
        "_adjoint",
        lambda task, by_shared: made.append(by_shared) or adjoint(task, by_shared),
    )

    @tf.function(input_signature=[tf.TensorSpec((None, *case.shape))], autograph=False)
    def slopes(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            if asked:
                tape.watch([weight.value for weight in layer.weights])
            y = layer(x)
        return tape.gradient(y, x)

    slopes.get_concrete_function()
    assert (True in made) is asked
