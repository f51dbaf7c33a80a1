"""Gradients of signals of any amplitude: S(c x) = c**q S(x), so slopes scale by c**(q - 1)."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from layers import CASES

from keras_scattering import HarmonicScattering3D

NAMES = (
    "1d",
    "2d",
    "3d-channels-first",
    "tf",
    "1d-list",
    "spectra1d-channels",
    "spectra2d-channels-first",
)
SMALL = [case for case in CASES if case.name in NAMES]
WAYS = {"plain": {}, "jit": {"jit_compile": True}, "matrix": {"fft": "matrix"}}


def every(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def first_output(layer, x):
    return keras.tree.flatten(layer(x))[-1]


def gradient(layer, x, slope):
    @tf.function(input_signature=[tf.TensorSpec((None, *x.shape[1:]), x.dtype)], autograph=False)
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = first_output(layer, x)
        return y, tape.gradient(y, x, tf.cast(slope, y.dtype))

    return run(tf.constant(x))


@every([case for case in SMALL if not case.name.startswith("3d")])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("c", [2.0**-100, 2.0**126])
def test_gradients_do_not_depend_on_the_amplitude(case, way, c):
    layer, x = case.make(**WAYS[way]), case.inputs(3) / 8
    slope = np.random.default_rng(1).standard_normal(first_output(layer, x).shape)
    _, expected = gradient(layer, x, slope)
    y, found = gradient(layer, np.float32(c) * x, slope)
    assert np.isfinite(y).all()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


POWERS = [(2.0, 2.0**60), (2.0, 2.0**-40), (1.0, 2.0**120), (0.5, 2.0**120)]


@pytest.mark.parametrize(("q", "c"), POWERS)
def test_gradients_of_powers_are_finite_where_coefficients_are(q, c):
    layer = HarmonicScattering3D(J=1, L=2, integral_powers=(q,))
    x = np.random.default_rng(0).standard_normal((2, 6, 5, 4)).astype("float32") / 8
    slope = np.ones(layer(x).shape)
    y, expected = gradient(layer, x, slope)
    z, found = gradient(layer, np.float32(c) * x, slope)
    np.testing.assert_allclose(z, c**q * np.float64(y), rtol=1e-5)
    expected = c ** (q - 1) * np.float64(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@every(SMALL)
@pytest.mark.parametrize("c", [1e-30, 1.0, 1e30])
def test_gradients_of_gradients_are_the_limits_of_differences(case, c):
    layer, rng = case.make(dtype="float64"), np.random.default_rng(0)
    x, v = (c * rng.standard_normal((3, *case.shape)) for _ in range(2))
    slope = rng.standard_normal(first_output(layer, x).shape)

    @tf.function(autograph=False)
    def twice(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = first_output(layer, x)
            g = inner.gradient(y, x, slope)
        return g, outer.gradient(g, x, tf.constant(v))

    _, found = twice(tf.constant(x))
    step = 1e-6
    ahead, behind = (twice(tf.constant(x + s * step * v))[0] for s in (1, -1))
    difference = (ahead - behind) / (2 * step)  # the second derivative is symmetric
    np.testing.assert_allclose(found, difference, rtol=0, atol=1e-4 * np.abs(difference).max())
