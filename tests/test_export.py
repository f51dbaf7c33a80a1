"""SavedModels give the same answers wherever they are loaded, and are small."""

import json
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from layers import FEW, SMALL
from tensorflow.core.protobuf import saved_model_pb2

from keras_scattering import Scattering1D, Scattering2D

BATCHES = (3, 1, 0)
ACCURACY = 1e-5  # relative to the largest
HERE = Path(__file__).parent


def make_model(case):
    """A layer with something to learn after it, its input and outputs named."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(case.shape, name="signal")
    coefficients = case.make()(inputs)
    scores = keras.layers.Dense(3)(keras.layers.Flatten()(coefficients))
    return keras.Model(inputs, {"coefficients": coefficients, "scores": scores})


def gradient(model, x):
    """Of the sum of squares of the coefficients."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(tf.square(model(x)["coefficients"]))
    return tape.gradient(total, x)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """For each case its SavedModel, and what the model itself makes of each batch.

    That is its answers, and a gradient.
    """
    models = {}
    for case in SMALL:
        folder = tmp_path_factory.mktemp(case.name)
        model = make_model(case)
        model.export(folder, format="tf_saved_model", verbose=False)
        batches = {b: case.inputs(b) for b in BATCHES}
        answers = {b: model(x) for b, x in batches.items()}
        models[case.name] = folder, answers, {b: gradient(model, x) for b, x in batches.items()}
    return models


def test_export_says_nothing(tmp_path, caplog):
    """AutoGraph, which would warn of code that it cannot read, is kept out of gradients too."""
    inputs = keras.Input((16, 16))
    model = keras.Model(inputs, Scattering2D(J=1, L=2)(inputs))
    with caplog.at_level("WARNING", logger="tensorflow"):
        model.export(tmp_path / "model", format="tf_saved_model", verbose=False)
    assert [r.getMessage() for r in caplog.records if "AutoGraph" in r.getMessage()] == []


def assert_same(answers, expected):
    assert answers.keys() == expected.keys()
    for name, wanted in expected.items():
        wanted = np.asarray(wanted)
        assert answers[name].shape == wanted.shape
        atol = ACCURACY * np.abs(wanted).max(initial=0)
        np.testing.assert_allclose(answers[name], wanted, rtol=0, atol=atol)


def signature(folder):
    """Names of the tensors behind the served input and outputs, and the input's shape."""
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (graph,) = saved.meta_graphs
    assert list(graph.meta_info_def.tags) == ["serve"]
    served = graph.signature_def["serving_default"]
    assert list(served.inputs) == ["signal"]
    shape = tuple(dim.size for dim in served.inputs["signal"].tensor_shape.dim)
    return served.inputs["signal"].name, {k: y.name for k, y in served.outputs.items()}, shape


def in_a_process(script, work, requests, inputs):
    """Have a script answer requests; what it says meanwhile."""
    (work / "requests.json").write_text(json.dumps(requests))
    for number, x in enumerate(inputs):
        np.save(work / f"{number}.npy", x)
    done = subprocess.run(
        [sys.executable, HERE / script, work], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def every_request():
    return [(case, batch) for case in SMALL for batch in BATCHES]


@pytest.mark.slow
def test_without_keras_and_without_this_package(exported, tmp_path):
    requests = [str(exported[case.name][0]) for case, _ in every_request()]
    inputs = [case.inputs(batch) for case, batch in every_request()]
    said = in_a_process("load_plain.py", tmp_path, requests, inputs)
    # TensorFlow warns of gradients, and the page on serving quotes it, for those who search.
    warning = re.compile(r"^(WARNING:.*Importing a function) \(\w+\) (.*)$", re.MULTILINE)
    page = (HERE.parent / "docs" / "serving.md").read_text("utf8")
    assert set(warning.findall(said)) == set(warning.findall(page))
    for number, (case, batch) in enumerate(every_request()):
        with np.load(tmp_path / f"{number}.npz") as answers:
            _, expected, gradients = exported[case.name]
            assert_same(dict(answers), {**expected[batch], "gradient": gradients[batch]})


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="TensorFlow's C library is named as on Linux")
def test_through_the_c_library_with_xla_disabled(exported, tmp_path):
    """It is the loader of TensorFlow Serving, which has XLA disabled unless a flag asks for it."""

    class Compiled(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None,))], jit_compile=True)
        def __call__(self, signal):
            return {"twice": 2 * signal}

    compiled = Compiled()
    tf.saved_model.save(compiled, tmp_path / "xla", signatures=compiled.__call__)
    requests, names = [], []
    for case, _ in every_request():
        folder = exported[case.name][0]
        feed, fetches, shape = signature(folder)
        assert shape == (-1, *case.shape)
        requests.append((str(folder), feed, list(fetches.values())))
        names.append(list(fetches))
    feed, fetches, _ = signature(tmp_path / "xla")
    requests.append((str(tmp_path / "xla"), feed, list(fetches.values())))
    inputs = [case.inputs(batch) for case, batch in every_request()]
    inputs.append(np.ones(2, np.float32))
    for (case, batch), request in list(zip(every_request(), requests, strict=False)):
        requests.append(request)  # signals of twice the size
        inputs.append(np.zeros((batch, *case.shape[:-1], 2 * case.shape[-1]), np.float32))
    in_a_process("load_c.py", tmp_path, requests, inputs)

    for number, (case, batch) in enumerate(every_request()):
        with np.load(tmp_path / f"{number}.npz") as answers:
            assert_same(
                dict(zip(names[number], answers.values(), strict=True)),
                exported[case.name][1][batch],
            )
    # XLA was off indeed: a model that insists on it is refused.
    assert "XLA compilation disabled" in (tmp_path / f"{len(names)}.txt").read_text()
    for number, (case, _) in enumerate(every_request(), len(names) + 1):
        assert f"{case.shape[-1]}" in (tmp_path / f"{number}.txt").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c in SMALL if c in FEW], ids=lambda case: case.name)
def test_as_a_layer_of_another_model(exported, case):
    folder, expected, _ = exported[case.name]
    layer = keras.layers.TFSMLayer(str(folder), call_endpoint="serving_default")
    for batch in BATCHES:
        answers = {name: np.asarray(y) for name, y in layer(case.inputs(batch)).items()}
        assert_same(answers, expected[batch])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "shape", "megabytes"),
    [(Scattering2D(J=2), (28, 28), 5), (Scattering1D(J=8, Q=8), (2**16,), 60)],
    ids=["images", "audio"],
)
def test_size_on_disk(layer, shape, megabytes, tmp_path):
    model = keras.Sequential([keras.Input(shape), layer])
    model.export(tmp_path, format="tf_saved_model", verbose=False)
    size = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    # Not less than a thousandth: the filters are there, for nothing else is on the server.
    assert megabytes * 1e3 < size < megabytes * 1e6
