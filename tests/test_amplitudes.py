"""Gradients of signals of any amplitude: S(c x) = c**q S(x), so slopes scale by c**(q - 1)."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from layers import CASES

from keras_scattering import HarmonicScattering3D

SMALL = [case for case in CASES if case.name in ("1d", "2d", "1d-list", "tf", "3d-channels-first")]
WAYS = {"plain": {}, "jit": {"jit_compile": True}, "matrix": {"fft": "matrix"}}


def every(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def first_output(layer, x):
    return keras.tree.flatten(layer(x))[-1]


def gradients(layer, x, slope):
    """A function of signals like x, in one graph: an output, and the gradient for a slope."""

    @tf.function(input_signature=[tf.TensorSpec((None, *x.shape[1:]), x.dtype)], autograph=False)
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = first_output(layer, x)
        return y, tape.gradient(y, x, tf.cast(slope, y.dtype))

    return run


@pytest.mark.slow
@every([case for case in SMALL if not case.name.startswith("3d")])
@pytest.mark.parametrize("way", ["plain", "jit", "matrix"])
def test_gradients_do_not_depend_on_the_amplitude(case, way):
    layer, x = case.make(**WAYS[way]), case.inputs(3) / 8
    slope = np.random.default_rng(1).standard_normal(first_output(layer, x).shape)
    run = gradients(layer, x, slope)
    _, expected = run(x)
    for c in (2.0**-100, 2.0**126):
        y, found = run(np.float32(c) * x)
        assert np.isfinite(y).all()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("q", "amplitudes"), [(2.0, [2.0**60, 2.0**-40]), (1.0, [2.0**120]), (0.5, [2.0**120])]
)
def test_gradients_of_powers_are_finite_where_coefficients_are(q, amplitudes):
    layer = HarmonicScattering3D(J=1, L=2, integral_powers=(q,))
    x = np.random.default_rng(0).standard_normal((2, 6, 5, 4)).astype("float32") / 8
    slope = np.ones(layer(x).shape)
    run = gradients(layer, x, slope)
    y, base = run(x)
    for c in amplitudes:
        z, found = run(np.float32(c) * x)
        np.testing.assert_allclose(z, c**q * np.float64(y), rtol=1e-5)
        expected = c ** (q - 1) * np.float64(base)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
@every(SMALL)
def test_gradients_of_gradients_are_the_limits_of_differences(case):
    layer, rng = case.make(dtype="float64"), np.random.default_rng(0)
    x, v = (rng.standard_normal((3, *case.shape)) for _ in range(2))
    slope = rng.standard_normal(first_output(layer, x).shape)

    @tf.function(autograph=False)
    def twice(x, v):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = first_output(layer, x)
            g = inner.gradient(y, x, slope)
        return g, outer.gradient(g, x, v)

    step = 1e-6
    for c in (1e-30, 1.0, 1e30):
        _, found = twice(tf.constant(c * x), tf.constant(c * v))
        ahead, behind = (
            twice(tf.constant(c * (x + s * step * v)), tf.constant(c * v))[0] for s in (1, -1)
        )
        difference = (ahead - behind) / (2 * step)  # the second derivative is symmetric
        np.testing.assert_allclose(found, difference, rtol=0, atol=1e-4 * np.abs(difference).max())
