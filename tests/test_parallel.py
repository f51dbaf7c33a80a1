"""What is dealt out to threads comes to what it does at once, and so do its derivatives."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from keras_scattering import Scattering2D
from keras_scattering.runtime import parts
from keras_scattering.runtime.gradient import Recomputed, Task
from keras_scattering.runtime.mode import Mode
from keras_scattering.runtime.parts import choose, in_equal_parts, in_pieces, in_turn, traced
from keras_scattering.runtime.tensorflow_internals import map_on_threads


def product(x, y):
    """Two tensors of two, neither of which is linear in them."""
    return [x * tf.sin(y), tf.reduce_sum(x * x, -1, keepdims=True) + y]


def pieces(x, y):
    return in_pieces(product, [x, y], 2, 2)


def dealt(way, x, y):
    """Parts of one item, by a function that deals them out."""

    def deal(task, items, shared):
        singles = [z[:, None] for z in items]
        graph = traced(lambda *part: task.function(Mode(), part, shared), [z[0] for z in singles])
        return [z[:, 0] for z in way(graph, singles)]

    return Recomputed(Task(lambda mode, items, shared: product(*items), 2), deal)([x, y])


def loop(graph, items):
    return in_turn(graph, items, len(graph.outputs))


def derivatives(function, x, y):
    """Its results, a gradient, and a gradient of that."""
    with tf.GradientTape() as outer:
        outer.watch([x, y])
        with tf.GradientTape() as inner:
            inner.watch([x, y])
            results = function(x, y)
        gradient = inner.gradient(results, [x, y], [tf.cos(z) for z in results])
    return results, gradient, outer.gradient(gradient, [x, y])


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    "function",
    [
        pieces,
        functools.partial(dealt, loop),
        functools.partial(dealt, map_on_threads),
    ],
)
def test_values_and_derivatives_are_those_of_all_at_once(count, known, function):
    rng = np.random.default_rng(0)
    x, y = tf.constant(rng.standard_normal((2, count, 4, 3)))
    spec = tf.TensorSpec((count if known else None, 4, 3), tf.float64)
    apart = tf.function(functools.partial(derivatives, function), input_signature=[spec, spec])
    expected = tf.nest.flatten(derivatives(product, x, y))
    for found, wanted in zip(tf.nest.flatten(apart(x, y)), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("most", "least"), [(8, 1), (8, 2), (8, 16), (100, 3)])
def test_parts_hold_all_items_and_none_is_empty(known, most, least):
    def deal(x):
        shapes = []

        def apply(parts):
            shapes.append(tf.shape(parts[0]))
            return parts

        (y,) = in_equal_parts(apply, [x], most, least)
        return y, shapes[0]

    if not known:
        deal = tf.function(deal, [tf.TensorSpec((None,), tf.int32)])
    for batch in [0, 1, 2, 3, 5, 8, 9, 17, 33, 130]:
        y, (count, each) = deal(tf.range(batch) + 1)
        np.testing.assert_array_equal(y, tf.range(batch) + 1)
        assert each <= most
        assert (count - 1) * each < max(batch, 1)
        assert 2 * count > min(batch, least)


@pytest.mark.parametrize(
    ("batch", "jit_compile", "way"),
    [
        (1, 0, "one_item"),
        (3, 0, "per_core"),
        (0, 0, "in_turn"),
        (2, 0, "in_turn"),
        (1, 1, "whole"),
        (3, 1, "in_turn"),
    ],
)
def test_the_way_is_that_of_the_device_and_of_the_batch(monkeypatch, batch, jit_compile, way):
    monkeypatch.setattr(parts, "CORES", 3)
    ways = ("whole", "one_item", "per_core", "in_turn")

    def number(x):
        named = {name: functools.partial(tf.constant, i) for i, name in enumerate(ways)}
        return choose(tf.shape(x)[0], **named)

    spec = tf.TensorSpec((None,), tf.float32)
    graph = tf.function(number, [spec], jit_compile=bool(jit_compile))
    assert ways[graph(tf.zeros(batch))] == way


@pytest.mark.slow
def test_a_layer_goes_with_what_vectorizes():
    layer = Scattering2D(J=1, L=2)
    x = tf.constant(np.random.default_rng(0).standard_normal((2, 8, 8)), tf.float32)
    layer.build(x.shape)

    @tf.function(autograph=False)
    def both(x):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = tf.reshape(layer(x), (2, -1))[:, :5]
            single = y[0, 3]
        rows = tf.vectorized_map(lambda row: layer(row[None])[0], x)
        return tape.jacobian(y, x)[0, 3], tape.gradient(single, x), rows

    jacobian, gradient, rows = both(x)
    np.testing.assert_allclose(jacobian, gradient, atol=1e-7)
    np.testing.assert_allclose(rows, layer(x), atol=1e-6)


@pytest.mark.parametrize("eager", [True, False])
def test_only_graphs_ask_for_parts_side_by_side(monkeypatch, eager):
    """TensorFlow warns of eager calls that do, once per process."""
    asked, map_fn = [], tf.map_fn

    def record(*args, parallel_iterations, **kwargs):
        asked.append(parallel_iterations)
        return map_fn(*args, parallel_iterations=parallel_iterations, **kwargs)

    monkeypatch.setattr(tf, "map_fn", record)

    def call():
        return in_turn(lambda x: [x + 1], [tf.zeros((3, 2))], 1)

    (call if eager else tf.function(call))()
    assert asked == [1 if eager else parts.PARALLEL]
