"""What cannot be answered rightly is refused, wherever it comes from."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from layers import FEW, VARIED

(JOINT,) = (case for case in VARIED if case.name == "rectifier-channels")
WAYS = {"plain": {}, "jit": {"jit_compile": True}, "matrix": {"fft": "matrix"}}


def every(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def other_sizes(shape):
    """As many samples laid out otherwise, and one or twice as many along an axis."""
    yield (*shape[:-1], shape[-1] + 1)
    yield (*shape[:-1], 2 * shape[-1])
    yield (2 * shape[0], *shape[1:-1], shape[-1] // 2)
    yield shape[::-1]


# Inputs of another size


@pytest.mark.slow
@every([*FEW, JOINT])
@pytest.mark.parametrize("way", WAYS)
def test_a_served_model_refuses_inputs_of_another_size(case, way, tmp_path):
    case.model(**WAYS[way]).export(tmp_path, verbose=False)
    serve = tf.saved_model.load(tmp_path).signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]
    for batch in (1, 2, 9):
        for shape in other_sizes(case.shape):
            if shape == case.shape:
                continue
            with pytest.raises(tf.errors.InvalidArgumentError, match=f"{case.shape[-1]}"):
                serve(**{name: tf.zeros((batch, *shape))})
        assert len(serve(**{name: tf.zeros((batch, *case.shape))})) > 0


@pytest.mark.slow
@every(FEW)
def test_a_compiled_graph_takes_inputs_of_another_type_often(case):
    """XLA ends the process where sizes are checked before inputs get their type."""
    layer, x = case.make(), tf.cast(case.inputs(2), "float64")
    expected = keras.tree.flatten(layer(x))
    for _ in range(4):
        answer = tf.function(layer, jit_compile=True, autograph=False)(x)
        for y, wanted in zip(keras.tree.flatten(answer), expected, strict=True):
            np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


# Saving as TensorFlow does


class Module(tf.Module):
    """A module that holds a model."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    @tf.function(autograph=False)
    def __call__(self, x):
        return self.model(x)


def in_order(outputs):
    """Outputs of a signature in the order of the numbers at the end of their names."""
    return [y for _, y in sorted(outputs.items(), key=lambda item: (len(item[0]), item[0]))]


@pytest.mark.slow
@every([*FEW, JOINT])
@pytest.mark.parametrize("held", [False, True])
def test_tensorflow_saves_a_model_that_holds_a_layer(case, held, tmp_path):
    model, x = case.model(), tf.constant(case.inputs(3))
    module = Module(model) if held else model
    expected = keras.tree.flatten(module(x))
    tf.saved_model.save(module, tmp_path / "saved")
    loaded = tf.saved_model.load(tmp_path / "saved")
    found = loaded(x) if held else in_order(loaded.signatures["serving_default"](x))
    for y, wanted in zip(keras.tree.flatten(found), expected, strict=True):
        np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())
    checkpoint = tf.train.Checkpoint(model=model)
    path = checkpoint.save(tmp_path / "checkpoint")
    checkpoint.restore(path).assert_consumed()
    # Filters follow from the arguments, and so are neither stored nor restored.
    assert not [name for name, _ in tf.train.list_variables(path) if "psi" in name]


# Filters of other arguments


def with_filters(T):
    from keras_scattering import Scattering1D

    return keras.Sequential([keras.Input((512,)), Scattering1D(J=4, T=T)])


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_filters_of_other_arguments_are_refused(tmp_path):
    path = tmp_path / "t16.h5"
    with_filters(16).save(path)
    other = with_filters(16.5)
    x = np.random.default_rng(0).standard_normal((1, 512))
    right = np.asarray(other(x))
    with pytest.raises(ValueError, match="follows from the layer's arguments"):
        other.load_weights(path)
    with pytest.raises(ValueError, match="follows from the layer's arguments"):
        other.set_weights(with_filters(16).get_weights())
    np.testing.assert_array_equal(other(x), right)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_filters_of_the_same_arguments_are_taken(tmp_path):
    path = tmp_path / "t16.h5"
    model, again = with_filters(16), with_filters(16)
    model.save(path)
    again.load_weights(path)
    again.set_weights(model.get_weights())
    x = np.random.default_rng(0).standard_normal((1, 512))
    np.testing.assert_array_equal(again(x), model(x))


@every(FEW)
@pytest.mark.parametrize("change", ["assign", "assign_add", "assign_sub"])
@pytest.mark.parametrize("place", ["eager", "graph"])
def test_a_filter_is_never_set(case, change, place):
    layer = case.make()
    layer.build((None, *case.shape))
    filters, values = layer.weights[0], layer.weights[0].numpy()
    ones = np.ones_like(values)

    def number(x):
        getattr(filters, change)(x)

    def known():
        getattr(filters, change)(ones)

    graph = place == "graph"
    for use, given in ((known, ()), (number, (tf.constant(ones),))):
        with pytest.raises(ValueError, match=r"never loaded or set.* Received: other values, of"):
            (tf.function(use, autograph=False) if graph else use)(*given)
    np.testing.assert_array_equal(filters.numpy(), values)


@pytest.mark.parametrize("place", ["eager", "graph"])
def test_a_filter_takes_its_own_values(place):
    filters = with_filters(16).weights[0]

    def same():
        filters.assign(values)
        filters.assign(filters.value)

    values = filters.numpy()
    (tf.function(same, autograph=False) if place == "graph" else same)()
    np.testing.assert_array_equal(filters.numpy(), values)


# Forward mode


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "place", "way"),
    [(case, "graph", "plain") for case in VARIED]
    + [(case, *way) for case in FEW for way in (("graph", "jit"), ("eager", "plain"))],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_forward_mode_is_the_transpose_of_the_gradient(case, way, place):
    layer = case.make(dtype="float64", **WAYS[way])
    rng = np.random.default_rng(0)
    x, v = (tf.constant(rng.standard_normal((3, *case.shape))) for _ in range(2))
    layer.build(x.shape)

    def both(x):
        with tf.autodiff.ForwardAccumulator(x, v) as forward:
            outputs = keras.tree.flatten(layer(x))
        return outputs, [forward.jvp(y) for y in outputs]

    outputs, tangents = (tf.function(both, autograph=False) if place == "graph" else both)(x)
    slopes = [tf.cos(y) for y in outputs]
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = keras.tree.flatten(layer(x))
    gradient = tape.gradient(outputs, x, slopes)
    found = sum(np.vdot(tangent, slope) for tangent, slope in zip(tangents, slopes, strict=True))
    np.testing.assert_allclose(found, np.vdot(gradient, v), rtol=1e-9)


# Processes and threads

FORK = """
import os, sys, warnings
import numpy as np
from keras_scattering import Scattering1D

warnings.simplefilter("ignore")
layer = Scattering1D(J=2)
x = np.ones((40, 16), "float32")
layer(x)
child = os.fork()
if child == 0:
    for use in (layer, Scattering1D(J=2)):
        try:
            use(x)
        except RuntimeError as error:
            if "spawn" in str(error):
                continue
        os._exit(8)
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot fork")
def test_a_forked_process_is_told_to_spawn():
    run = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, timeout=120, check=True
    )
    assert run.stdout.split() == ["7"]


@pytest.mark.slow
@every(VARIED)
def test_first_calls_from_many_threads_build_once(case, monkeypatch):
    layer, x, plans = case.make(), case.inputs(2), []
    make = type(layer)._make_plan
    monkeypatch.setattr(
        type(layer), "_make_plan", lambda self, size: plans.append(size) or make(self, size)
    )
    expected = keras.tree.flatten(case.make()(x))
    plans.clear()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: keras.tree.flatten(layer(x)), range(8)))
    assert len(plans) == 1
    for outputs in results:
        for y, wanted in zip(outputs, expected, strict=True):
            np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())
