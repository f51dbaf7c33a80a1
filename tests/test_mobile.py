"""Transforms by real matrices: the same as by FFTs, and they run where there are no FFTs."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from layers import CASES, FEW, SMALL, Case

from keras_scattering import Scattering1D
from keras_scattering.engine import matrix_fourier

LONG = Case("1d-long", Scattering1D, {"J": 3}, (1000,))  # its signals are split
CONVERTED = [LONG, *SMALL[1:]]
ACCURACY = 1e-5  # of float32 results, relative to the largest
BUILTINS = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}  # none of TensorFlow's own

pytestmark = pytest.mark.filterwarnings(
    "ignore:In the future `np.object`:FutureWarning:keras",
)


def every(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def arrays(outputs):
    return [np.asarray(y) for y in keras.tree.flatten(outputs)]


def assert_close(outputs, desired, accuracy=ACCURACY):
    for y, wanted in zip(arrays(outputs), arrays(desired), strict=True):
        assert y.shape == wanted.shape
        np.testing.assert_allclose(y, wanted, rtol=0, atol=accuracy * np.abs(wanted).max(initial=0))


# The transforms


@pytest.mark.parametrize("size", [(1,), (7,), (131,), (616,), (2048,), (9, 8), (5, 6)])
def test_products_are_fourier_transforms(size):
    rng = np.random.default_rng(0)
    rank = len(size)
    axes = range(-rank, 0)
    u = rng.standard_normal((2, 3, *size))
    box = tuple((-(n // 3), n // 2 + 1) for n in size)
    index = np.ix_(*[np.arange(*span) % n for span, n in zip(box, size, strict=True)])
    wanted = np.fft.fftn(u, axes=axes)[(..., *index)]
    actual = matrix_fourier.spectral_lines(tf.constant(u), box)
    assert_close(actual, np.stack([wanted.real, wanted.imag]), 1e-13)

    planes = rng.standard_normal((2, 2, 3, *size))
    wanted = np.fft.ifftn(planes[0] + 1j * planes[1], axes=axes, norm="forward")
    actual = matrix_fourier.inverse(tf.constant(planes), rank)
    assert_close(actual, [wanted.real, wanted.imag], 1e-13)


@every([LONG, *CASES])
def test_matrices_agree_with_ffts(case):
    x = case.inputs(2).astype("float64")
    native, matrix = (case.make(dtype="float64", fft=fft) for fft in ("native", "matrix"))
    assert_close(matrix(x), native(x), 1e-10)


@every([LONG, *SMALL])
def test_no_row_meets_another(case):
    """Values of any size, nothing at all and no numbers: each row is as if it were alone."""
    layer = case.make(fft="matrix")
    x = case.inputs(5)
    wanted, silence = arrays(layer(x)), arrays(layer(0 * x[:1]))
    scale = np.array([1, 0, 1e-30, np.nan, 1e30], np.float32)
    actual = arrays(layer(x * scale.reshape(-1, *[1] * len(case.shape))))
    for y, unit, none in zip(actual, wanted, silence, strict=True):
        assert np.isnan(y[3]).all()
        np.testing.assert_array_equal(y[1], none[0])
        np.testing.assert_allclose(y[0], unit[0], rtol=0, atol=ACCURACY * np.abs(unit[0]).max())
        assert np.isfinite(y[2]).all()


@every([LONG, *SMALL])
def test_gradients_agree_and_are_finite(case):
    x = tf.constant(case.inputs(2) * np.array([1, 0]).reshape(2, *[1] * len(case.shape)), "float64")
    slopes = {}
    for fft in ("native", "matrix"):
        layer = case.make(dtype="float64", fft=fft)
        with tf.GradientTape() as tape:
            tape.watch(x)
            energy = tf.add_n([tf.reduce_sum(y**2) for y in keras.tree.flatten(layer(x))])
        slopes[fft] = tape.gradient(energy, x).numpy()
    assert np.isfinite(slopes["matrix"]).all()
    assert_close(slopes["matrix"], slopes["native"], 1e-10)


# The argument


@every(FEW)
def test_the_kind_of_transform_is_kept(case, tmp_path):
    assert case.make().get_config()["fft"] == "native"
    model = case.model(fft="matrix")
    copies = [keras.models.clone_model(model), keras.Model.from_config(model.get_config())]
    model.save(tmp_path / "model.keras")
    copies.append(keras.saving.load_model(tmp_path / "model.keras"))
    for copy in copies:
        assert copy.layers[-1].fft == "matrix"
        graph = tf.function(copy).get_concrete_function(tf.TensorSpec((None, *case.shape))).graph
        assert {node.type for node in graph.get_operations()}.isdisjoint({"FFT", "RFFT", "While"})


@every(SMALL)
def test_other_kinds_are_refused(case):
    with pytest.raises(ValueError, match=r"`fft` must be .* 'matrix'.*Received: fft="):
        case.make(fft="fast")


# The runtimes


def make_models(case):
    """One that learns, with FFTs, and one that is converted."""
    models = []
    for fft in ("native", "matrix"):
        keras.utils.set_random_seed(0)
        inputs = keras.Input(case.shape, name="signal")
        coefficients = case.make(fft=fft)(inputs)
        scores = keras.layers.Dense(3)(keras.layers.Flatten()(coefficients))
        models.append(keras.Model(inputs, scores))
        models[-1](case.inputs(1))  # the exporter to ONNX wants a model that has been called
    return models


@pytest.mark.needs("ai_edge_litert")
@every(CONVERTED)
def test_litert_runs_it(case, tmp_path):
    from ai_edge_litert import interpreter

    native, matrix = make_models(case)
    file = str(tmp_path / "model.tflite")
    matrix.export(file, format="litert", verbose=False, target_spec=BUILTINS)
    run = interpreter.Interpreter(file).get_signature_runner()
    for batch in (3, 1):
        x = case.inputs(batch)
        assert_close(run(signal=x)["output_0"], native(x))


@pytest.mark.needs("onnxruntime", "tf2onnx")
@every(CONVERTED)
def test_onnx_runtime_runs_it(case, tmp_path):
    import onnxruntime

    native, matrix = make_models(case)
    file = str(tmp_path / "model.onnx")
    matrix.export(file, format="onnx", verbose=False, opset_version=18)
    session = onnxruntime.InferenceSession(file)
    for batch in (3, 1, 0):
        x = case.inputs(batch)
        assert_close(session.run(None, {"signal": x}), native(x))
    for shape in ((case.shape[0] + 1, *case.shape[1:]), (2 * case.shape[0], *case.shape[1:])):
        with pytest.raises(Exception, match="invalid dimensions"):
            session.run(None, {"signal": np.zeros((1, *shape), np.float32)})


@pytest.mark.slow
def test_litert_is_refused_ffts_where_the_documentation_says(tmp_path):
    native, _ = make_models(LONG)
    file = str(tmp_path / "model.tflite")
    with pytest.raises(Exception, match=r"TensorList|FFT"):
        native.export(file, format="litert", verbose=False, target_spec=BUILTINS)


@pytest.mark.needs("onnxruntime", "tf2onnx")
def test_onnx_runtime_refuses_ffts_where_the_documentation_says(tmp_path):
    import onnxruntime

    native, _ = make_models(LONG)
    file = str(tmp_path / "model.onnx")
    native.export(file, format="onnx", verbose=False, opset_version=18)
    with pytest.raises(Exception, match="invalid model"):
        onnxruntime.InferenceSession(file)
