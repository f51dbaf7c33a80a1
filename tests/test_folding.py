"""Products with filters and sums over blocks, in either way, are one linear map."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from keras_scattering import Scattering2D
from keras_scattering.engine import folding
from keras_scattering.engine.folding import PlacedWindow, fold

SIZE = (4, 3)
# Filters and blocks of each window.
WINDOWS = [[(3, (2, 1))], [(1, (2, 2))], [(2, (1, 2)), (1, (1, 1)), (1, (2, 2))]]


def noise(seed, *shape):
    return tf.constant(np.random.default_rng(seed).standard_normal(shape))


def setting(kinds):
    """Spectra of 5 x 2 signals on 9 x 8 lines, and windows which may overlap."""
    rng = np.random.default_rng(0)
    windows = []
    for i, (filters, blocks) in enumerate(kinds):
        start = rng.integers(0, (9 - 4 * blocks[0] + 1, 8 - 3 * blocks[1] + 1))
        psi = noise(i, filters, blocks[0] * blocks[1], *SIZE)
        windows.append(PlacedWindow(psi, tuple(start.tolist()), blocks))
    return noise(9, 2, 5, 2, 9, 8), windows


@pytest.mark.parametrize("kinds", WINDOWS)
def test_a_convolution_is_the_sum_of_products(kinds):
    planes, windows = setting(kinds)
    expected = [
        sum(
            planes[..., None, r : r + 4, c : c + 3] * window.filters[:, i]
            for i, (r, c) in enumerate(window.starts(SIZE))
        )
        for window in windows
    ]
    expected = np.concatenate(expected, 3)
    for way in (folding.fold_by_products, folding._fold_by_convolution):
        np.testing.assert_allclose(way(planes, windows, SIZE), expected, atol=1e-14)


def by_products(planes, windows, size):
    return tf.unstack(folding.fold_by_products(planes, windows, size))


def derivative(way, planes, slope, windows):
    with tf.GradientTape() as tape:
        tape.watch(planes)
        y = way(planes, windows, SIZE)
    return tf.stack(y), tape.gradient(y, planes, tf.unstack(slope))


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("way", [fold, by_products])
@pytest.mark.parametrize("kinds", WINDOWS)
def test_its_gradient_is_its_adjoint_either_way(kinds, way, jit_compile):
    planes, windows = setting(kinds)
    slope = noise(10, 2, 5, 2, sum(filters for filters, _ in kinds), *SIZE)
    function = functools.partial(derivative, way)
    compiled = tf.function(function, jit_compile=jit_compile, autograph=False)
    y, gradient = compiled(planes, slope, windows)
    np.testing.assert_allclose(np.vdot(y, slope), np.vdot(planes, gradient), rtol=1e-12)


@pytest.mark.parametrize("kinds", WINDOWS)
def test_the_gradient_of_its_gradient_is_itself(kinds):
    planes, windows = setting(kinds)
    slope = noise(10, 2, 5, 2, sum(filters for filters, _ in kinds), *SIZE)

    @tf.function(autograph=False)
    def again(planes, slope):
        with tf.GradientTape() as tape:
            tape.watch(slope)
            y, gradient = derivative(fold, planes, slope, windows)
        return y, tape.gradient(gradient, slope, planes)

    y, found = again(planes, slope)
    np.testing.assert_allclose(found, y, atol=1e-13)


def test_xla_compiles_products_only():
    layer = Scattering2D(J=2, L=2)
    x = tf.zeros((3, 16, 16))
    layer.build(x.shape)
    compiled = tf.function(lambda x: layer(x), jit_compile=True, autograph=False)
    program = compiled.experimental_get_compiler_ir(x)
    for stage in ("hlo", "optimized_hlo"):  # convolutions are gone by another name from the second
        text = program(stage=stage)
        assert "multiply" in text
        assert "convolution" not in text.lower()
        assert "DepthwiseConv" not in text
