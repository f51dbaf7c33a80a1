"""Bad arguments and inputs: each error names what is wrong, what is allowed, and what came."""

import importlib
import re
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from layers import SMALL

import keras_scattering
from keras_scattering import (
    HarmonicScattering3D,
    Scattering1D,
    Scattering2D,
    TimeFrequencyScattering,
)
from keras_scattering.plans import limits

TIME = (Scattering1D, TimeFrequencyScattering)
PADDED = (*TIME, Scattering2D)
LAYERS = (*PADDED, HarmonicScattering3D)
ORDERED = (Scattering1D, Scattering2D, HarmonicScattering3D)

NO_COUNTS = (0, -1, 1.5, 2.0, True, None, "2")
INTEGER = "an integer of at least 1"
PADDINGS = "'reflect', 'symmetric', 'zero', 'periodic', 'none'"
SUPPORT = "None, 'global', 'signal', 0, or a number of samples of at least 1"
SUPPORT_FR = "None, 'global', 0, or a number of samples of at least 1"  # no signal's own part
NO_SUPPORTS = (0.5, -1, True, "local", np.inf, np.nan)

# (layers, argument, what is said to be allowed, values that are not, other arguments)
ARGUMENTS = [
    (LAYERS, "J", INTEGER, NO_COUNTS, {}),
    (TIME, "Q", INTEGER, (0, -1, 1.5, True, None, "2", (0, 1), (8, 1.5)), {}),
    (TIME, "Q", "a pair", ((), (8,), (8, 1, 1)), {}),
    ((Scattering2D, HarmonicScattering3D), "L", INTEGER, NO_COUNTS, {}),
    (TIME, "T", SUPPORT, NO_SUPPORTS, {}),
    ((Scattering2D,), "T", "None, 'global', 'signal', 0", (4, 1.0, True, False, "local"), {}),
    (PADDED, "stride", "a power of two, at most 8", (3, 6, 16), {"J": 3}),
    (PADDED, "stride", INTEGER, (0, -2, 2.0, True, "2"), {"J": 3}),
    (TIME, "stride", "a power of two, at most 4", (3, 8), {"J": 3, "T": 7.9}),
    (PADDED, "stride", "leave it None", (1, 2), {"T": "global"}),
    (PADDED, "stride", "T='signal': leave it None", (1, 2), {"T": "signal"}),
    (PADDED, "stride", "leave it None", (1, 2), {"T": 0}),
    (ORDERED, "max_order", "one of 1, 2", (0, 3, 1.0, True, None, "2"), {}),
    (PADDED, "padding", PADDINGS, ("same", "REFLECT", None, 0), {}),
    (LAYERS, "data_format", "'channels_last', 'channels_first'", ("channels", 1), {}),
    (LAYERS, "jit_compile", "True or False", (1, None, "auto"), {}),
    ((HarmonicScattering3D,), "sigma_0", "a positive number", (0, -1.0, True, None, np.nan), {}),
    ((HarmonicScattering3D,), "rotation_covariant", "True or False", (0, 1, None, "yes"), {}),
    ((HarmonicScattering3D,), "integral_powers", "positive number", ((), 2.0, None, (0,)), {}),
    ((TimeFrequencyScattering,), "J_fr", INTEGER, NO_COUNTS, {}),
    ((TimeFrequencyScattering,), "Q_fr", INTEGER, NO_COUNTS, {}),
    ((TimeFrequencyScattering,), "F", SUPPORT_FR, (*NO_SUPPORTS, "signal"), {}),
    ((TimeFrequencyScattering,), "F", "at most 2**J_fr = 4", (4.5, 8), {"J_fr": 2}),
    ((TimeFrequencyScattering,), "stride_fr", "a power of two, at most 4", (3, 8), {"J_fr": 2}),
    ((TimeFrequencyScattering,), "stride_fr", "a power of two, at most 2", (4,), {"F": 3.9}),
    ((TimeFrequencyScattering,), "stride_fr", "leave it None", (1,), {"F": "global"}),
    ((TimeFrequencyScattering,), "stride_fr", "leave it None", (1,), {"F": 0}),
    ((TimeFrequencyScattering,), "format", "'time', 'joint'", ("image", None, 0), {}),
]


def arguments(layer, **given):
    """Valid ones, but for those that are given."""
    return {"J": 2, **({"J_fr": 2} if layer is TimeFrequencyScattering else {}), **given}


@pytest.mark.parametrize(
    ("layer", "name", "allowed", "value", "others"),
    [
        pytest.param(layer, name, allowed, value, others, id=f"{layer.__name__}-{name}-{value}")
        for layers, name, allowed, values, others in ARGUMENTS
        for layer in layers
        for value in values
    ],
)
def test_argument_is_refused(layer, name, allowed, value, others):
    with pytest.raises(ValueError, match=f"^Argument `{name}`") as error:
        layer(**arguments(layer, **others, **{name: value}))
    said, _, received = str(error.value).partition(" Received: ")
    assert allowed in said
    assert received == f"{name}={value!r}"


@pytest.mark.parametrize("F", ["global", 0])
def test_pictures_need_an_average_along_frequency(F):
    with pytest.raises(ValueError, match=rf"format='joint'.*`F`.* Received: F={F!r}$"):
        TimeFrequencyScattering(J=3, J_fr=1, F=F, format="joint")


def test_first_order_must_fit_along_frequency():
    # The axis is floor((4 * 8 + 8 * 1) / 2**6) * 2**6 = 0 samples long.
    with pytest.raises(ValueError, match=r"wavelets do not fit.*`J_fr`.*`F`.* Received: .*J_fr=6"):
        TimeFrequencyScattering(J=3, J_fr=6, Q=8, F=1)


@pytest.mark.parametrize("layer", LAYERS)
def test_unknown_argument_is_refused(layer):
    with pytest.raises(ValueError, match="oversampling"):
        layer(**arguments(layer, oversampling=1))


# Inputs. `None` among sizes stands for what is not known before the graph runs.

TOO_SHORT = r"at least 2\*\*J = 8.* Received: J=3, .*\b7\b"
UNKNOWN = "only the batch may be unknown. Received: shape"
INPUTS = [
    (Scattering1D, {"J": 3}, (7,), TOO_SHORT),
    (TimeFrequencyScattering, {"J": 3}, (7,), TOO_SHORT),
    (Scattering2D, {"J": 3}, (7, 8), TOO_SHORT),
    (Scattering2D, {"J": 3}, (8, 7), TOO_SHORT),
    (Scattering1D, {"T": 16.5}, (16,), r"`T` must not exceed .* 16 samples\. Received: T=16\.5"),
    (TimeFrequencyScattering, {"T": 17}, (16,), r"`T` must not exceed .* 16 .* Received: T=17"),
    (Scattering1D, {"padding": "none"}, (18,), "padding='none'.* multiple of 4 .* Received: .*18"),
    (Scattering1D, {"padding": "none", "T": 8}, (12,), "multiple of 8 .* Received: .*12"),
    (Scattering2D, {"padding": "none"}, (8, 9), r"padding='none'.* = 4\. Received: .*\(8, 9\)"),
    (Scattering1D, {}, (8, 8, 8), r"\(batch, time, channels\)\. Received: rank 4"),
    (Scattering2D, {}, (8,) * 4, r"\(batch, height, width, channels\)\. Received: rank 5"),
    (
        Scattering2D,
        {"data_format": "channels_first"},
        (),
        r"\(batch, channels, height, width\)\. Received: rank 1",
    ),
    (HarmonicScattering3D, {}, (8,) * 5, r"\(batch, depth, height, width\).* Received: rank 6"),
    (HarmonicScattering3D, {}, (8,), r"\(batch, depth, height, width\).* Received: rank 2"),
    (Scattering1D, {}, (None,), UNKNOWN),
    (Scattering2D, {}, (16, None), UNKNOWN),
    (Scattering2D, {}, (None, None, 3), UNKNOWN),
    (HarmonicScattering3D, {}, (None, 8, 8), UNKNOWN),
    (TimeFrequencyScattering, {}, (None,), UNKNOWN),
]


def build(layer, shape):
    layer.build((None, *shape))


def announce(layer, shape):
    layer.compute_output_shape((None, *shape))


def call(layer, shape):
    layer(np.zeros((2, *shape)))


def call_symbolically(layer, shape):
    layer(keras.Input(shape))


def call_in_a_graph(layer, shape):
    tf.function(layer).get_concrete_function(tf.TensorSpec((None, *shape)))


@pytest.mark.parametrize(
    ("layer", "config", "shape", "message", "use"),
    [
        pytest.param(*row, use, id=f"{row[0].__name__}-{row[2]}-{row[1]}-{use.__name__}")
        for row in INPUTS
        for use in (build, announce, call, call_symbolically, call_in_a_graph)
        if use is not call or None not in row[2]  # the size of an array is known
    ],
)
def test_input_is_refused(layer, config, shape, message, use):
    with pytest.raises(ValueError, match=message):
        use(layer(**arguments(layer, **config)), shape)


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
class TestCall:
    def refused(self, case, x, message):
        """Eagerly and in a graph, by a layer that is built and by one that is not."""
        for built in (False, True):
            for graph in (False, True):
                layer = case.make()
                if built:
                    layer.build((None, *case.shape))
                with pytest.raises(ValueError, match=message):
                    (tf.function(layer) if graph else layer)(x)

    def test_complex_input_is_refused(self, case):
        for dtype in ("complex64", "complex128"):
            x = case.inputs(1).astype(dtype)
            self.refused(case, x, rf"takes real input\. Received: dtype {dtype}")

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda x: x.tolist(), r"`np\.stack`.* Received: 2 inputs of type list$"),
            (lambda x: tuple(x), r"`np\.stack`.* Received: inputs of shapes \(\("),
            (lambda x: x.astype(object), r"takes real input\. Received: dtype object$"),
            (lambda x: x.astype("M8[s]"), r"takes real input\. Received: dtype datetime64\[s\]$"),
            (lambda x: x.astype(str), r"takes real input\. Received: dtype <U32$"),
            (lambda x: tf.strings.as_string(x), r"takes real input\. Received: dtype string"),
            (tf.sparse.from_dense, r"`tf\.sparse\.to_dense`.* Received: a sparse tensor of shape"),
            (tf.RaggedTensor.from_tensor, r"signals of one size.* Received: a ragged tensor of"),
            (lambda x: {"x": x[0, 0]}, r"takes one array or tensor\. Received: {'x': "),
            (lambda x: "x", r"takes one array or tensor\. Received: 'x'$"),
            (lambda x: 3.0, r"takes one array or tensor\. Received: 3\.0$"),
            (lambda x: None, r"takes one array or tensor\. Received: None$"),
            (tf.data.Dataset.from_tensors, r"takes one array or tensor\. Received: <_TensorData"),
        ],
    )
    def test_what_is_no_array_of_numbers_is_refused(self, case, make, message):
        for built in (False, True):
            layer = case.make()
            if built:
                layer.build((None, *case.shape))
            with pytest.raises(ValueError, match=message):
                layer(make(case.inputs(2)))

    def test_arguments_keep_the_names_that_keras_gives(self, case):
        """Signatures of graphs that were saved hold them."""
        layer, x = case.make(), tf.constant(case.inputs(2))
        for y, again in zip(
            *(keras.tree.flatten(y) for y in (layer(x), layer(inputs=x))), strict=True
        ):
            np.testing.assert_array_equal(y, again)
        graph = tf.function(layer).get_concrete_function(tf.TensorSpec(x.shape))
        plain = tf.function(keras.layers.Identity()).get_concrete_function(tf.TensorSpec(x.shape))
        assert graph.structured_input_signature == plain.structured_input_signature
        with pytest.raises(ValueError, match="`np\\.stack`"):
            layer(inputs=[x, x])

    def test_sparse_symbol_is_refused(self, case):
        with pytest.raises(ValueError, match=r"`tf\.sparse\.to_dense`.* of shape \(None, "):
            case.make()(keras.Input(case.shape, sparse=True))

    def test_complex_symbol_is_refused(self, case):
        with pytest.raises(ValueError, match=r"takes real input\. Received: dtype complex64"):
            case.make()(keras.Input(case.shape, dtype="complex64"))

    def test_another_size_is_refused(self, case):
        layer = case.make()
        layer.build((None, *case.shape))
        other = (*case.shape[:-1], 2 * case.shape[-1])
        message = rf"built for inputs of shape \(None, .*\)\. Received: shape \(.*{other[-1]}\)"
        for use in (call, call_symbolically, call_in_a_graph):
            with pytest.raises(ValueError, match=message):
                use(layer, other)

    def test_metadata_needs_a_built_layer(self, case):
        layer = case.make(name="early")
        with pytest.raises(ValueError, match=r"build\(input_shape\).* Received: layer 'early'"):
            layer.meta()
        layer.build((None, *case.shape))
        assert all(map(len, layer.meta().values()))


def test_another_backend_is_refused_on_import(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    message = r"KERAS_BACKEND=tensorflow before Keras is imported\. Received: KERAS_BACKEND=jax$"
    with pytest.raises(ValueError, match=message):
        importlib.reload(keras_scattering)


class TestInputsThatAreReadOtherwise:
    """Messages say which axis is taken for what."""

    def test_a_stereo_sound_without_its_batch(self):
        with pytest.raises(ValueError, match=r"\(8000, 2\) is read as \(batch, time\); a single"):
            Scattering1D(J=8)(np.zeros((8000, 2), "int16"))

    def test_channels_first_in_a_layer_of_channels_last(self):
        with pytest.raises(ValueError, match="take data_format='channels_first'"):
            Scattering2D(J=2)(np.zeros((2, 3, 32, 32)))

    def test_channels_first_that_would_be_taken(self):
        with pytest.warns(UserWarning, match=r"\(batch, height, width, channels\)"):
            Scattering2D(J=1)(np.zeros((2, 3, 32, 32)))

    def test_channels_last_in_a_layer_of_channels_first(self):
        layer = Scattering2D(J=1, data_format="channels_first")
        with pytest.warns(UserWarning, match=r"\(batch, channels, height, width\)"):
            layer(np.zeros((2, 32, 32, 3)))

    def test_a_list_of_images(self):
        with pytest.raises(ValueError, match=r"np\.stack"):
            Scattering2D(J=2)([np.zeros((32, 32)), np.zeros((32, 32))])

    def test_sounds_of_two_lengths(self):
        with pytest.raises(ValueError, match="pad or crop"):
            Scattering1D(J=2)([np.zeros(500), np.zeros(600)])

    @pytest.mark.parametrize("name", ["shape", "backend", "frontend", "method", "vectorize"])
    def test_arguments_of_kymatio(self, name):
        with pytest.raises(ValueError, match=r"is Kymatio's.*docs/migration\.md"):
            Scattering1D(J=2, **{name: 16})

    @pytest.mark.parametrize(
        ("layer", "shape"),
        [
            (Scattering1D, (64,)),
            (Scattering1D, (64, 64, 64)),
            (Scattering1D, 1024),
            (Scattering2D, (32, 32)),
            (Scattering2D, [32, 32]),
            (HarmonicScattering3D, (32, 32, 32)),
            (HarmonicScattering3D, 192),
            (TimeFrequencyScattering, (1024,)),
            (TimeFrequencyScattering, 1024),
        ],
    )
    def test_a_shape_as_second_argument(self, layer, shape):
        with pytest.raises(ValueError, match=r"is Kymatio's.*docs/migration\.md"):
            layer(2, shape, 8)

    @pytest.mark.parametrize(
        ("J", "Q"), [(4, 64), (4, (64, 1)), (4, (1, 64)), (6, 64), (1, 32), (8, 256)]
    )
    @pytest.mark.parametrize("layer", TIME)
    def test_a_size_that_would_be_taken(self, layer, J, Q):
        received = re.escape(f"Received: Q={Q}, J={J}")
        with pytest.warns(UserWarning, match=rf"`Q` asks for.*docs/migration\.md.* {received}$"):
            layer(**arguments(layer, J=J, Q=Q))

    @pytest.mark.parametrize(("J", "Q"), [(1, 8), (4, 16), (3, (8, 8)), (8, 128), (12, 256)])
    @pytest.mark.parametrize("layer", TIME)
    def test_what_the_scale_tells_apart_is_no_size(self, layer, J, Q):
        layer(**arguments(layer, J=J, Q=Q))  # a warning would be an error

    @pytest.mark.parametrize(
        ("layer", "wrong", "right"),
        [
            (Scattering1D, "QQ", "Q"),
            (Scattering1D, "q", "Q"),
            (Scattering1D, "strides", "stride"),
            (Scattering1D, "dytpe", "dtype"),
            (Scattering2D, "dataformat", "data_format"),
            (HarmonicScattering3D, "maxorder", "max_order"),
            (TimeFrequencyScattering, "J_Fr", "J_fr"),
            (TimeFrequencyScattering, "jit_compiled", "jit_compile"),
        ],
    )
    def test_a_misspelt_argument(self, layer, wrong, right):
        message = rf"has no argument `{wrong}`\. Did you mean `{right}`\? Received: {wrong}=8$"
        with pytest.raises(ValueError, match=message):
            layer(**arguments(layer, **{wrong: 8}))

    @pytest.mark.parametrize("name", ["kwargs", "self_", "answer"])
    def test_an_argument_like_no_other(self, name):
        with pytest.raises(ValueError, match=rf"Unrecognized keyword .*'{name}'"):
            Scattering1D(J=2, **{name: 8})

    def test_long_values_are_cut(self):
        with pytest.raises(ValueError, match="Argument `J`") as caught:
            Scattering1D(J=list(range(10000)))
        assert len(str(caught.value)) < 400


class TestSettingsThatNoMachineHolds:
    """They are answered or refused at once, with the bytes that they would take."""

    @pytest.mark.parametrize(
        ("make", "shape"),
        [
            (lambda: Scattering1D(J=10), (2**30,)),
            (lambda: Scattering1D(J=10, Q=256), (2**28,)),
            (lambda: Scattering2D(J=2, L=256), (2**15, 2**15)),
            (lambda: HarmonicScattering3D(J=2), (1024, 1024, 1024)),
            (lambda: TimeFrequencyScattering(J=10, J_fr=4), (2**30,)),
            (lambda: TimeFrequencyScattering(J=20, J_fr=16, Q=256), (2**20,)),
        ],
    )
    def test_shapes_are_answered_and_builds_refused(self, make, shape, monkeypatch):
        monkeypatch.setattr(limits, "memory", lambda: 2**34)
        began = time.monotonic()
        make().compute_output_shape((None, *shape))
        with pytest.raises(ValueError, match=r"would take about [\d,]+ bytes"):
            make().build((None, *shape))
        assert time.monotonic() - began < 10  # seconds; on a quiet machine below one

    def test_paths_without_number(self):
        with pytest.raises(ValueError, match=r"would have 2,951,681 paths, 11,806,724 bytes"):
            Scattering2D(J=10, L=256).compute_output_shape((None, 1024, 1024))
