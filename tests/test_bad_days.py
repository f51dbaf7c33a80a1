"""What goes wrong in production: broken samples, empty batches, odd arguments, damaged files."""

import inspect
import json
import warnings
import zipfile

import keras
import numpy as np
import pytest
import reference
import tensorflow as tf
from compare import TOLERANCES, assert_close
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layers import CASES, SMALL

from keras_scattering import (
    HarmonicScattering3D,
    Scattering1D,
    Scattering2D,
    TimeFrequencyScattering,
)

SEEDED = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
}


def every(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def arrays(outputs):
    return [np.asarray(y) for y in keras.tree.flatten(outputs)]


def assert_rows_close(outputs, desired):
    for y, wanted in zip(arrays(outputs), arrays(desired), strict=True):
        assert y.shape == wanted.shape
        np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max(initial=0))


# Broken samples


@pytest.mark.parametrize(
    ("case", "graph"),
    [*((case, False) for case in CASES), *((case, True) for case in SMALL)],
    ids=lambda value: getattr(value, "name", "graph" if value else "eager"),
)
def test_nan_and_infinity_stay_in_their_rows(case, graph):
    layer = case.make()
    layer.build((None, *case.shape))
    x = case.inputs(6)
    healthy = [0, 3, 5]
    expected = [y[healthy] for y in arrays(layer(x))]
    for row, value in ((1, np.nan), (2, np.inf), (4, -np.inf)):
        x[row].flat[x[row].size // 2] = value
    outputs = arrays((tf.function(layer) if graph else layer)(x))
    assert_rows_close([y[healthy] for y in outputs], expected)
    for row in (1, 2, 4):
        assert any(np.isnan(y[row]).any() for y in outputs)
        assert not any(np.isinf(y[row]).any() for y in outputs)


@every(SMALL)
def test_gradient_of_a_broken_row_is_nan_in_that_row_only(case):
    layer = case.make()
    x = case.inputs(3)
    x[1].flat[0] = np.nan
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.add_n([tf.reduce_sum(y) for y in keras.tree.flatten(layer(x))])
    slope = tape.gradient(total, x).numpy()
    assert np.isnan(slope[1]).any()
    assert np.isfinite(slope[[0, 2]]).all()


# Empty batches, sizes of zero, inputs that are no numbers


@every(CASES)
def test_empty_batch_gives_empty_output(case):
    model = case.model()
    expected = [(0, *y.shape[1:]) for y in keras.tree.flatten(model.output)]
    graphs = [tf.function(model), tf.function(model, jit_compile=True)] if case.small else []
    for call in (model, *graphs):
        assert [y.shape for y in arrays(call(case.inputs(0)))] == expected


def refused(layer, shape, dtype, message):
    """By a graph when it is traced, symbolically, and eagerly."""
    with pytest.raises(ValueError, match=message):
        tf.function(layer).get_concrete_function(tf.TensorSpec((None, *shape), dtype))
    with pytest.raises(ValueError, match=message):
        layer(keras.Input(shape, dtype=dtype))
    empty = "" if dtype == "string" else 0
    with pytest.raises(ValueError, match=message):
        layer(tf.fill((2, *shape), tf.cast(empty, dtype) if dtype != "string" else empty))


@every(SMALL)
@pytest.mark.parametrize("built", [False, True])
class TestRefusal:
    def layer(self, case, built):
        layer = case.make()
        if built:
            layer.build((None, *case.shape))
        return layer

    def test_axes_without_samples(self, case, built):
        at_least = "" if built else r"sizes are all at least 1.* "
        for axis in range(len(case.shape)):
            shape = (*case.shape[:axis], 0, *case.shape[axis + 1 :])
            refused(self.layer(case, built), shape, "float32", rf"{at_least}Received: shape \(.*0")

    def test_no_channels(self, case, built):
        signal = case.shape[-case.rank :]
        for shape in ((*signal, 0), (0, *signal)):
            refused(self.layer(case, built), shape, "float32", r"Received: shape \(.*\b0\b")

    def test_other_ranks(self, case, built):
        for shape in ((), (*case.shape, 3, 3)):
            refused(self.layer(case, built), shape, "float32", "Received: ")

    def test_unknown_rank(self, case, built):
        """Such as that of a dataset from a generator, or of an image that is decoded in a graph."""
        message = r"known rank.*ensure_shape.* Received: .*unknown" if built else "unknown"
        with pytest.raises(ValueError, match=message):
            tf.function(self.layer(case, built)).get_concrete_function(tf.TensorSpec(None))

    @pytest.mark.parametrize("dtype", ["complex64", "string"])
    def test_other_kinds(self, case, built, dtype):
        message = rf"takes real input\. Received: dtype {dtype}"
        refused(self.layer(case, built), case.shape, dtype, message)


NO_SHAPES = [None, 5, "abc", {"a": (8,)}, [None, -8], [None, 16.5], [None, "16"], [None, True]]


@every(SMALL)
@pytest.mark.parametrize("shape", NO_SHAPES, ids=str)
def test_what_is_no_shape_is_refused(case, shape):
    for use in ("build", "compute_output_shape"):
        with pytest.raises(ValueError, match=r"Received: (shape|rank)"):
            getattr(case.make(), use)(shape)


# Arguments


def as_numpy(value):
    """The same argument in NumPy's types."""
    kinds = {bool: bool, int: np.int32, float: np.float64}
    if isinstance(value, tuple):
        return tuple(map(as_numpy, value))
    return kinds.get(type(value), lambda value: value)(value)


@every(CASES)
def test_numbers_of_numpy_are_numbers(case):
    given = {name: as_numpy(value) for name, value in case.config.items()}
    if "scattering" not in given:
        assert any(isinstance(value, np.integer) for value in given.values())
    layer = case.layer(**given, name="layer")
    config = layer.get_config()
    assert config == case.make(name="layer").get_config()
    assert json.loads(json.dumps(config)).keys() == config.keys()
    layer.build((None, *case.shape))


LAYERS = (Scattering1D, Scattering2D, HarmonicScattering3D, TimeFrequencyScattering)
TIME = (Scattering1D, TimeFrequencyScattering)
ABSURD = [
    ((*TIME, Scattering2D), {"J": 63}, r"`J` must be at most 62\. Received: J=63"),
    ((HarmonicScattering3D,), {"J": 21}, r"`J` must be at most 20\. Received: J=21"),
    (LAYERS, {"J": 20000}, r"`J` must be at most \d+\. Received: J=20000"),
    (LAYERS, {"J": 10**30}, r"`J` must be at most"),
    (TIME, {"Q": 10**9}, r"`Q` must be at most 256"),
    (TIME, {"Q": (8, 10**9)}, r"`Q` must be at most 256"),
    (TIME, {"T": 10**400}, r"`T` must be None, 'global', 'signal', 0, or a number"),
    ((Scattering2D,), {"L": 10**9}, r"`L` must be at most 256"),
    ((HarmonicScattering3D,), {"L": 10**9}, r"`L` must be at most 128"),
    ((HarmonicScattering3D,), {"sigma_0": 10**400}, r"`sigma_0` must be a positive number"),
    ((HarmonicScattering3D,), {"sigma_0": 1e200}, r"too large together.* sigma_0=1e\+200, J=2"),
    ((HarmonicScattering3D,), {"L": 128, "J": 20}, r"too large together"),
    ((TimeFrequencyScattering,), {"J_fr": 2000}, r"`J_fr` must be at most 16"),
    ((TimeFrequencyScattering,), {"Q_fr": 10**9}, r"`Q_fr` must be at most 256"),
    ((TimeFrequencyScattering,), {"F": 10**400}, r"`F` must be None, 'global', 0, or a number"),
    (LAYERS, {"dtype": "int32"}, r"`dtype` must be a floating type.* Received: .*int32"),
    (LAYERS, {"dtype": "complex64"}, r"`dtype` must be a floating type.* Received: .*complex64"),
    (LAYERS, {"autocast": True}, r"`autocast` must be False.* Received: autocast=True"),
]


@pytest.mark.parametrize(
    ("layer", "given", "message"),
    [
        pytest.param(layer, given, message, id=f"{layer.__name__}-{str(given)[:40]}")
        for layers, given, message in ABSURD
        for layer in layers
    ],
)
def test_absurd_arguments_are_refused(layer, given, message):
    needed = {"J": 2, **({"J_fr": 2} if layer is TimeFrequencyScattering else {})}
    with pytest.raises(ValueError, match=message):
        layer(**{**needed, **given})


@pytest.mark.parametrize("layer", [Scattering1D, Scattering2D, TimeFrequencyScattering])
def test_the_largest_scale_still_says_what_is_too_short(layer):
    needed = {"J_fr": 2} if layer is TimeFrequencyScattering else {}
    with pytest.raises(ValueError, match=rf"at least 2\*\*J = {2**62} .* Received: J=62"):
        layer(J=62, **needed).build((None, *[16] * layer.rank))


@every(SMALL)
def test_no_signal_is_too_long_for_any_memory(case):
    shape = (None, *[2**16] * case.rank) if case.rank > 1 else (None, 2**40)
    for use in ("build", "compute_output_shape"):
        with pytest.raises(ValueError, match=r"at most 2\*\*30 samples\. Received: shape \(None, "):
            getattr(case.make(), use)(shape)


@every(SMALL)
def test_precision_is_settled_once_the_layer_is_built(case):
    layer = case.make()
    with pytest.raises(ValueError, match=r"`dtype` must be a floating type.* Received: .*int32"):
        layer.dtype_policy = "int32"
    layer.dtype_policy = "float64"  # in time
    layer.build((None, *case.shape))
    for policy in ("float32", "mixed_float16"):
        with pytest.raises(ValueError, match=rf"built, .* float64: .* Received: .*'{policy}'"):
            layer.dtype_policy = policy
    assert {y.dtype for y in keras.tree.flatten(layer(case.inputs(1)))} == {tf.float64}
    layer = case.make()
    layer.build((None, *case.shape))
    layer.dtype_policy = "mixed_float16"  # computes in float32 too
    assert {y.dtype for y in keras.tree.flatten(layer(case.inputs(1)))} == {tf.float16}


@st.composite
def anything(draw):
    """A layer, arguments that may or may not be fine, and a shape that may or may not fit."""
    layer = draw(st.sampled_from(LAYERS))
    count = st.integers(-1, 4) | st.sampled_from([np.int64(2), np.uint8(3), 1.0, None, 70, "2"])
    numbers = [0, 4, 6.5, np.float32(5), np.int16(8), 100, -1]
    average = st.sampled_from([None, "global", "signal", *numbers])
    given = {"J": draw(st.integers(1, 3) | count)}
    options = {"max_order": st.sampled_from([1, 2, np.int64(1), 3])}
    if layer is HarmonicScattering3D:
        options |= {"L": st.integers(1, 3) | count, "sigma_0": st.sampled_from([0.8, 1, 0])}
        options |= {"integral_powers": st.sampled_from([(0.7, 2), [1.0], (), np.float64(2)])}
    else:
        options |= {"padding": st.sampled_from([*reference.PAD_MODES, "none", "wrap"])}
        options |= {"stride": st.none() | st.sampled_from([1, 2, np.int8(4), 3])}
        options |= {"T": average}
    if layer is Scattering2D:
        options |= {"L": count}
    if layer in TIME:
        options |= {"Q": count | st.tuples(count, count)}
    if layer is TimeFrequencyScattering:
        given["J_fr"] = draw(st.integers(1, 2) | count)
        options |= {"Q_fr": count, "F": average}
        del options["max_order"]
    for name in draw(st.lists(st.sampled_from(sorted(options)), max_size=3, unique=True)):
        given[name] = draw(options[name])
    largest = {1: 60, 2: 18, 3: 8}[layer.rank]
    axis = st.integers(largest // 2, largest) | st.integers(0, largest)
    shape = draw(st.tuples(*[axis] * layer.rank))
    dtype = draw(st.sampled_from(["float64", "float32", "float16", "uint8", "int64", "bool"]))
    return layer, given, shape, dtype


REFERENCES = {
    Scattering1D: reference.scattering1d,
    Scattering2D: reference.scattering2d,
    HarmonicScattering3D: reference.harmonic3d,
    TimeFrequencyScattering: reference.time_frequency,
}


def answer(layer, given, shape, dtype):
    """The layer's output and its input; None if it, or what it was given, is refused."""
    noise = np.random.default_rng(0).standard_normal((2, *shape))
    x = np.round(4 * np.abs(noise)).astype(dtype)
    try:
        return layer(**given, dtype="float64")(x), x
    except ValueError as error:
        message = str(error)
    assert "Received: " in message
    return None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Argument `Q` asks for more")
def test_any_arguments_give_the_right_answer_or_a_clear_error():
    answered = []

    @settings(max_examples=80, **SEEDED)
    @given(case=anything())
    def check(case):
        layer, given, *_ = case
        outcome = answer(*case)
        answered.append(outcome is not None)
        if outcome:
            y, x = outcome
            plain = {n: v.item() if isinstance(v, np.generic) else v for n, v in given.items()}
            assert_close(y, REFERENCES[layer](x, **plain), TOLERANCES["float64"])

    check()
    assert 0.2 < np.mean(answered) < 0.8


# Damaged files


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("saved")


@pytest.fixture
def source(case, folder):
    """The undamaged file of a model with the layer of a case."""
    path = folder / f"{case.name}.keras"
    if not path.exists():
        case.model().save(path)
    return path


@every(SMALL)
@settings(max_examples=5, **SEEDED)
@given(part=st.floats(0, 1, exclude_max=True))
def test_truncated_file_is_refused(source, tmp_path, case, part):
    whole = source.read_bytes()
    path = tmp_path / "truncated.keras"
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(ValueError, match=r"accessible `\.keras` zip file"):
        keras.saving.load_model(path)


def edit(source, target, change):
    """Copy a .keras file with its configuration changed in place by a function."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return target


def entry(config):
    """The part of a model's configuration that is about its layer of this package."""
    _, layer = config["config"]["layers"]
    assert layer["registered_name"].startswith("keras_scattering>")
    return layer


MARKER = "ran-code-of-the-file"
TOUCH = f"__import__('pathlib').Path('{MARKER}').touch()"


def hostile():
    """Objects whose reading or use would leave a mark, were they trusted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a lambda is unsafe
        function = eval(f"lambda x: {TOUCH} or x")
        layer = keras.saving.serialize_keras_object(keras.layers.Lambda(function))
    touch = {"module": "pathlib", "class_name": "Path", "config": {"args": [MARKER]}}
    system = {"module": "os", "class_name": "function", "config": "system"}
    return [layer, layer["config"]["function"], touch, system, {"class_name": TOUCH}]


VALUES = [
    *(None, True, 0, -1, -(2**70), 20000, 10**30, 0.5, 1e308, float("nan"), float("inf")),
    *("", "2", "global", "none", [], [1], [2, 2], [[1]], {}, {"a": 1}, TOUCH),
    *hostile(),
]


@pytest.mark.slow
@every(SMALL)
@settings(max_examples=15, **SEEDED)
@given(data=st.data())
def test_edited_file_gives_the_right_answer_or_a_clear_error(
    source, tmp_path, monkeypatch, case, data
):
    """A value that is refused is named; one that is not makes the layer that it describes."""
    monkeypatch.chdir(tmp_path)
    names = {*case.make().get_config(), "autocast", "oversampling"} - {"name", "trainable"}
    names = sorted(names)
    name = data.draw(st.sampled_from(names))
    value = data.draw(st.sampled_from(VALUES))
    edited = edit(
        source,
        tmp_path / "edited.keras",
        lambda config: entry(config)["config"].update({name: value}),
    )
    error = None
    try:
        model = keras.saving.load_model(edited)
    except ValueError as refusal:
        error = refusal
    if error:
        # What is no `dtype` at all is for Keras to refuse.
        assert name == "dtype" or name in str(error), error
    else:
        layer = case.make(**{name: value})
        for y, wanted in zip(
            arrays(model(case.inputs(2))), arrays(layer(case.inputs(2))), strict=True
        ):
            np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max(initial=0))
    assert not (tmp_path / MARKER).exists()


@every(SMALL)
def test_missing_argument_is_named(source, tmp_path, case):
    name = next(iter(inspect.signature(case.layer).parameters))
    edited = edit(source, tmp_path / "edited.keras", lambda c: entry(c)["config"].pop(name))
    message = rf"{case.layer.__name__}.* missing .*'{name}'.* Received: "
    with pytest.raises(ValueError, match=message):
        keras.saving.load_model(edited)


def test_what_keras_cannot_read_of_an_argument_is_said():
    config = {**Scattering1D(J=2).get_config(), "dtype": {"module": "os", "class_name": "function"}}
    with pytest.raises(ValueError, match=r"Scattering1D cannot be made .*KeyError.* Received: "):
        Scattering1D.from_config(config)


@pytest.mark.parametrize("given", [True, 3, {"shapes_dict": {"a": 3}}], ids=str)
def test_damaged_record_of_the_build_is_refused(given):
    with pytest.raises(ValueError, match=r"Scattering1D cannot be built .* Received: "):
        Scattering1D(J=2).build_from_config(given)


@every(SMALL)
@pytest.mark.parametrize("shape", NO_SHAPES[1:], ids=str)
def test_damaged_size_is_refused(source, tmp_path, case, shape):
    edited = edit(
        source,
        tmp_path / "edited.keras",
        lambda config: entry(config)["build_config"].update(input_shape=shape),
    )
    with pytest.raises(ValueError, match=r"Received: (shape|rank)"):
        keras.saving.load_model(edited)


@every(SMALL)
def test_loading_runs_no_code_of_the_file(source, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    blank = {"config": {}, "registered_name": None}
    for code in hostile():
        edited = edit(
            source, tmp_path / "edited.keras", lambda c, code=code: entry(c).update(blank | code)
        )
        with pytest.raises((ValueError, TypeError)):
            keras.saving.load_model(edited)
        assert not (tmp_path / MARKER).exists()
    # The first of them does work where it is trusted.
    edit(source, edited, lambda c: entry(c).update(hostile()[0]))
    keras.saving.load_model(edited, safe_mode=False)(case.inputs(1))
    assert (tmp_path / MARKER).exists()
