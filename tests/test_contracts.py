"""What a Keras user takes for granted in a layer, asked of every public one."""

import copy
import functools
import inspect
import io
import json
import pickle
import zipfile

import h5py
import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from layers import CASES, FEW, SMALL, VARIED

import keras_scattering
from keras_scattering.runtime.batches import Batched

LAYERS = [
    member
    for member in (getattr(keras_scattering, name) for name in keras_scattering.__all__)
    if isinstance(member, type) and issubclass(member, keras.Layer)
]
BATCH = 3
ACCURACY = 1e-5  # of float32 results, relative to the largest

# Keras stores the weights of its own layers through a NumPy protocol that NumPy 2 deprecates.
keras_stores_weights = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


def every(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def small_or_slow(case, *others):
    """Of a test that takes seconds all but one case of each layer are slow."""
    return pytest.param(case, *others, marks=[] if case.small else [pytest.mark.slow])


small_first = pytest.mark.parametrize(
    "case",
    [small_or_slow(case) for case in CASES if case.small or case in VARIED],
    ids=lambda case: case.name,
)


def arrays(outputs):
    return [np.asarray(y) for y in keras.tree.flatten(outputs)]


@functools.cache
def expected(case):
    """What the layer makes of its inputs: eagerly, in float32, all at once."""
    return arrays(case.make()(case.inputs(BATCH)))


def assert_close(outputs, desired):
    """Never to the last bit: on CPUs rounding depends on where a tensor lies in memory."""
    for y, wanted in zip(arrays(outputs), arrays(desired), strict=True):
        assert y.shape == wanted.shape
        np.testing.assert_allclose(y, wanted, rtol=0, atol=ACCURACY * np.abs(wanted).max(initial=0))


def energy(layer, x):
    return tf.add_n([tf.reduce_sum(tf.square(y)) for y in keras.tree.flatten(layer(x))])


def gradient(layer, x):
    """Of the energy of the output."""
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = energy(layer, x)
    return tape.gradient(total, x)


def steep(case):
    """What to compare gradients in: small powers are steep where a modulus is nearly zero."""
    return "float64" if "integral_powers" in case.config else "float32"


def arguments(layer):
    """Names and defaults of a layer's own arguments."""
    parameters = inspect.signature(layer).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is not p.VAR_KEYWORD}


@pytest.fixture
def few_at_once(monkeypatch):
    """Make layers compute a given number of signals at a time, as they do with a large batch."""

    def limit(items):
        monkeypatch.setattr(Batched, "_items", lambda self, working_set: items)

    return limit


# The list of cases is complete


def test_every_public_layer_has_a_case():
    assert {case.layer for case in CASES} == set(LAYERS)
    assert sorted(LAYERS, key=id) == sorted((case.layer for case in SMALL), key=id)


@pytest.mark.parametrize("layer", LAYERS)
def test_the_cases_of_a_layer_set_every_argument(layer):
    given = set().union(*(case.config for case in CASES if case.layer is layer))
    ways = {"jit_compile", "fft"}  # other tests go each way with all cases
    assert given == arguments(layer).keys() - ways


# An argument of a case that another one needs, so that its default is refused.
NEEDED = {"tf-spiral": "Q", "rotation-channels-first": "T_theta", "deep-channels": "J_fr"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*are channels and samples in their places:UserWarning")
@pytest.mark.filterwarnings("ignore:.*tends to be a copy of the signal:UserWarning")
@every(CASES)
def test_every_argument_changes_the_output(case):
    defaults = arguments(case.layer)
    for name in case.config:
        if defaults[name] is inspect.Parameter.empty:
            continue
        if NEEDED.get(case.name) == name:
            with pytest.raises(ValueError, match=f"{name}={defaults[name]!r}"):
                case.make(**{name: defaults[name]})
            continue
        others = arrays(case.make(**{name: defaults[name]})(case.inputs(BATCH)))
        same = [y.shape for y in others] == [y.shape for y in expected(case)] and all(
            np.allclose(y, other, rtol=ACCURACY, atol=0)
            for y, other in zip(expected(case), others, strict=True)
        )
        assert not same, name


# Configuration and saving


@every(CASES)
def test_config_keeps_every_argument(case):
    layer = case.make(name="scattering", trainable=False, dtype="float64", jit_compile=True)
    config = layer.get_config()
    given = {**arguments(case.layer), **case.config, "jit_compile": True}
    if "data_format" in given:
        given["data_format"] = given["data_format"] or keras.config.image_data_format()
    if "scattering" in given:
        given["scattering"] = keras.saving.serialize_keras_object(given["scattering"])
        given["fft"] = given["scattering"]["config"]["fft"]
    assert {name: config[name] for name in given} == given
    assert case.layer.from_config(config).get_config() == config
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    assert keras.saving.deserialize_keras_object(stored).get_config() == config


@small_first
@pytest.mark.parametrize(
    "duplicate",
    [
        lambda model: keras.Model.from_config(model.get_config()),
        keras.models.clone_model,
        copy.deepcopy,
        lambda model: pickle.loads(pickle.dumps(model)),
    ],
    ids=["from_config", "clone_model", "deepcopy", "pickle"],
)
def test_a_copied_model_computes_the_same(case, duplicate):
    assert_close(duplicate(case.model())(case.inputs(BATCH)), expected(case))


@every(CASES)
def test_keras_file_restores_the_model_and_holds_no_filters(case, tmp_path):
    path = tmp_path / "model.keras"
    model = case.model()
    model.save(path)
    restored = keras.saving.load_model(path)
    assert_close(restored(case.inputs(BATCH)), expected(case))
    np.testing.assert_equal(restored.layers[-1].meta(), model.layers[-1].meta())
    stored = []
    with zipfile.ZipFile(path) as file:
        weights = io.BytesIO(file.read("model.weights.h5"))
    with h5py.File(weights) as file:
        file.visititems(lambda name, item: stored.append(name) if hasattr(item, "shape") else None)
    assert stored == []


@every(SMALL)
@keras_stores_weights
def test_weights_file_restores_what_was_trained_around_the_layer(case, tmp_path):
    def model():
        return keras.Sequential([case.model(), keras.layers.Dense(2)])

    trained, other = model(), model()
    trained.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    assert_close(other(case.inputs(BATCH)), trained(case.inputs(BATCH)))


@every(CASES)
def test_summary_counts_no_trainable_weight(case):
    model = case.model()
    lines = []
    model.summary(print_fn=lines.append)
    assert "Trainable params: 0" in "\n".join(lines)
    assert model.count_params() > 0


@pytest.mark.slow
@every(SMALL)
def test_saved_model_serves_any_batch(case, tmp_path):
    case.model().export(tmp_path, format="tf_saved_model", verbose=False)
    served = tf.saved_model.load(tmp_path)
    for batch in (1, BATCH):
        assert_close(served.serve(case.inputs(batch)), [y[:batch] for y in expected(case)])


@pytest.mark.slow
@every(FEW)
def test_export_archive_takes_a_layer_without_a_model(case, tmp_path):
    layer = case.make()
    layer.build((None, *case.shape))
    archive = keras.export.ExportArchive()
    archive.track(layer)
    signature = [tf.TensorSpec((None, *case.shape), tf.float32)]
    archive.add_endpoint("serve", layer, input_signature=signature)
    archive.write_out(tmp_path, verbose=False)
    served = keras.layers.TFSMLayer(str(tmp_path), call_endpoint="serve")
    assert_close(served(case.inputs(BATCH)), expected(case))


# Shapes


@every(CASES)
@pytest.mark.parametrize("batch", [None, BATCH])
def test_output_shape_is_known_before_build(case, batch):
    layer = case.make()
    shapes = layer.compute_output_shape((batch, *case.shape))
    shapes = shapes if isinstance(shapes, list) else [shapes]
    assert not layer.built
    assert shapes == [(batch, *y.shape[1:]) for y in expected(case)]
    symbols = keras.tree.flatten(layer(keras.Input(case.shape, batch)))
    assert [(y.shape, y.dtype) for y in symbols] == [(shape, "float32") for shape in shapes]
    assert isinstance(layer(case.inputs(BATCH)), list) == (len(shapes) > 1)


@every(CASES)
def test_a_built_layer_takes_a_single_input(case):
    layer = case.make()
    layer.build((None, *case.shape))
    (x,) = case.inputs(1)
    assert_close(layer(x), [y[0] for y in arrays(layer(x[None]))])
    shapes = layer.compute_output_shape(case.shape)
    shapes = shapes if isinstance(shapes, list) else [shapes]
    assert shapes == [y.shape for y in arrays(layer(x))]


@small_first
def test_one_graph_takes_any_batch(case, few_at_once):
    few_at_once(2)
    layer = case.make()
    layer.build((None, *case.shape))
    graph = tf.function(layer, input_signature=[tf.TensorSpec((None, *case.shape), tf.float32)])
    for batch in (1, BATCH, 0):
        assert_close(graph(case.inputs(batch)), [y[:batch] for y in expected(case)])
    assert graph.experimental_get_tracing_count() == 1


@every([case for case in SMALL if "data_format" in arguments(case.layer)])
def test_data_format_defaults_to_that_of_keras(case):
    default = keras.config.image_data_format()
    try:
        keras.config.set_image_data_format("channels_first")
        assert case.make(data_format=None).data_format == "channels_first"
    finally:
        keras.config.set_image_data_format(default)


# Precision


@small_first
@pytest.mark.parametrize("half", ["float16", "bfloat16"])
@pytest.mark.parametrize("mixed", [True, False])
def test_half_precision_rounds_nothing_but_the_output(case, half, mixed):
    layer = case.make(dtype=f"mixed_{half}" if mixed else half)
    outputs = keras.tree.flatten(layer(case.inputs(BATCH)))
    assert {y.dtype for y in outputs} == {tf.as_dtype(half)}
    limits = ml_dtypes.finfo(half)
    rounding = {"rtol": float(limits.eps) / 2 + ACCURACY, "atol": float(limits.smallest_subnormal)}
    for y, wanted in zip(outputs, expected(case), strict=True):
        np.testing.assert_allclose(np.asarray(y).astype("float32"), wanted, **rounding)
    assert {weight.dtype for weight in layer.weights} == {"float32"}


@every(CASES)
def test_float64_is_computed_in_float64(case):
    layer = case.make(dtype="float64")
    outputs = keras.tree.flatten(layer(case.inputs(BATCH)))
    assert {y.dtype for y in outputs} == {tf.float64}
    assert {weight.dtype for weight in layer.weights} == {"float64"}
    assert_close(outputs, expected(case))


@small_first
@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float16", "float64"])
def test_inputs_of_other_types_are_cast(case, dtype):
    x = np.round(10 * np.abs(case.inputs(BATCH))).astype(dtype)
    layer = case.make()
    assert_close(layer(x), layer(x.astype("float32")))


# Graphs, compilers and pipelines


@pytest.mark.slow
@small_first
def test_xla_agrees(case):
    layer = case.make()
    layer.build((None, *case.shape))
    assert_close(tf.function(layer, jit_compile=True)(case.inputs(BATCH)), expected(case))


@pytest.mark.slow
@every(SMALL)
def test_a_layer_that_compiles_itself_agrees(case, few_at_once):
    x, plain = case.inputs(5), case.make()
    model = keras.models.clone_model(case.model(jit_compile=True))
    layer = model.layers[-1]
    few_at_once(3)
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec((None, *case.shape))).graph
    functions = graph.as_graph_def().library.function
    assert any(function.attr["_XlaMustCompile"].b for function in functions)
    for batch in (5, 1, 0):
        assert_close(layer(x[:batch]), plain(x[:batch]))
    assert_close(model.predict(x, verbose=0), plain(x))
    dtype = steep(case)
    layer, plain = (case.make(dtype=dtype, jit_compile=jit) for jit in (True, False))
    assert_close(gradient(layer, x.astype(dtype)), gradient(plain, x.astype(dtype)))


def takes_single(case):
    """Without being built: else it takes (time, channels) for a batch of signals."""
    return len(case.shape) == case.rank


@pytest.mark.parametrize(
    ("case", "batched", "built"),
    [(case, True, True) for case in FEW]
    + [(case, True, False) for case in SMALL]
    + [
        small_or_slow(case, False, not takes_single(case))
        for case in CASES
        if case.small or case in VARIED
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_maps_over_a_dataset(case, batched, built):
    layer = case.make()
    if built:
        layer.build((None, *case.shape))
    dataset = tf.data.Dataset.from_tensor_slices(case.inputs(BATCH))
    if batched:
        dataset = dataset.batch(2)
    mapped = [arrays(y) for y in dataset.map(layer, num_parallel_calls=tf.data.AUTOTUNE)]
    join = np.concatenate if batched else np.stack
    assert_close([join(parts) for parts in zip(*mapped, strict=True)], expected(case))
    assert_close(layer(case.inputs(BATCH)), expected(case))  # however it was built


@every(FEW)
@pytest.mark.parametrize("batched", [True, False])
def test_coefficients_are_cached_to_disk(case, batched, tmp_path):
    layer = case.make()
    layer.build((None, *case.shape))

    def features(x):
        dataset = tf.data.Dataset.from_tensor_slices(x)
        mapped = dataset.batch(BATCH).map(layer) if batched else dataset.map(layer).batch(BATCH)
        return mapped.cache(str(tmp_path / "features"))

    (first,) = features(case.inputs(BATCH))
    (second,) = features(0 * case.inputs(BATCH))  # from the disk, or it would be other coefficients
    assert_close(first, expected(case))
    for again, once in zip(arrays(second), arrays(first), strict=True):
        np.testing.assert_array_equal(again, once)


# Large batches are computed in a loop over parts of the batch


@small_first
def test_parts_of_a_batch_make_the_whole(case, few_at_once):
    x = case.inputs(5)  # with channels or without no multiple of 3: some parts are not full
    layer = case.make()
    whole = [*arrays(layer(x)), gradient(layer, x)]
    few_at_once(3)
    assert_close([*arrays(layer(x)), gradient(layer, x)], whole)


@pytest.mark.slow
@every(SMALL)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_graph_of_parts_has_the_same_gradient(case, jit_compile, few_at_once):
    x = tf.constant(case.inputs(5), steep(case))
    layer = case.make(dtype=steep(case))
    whole = gradient(layer, x)
    few_at_once(3)
    graph = tf.function(functools.partial(gradient, layer), jit_compile=jit_compile)
    assert_close(graph(x), whole)


@pytest.mark.slow
@every([case for case in SMALL if case.rank != 2])
def test_a_graph_of_parts_has_the_same_second_derivatives(case, few_at_once):
    x = tf.constant(case.inputs(5), tf.float64)
    layer = case.make(dtype="float64")

    def second(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            slope = tf.reduce_sum(tf.square(gradient(layer, x)))
        return tape.gradient(slope, x)

    whole = second(x)
    few_at_once(3)
    assert_close(tf.function(second)(x), whole)


@small_first
@pytest.mark.parametrize("items", [1, BATCH])
def test_rows_of_a_batch_do_not_mix(case, items, few_at_once):
    few_at_once(items)
    x = case.inputs(BATCH)
    x[1] = np.nan
    spoilt = arrays(case.make()(x))
    assert all(np.isnan(y[1]).all() for y in spoilt)
    assert_close([y[[0, 2]] for y in spoilt], [y[[0, 2]] for y in expected(case)])


# Training


@pytest.fixture
def policy(request):
    default = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield
    keras.config.set_dtype_policy(default)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "policy", "jit_compile"),
    [(case, "float32", False) for case in SMALL] + [(case, "mixed_bfloat16", True) for case in FEW],
    ids=lambda value: getattr(value, "name", str(value)),
    indirect=["policy"],
)
@pytest.mark.usefixtures("policy")
def test_a_model_learns_through_the_layer(case, jit_compile):
    keras.utils.set_random_seed(0)
    before = keras.layers.Dense(case.shape[-1])
    inputs = keras.Input(case.shape)
    outputs = keras.tree.flatten(case.make()(before(inputs)))
    features = keras.layers.Concatenate()([keras.layers.Flatten()(y) for y in outputs])
    model = keras.Model(inputs, keras.layers.Dense(1, dtype="float32")(features))
    model.compile("adam", "mse", jit_compile=jit_compile)
    start = before.get_weights()[0]
    x = case.inputs(8)
    losses = model.fit(x, x.reshape(8, -1)[:, :1], epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert np.isfinite(losses).all()
    assert (before.get_weights()[0] != start).any()


@small_first
def test_gradient_is_finite_where_the_input_vanishes(case):
    x = case.inputs(BATCH)
    layer = case.make()
    assert np.isfinite(gradient(layer, np.zeros_like(x))).all()
    silent = np.arange(x.shape[1]) < x.shape[1] // 2
    x[:, silent] = 0
    assert np.isfinite(gradient(layer, x)).all()


@small_first
def test_gradient_is_the_derivative(case):
    layer = case.make(dtype="float64")
    x, direction = case.inputs(2).astype("float64")[:, None]
    epsilon = np.finfo("float64").eps
    h = epsilon ** (1 / 3)

    def rise(h):
        return energy(layer, x + h * direction) - energy(layer, x - h * direction)

    # Of fourth order, since a modulus bends sharply where it is small.
    slope = (8 * rise(h) - rise(2 * h)) / (12 * h)
    derivative = tf.reduce_sum(gradient(layer, x) * direction)
    np.testing.assert_allclose(derivative, slope, rtol=epsilon**0.5)


@every([case for case in CASES if case.small])
def test_files_of_older_versions_load(case):
    """They name modules that are no more; the registered name is what counts."""
    layer = case.make()
    saved = keras.saving.serialize_keras_object(layer)
    name = {"Scattering1D": "scattering1d", "Scattering2D": "scattering2d"}.get(
        type(layer).__name__, "harmonic3d"
    )
    saved["module"] = f"keras_scattering.{name}"
    assert keras.saving.deserialize_keras_object(saved).get_config() == layer.get_config()
