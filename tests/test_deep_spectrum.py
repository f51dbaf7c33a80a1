"""The deep scattering spectrum: references from outside, the definition, and what it ignores."""

import functools
import json
import math
from pathlib import Path

import keras
import numpy as np
import pytest
import reference_invariants
import tensorflow as tf
from compare import TOLERANCES, assert_close

from keras_scattering import (
    DeepScatteringSpectrum,
    RotoTranslationScattering2D,
    Scattering1D,
    Scattering2D,
    TimeFrequencyScattering,
)

GOLDEN = Path(__file__).parent / "golden" / "invariants"
GOLDENS = [c for c in json.loads((GOLDEN / "index.json").read_text()) if c["kind"] == "spectrum"]
ACCURACY = {"float64": 1e-9, "float32": 3e-5}
LAYERS = {1: Scattering1D, 2: Scattering2D}
NAIVE = {1: reference_invariants.deep_spectrum1d, 2: reference_invariants.deep_spectrum2d}
# Arguments of the layer; all others are those of its inner layer.
ALONG = ("J_fr", "Q_fr", "F", "stride_fr", "max_order_fr")
OWN = ("epsilon", "normalize", "log", *ALONG)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def make(rank, dtype="float64", fft="native", **arguments):
    own = {name: arguments.pop(name) for name in OWN if name in arguments}
    return DeepScatteringSpectrum(LAYERS[rank](**arguments), **own, dtype=dtype, fft=fft)


@functools.cache
def layer(shape, **arguments):
    """A layer that many tests share, since its filters take a while."""
    made = make(len(shape), **arguments)
    made.build((None, *shape))
    return made


def spectrum(x, **arguments):
    return layer(x.shape[1:], **arguments)(x).numpy()


def plain(x, **arguments):
    return LAYERS[x.ndim - 1](**arguments, dtype="float64")(x).numpy()


def same(y, expected, accuracy):
    """Relative to the largest of each row."""
    assert y.shape == expected.shape
    scale = np.abs(expected).max(tuple(range(expected.ndim - 1)))
    assert (np.abs(y - expected) <= accuracy * scale).all()


def assert_same_rows(meta, expected):
    for name, column in expected.items():
        rtol = 1e-12 if column.dtype.kind == "f" else 0
        np.testing.assert_allclose(meta[name], column, rtol=rtol, err_msg=name)


def naive_meta(arguments):
    names = ("J", "Q", "max_order", *ALONG)
    return reference_invariants.deep_spectrum1d_meta(
        **{name: arguments[name] for name in names if name in arguments}
    )


# References


def golden(case):
    """The input, the output, the metadata, and the arguments."""
    with np.load(GOLDEN / case["file"]) as data:
        held = dict(data)
    meta = {name[5:]: held[name] for name in held if name.startswith("meta_")}
    given = {name: tuple(v) if isinstance(v, list) else v for name, v in case["params"].items()}
    return held["x"], held["y"], meta, given


every_golden = pytest.mark.parametrize("case", GOLDENS, ids=lambda case: Path(case["file"]).stem)


@pytest.mark.parametrize("dtype", ACCURACY)
@every_golden
def test_references(case, dtype):
    x, expected, rows, given = golden(case)
    same(spectrum(x.astype(dtype), dtype=dtype, **given), expected, ACCURACY[dtype])
    assert_same_rows(layer(x.shape[1:], dtype=dtype, **given).meta(), rows)


@every_golden
def test_the_naive_transform_agrees_with_references(case):
    x, expected, rows, given = golden(case)
    same(NAIVE[1](x, **given), expected, 1e-12)
    assert_same_rows(naive_meta(given), rows)


# The definition

DEFINED = [
    ((100,), {"J": 4, "Q": 3, "normalize": False}),
    ((101,), {"J": 4, "Q": (3, 2), "log": False, "T": "signal", "padding": "symmetric"}),
    ((99,), {"J": 4, "epsilon": 0.1, "T": "global", "padding": "zero"}),
    ((96,), {"J": 4, "Q": 2, "max_order": 1, "T": 12.5, "stride": 2, "padding": "none"}),
    ((97,), {"J": 4, "Q": 4, "J_fr": 1, "padding": "periodic"}),
    ((97,), {"J": 4, "Q": 4, "J_fr": 2, "log": False, "F": 1, "max_order_fr": 2}),
    ((97,), {"J": 4, "Q": (3, 2), "J_fr": 3, "normalize": False, "log": False, "F": 5.5}),
    ((90,), {"J": 4, "Q": 2, "J_fr": 2, "F": "global", "max_order_fr": 2, "T": "signal"}),
    ((90,), {"J": 3, "Q": 3, "J_fr": 3, "stride_fr": 2, "max_order": 1, "Q_fr": 3, "T": "global"}),
    ((33,), {"J": 2, "J_fr": 4}),  # tables much shorter than the filters along them
    ((64,), {"J": 1, "J_fr": 1}),  # no second order
    ((19, 16), {"J": 2, "L": 3}),
    ((17, 12), {"J": 2, "L": 2, "normalize": False, "T": "global", "padding": "symmetric"}),
    ((16, 20), {"J": 2, "L": 2, "log": False, "stride": 1, "padding": "none"}),
    ((15, 11), {"J": 3, "L": 1, "epsilon": 0.01, "T": "signal", "padding": "periodic"}),
    ((10, 9), {"J": 2, "L": 4, "max_order": 1, "padding": "zero"}),
]
every_defined = pytest.mark.parametrize(("shape", "arguments"), DEFINED, ids=str)


@pytest.mark.parametrize("fft", ["native", "matrix"])
@every_defined
def test_definition(shape, arguments, fft):
    x = noise(2, *shape)
    expected = NAIVE[len(shape)](x, **arguments)
    for dtype, tolerance in TOLERANCES.items():
        assert_close(
            spectrum(x.astype(dtype), dtype=dtype, fft=fft, **arguments), expected, tolerance
        )


@every_defined
def test_metadata(shape, arguments):
    meta = layer(shape, **arguments).meta()
    if len(shape) == 1:
        expected = naive_meta(arguments)
    else:
        inner = {name: value for name, value in arguments.items() if name not in OWN}
        scattering = Scattering2D(**inner)
        scattering.build((None, *shape))
        expected = dict(scattering.meta())
        absent = np.full(len(expected["order"]), -1)
        expected |= dict.fromkeys(("n_fr", "n_fr2", "j_fr"), absent)
        expected |= dict.fromkeys(("xi_fr", "sigma_fr"), absent * np.nan)
    assert set(meta) == set(expected)
    assert_same_rows(meta, expected)


@pytest.mark.parametrize(
    ("shape", "arguments"),
    [
        ((64, 2), {"J": 3, "Q": 3}),
        ((50, 3), {"J": 3, "Q": 3, "J_fr": 1, "T": "global"}),
        ((9, 8, 2), {"J": 2, "L": 2, "T": "signal"}),
        ((9, 8, 2), {"J": 2, "L": 2}),
    ],
    ids=str,
)
def test_channels_stand_one_after_the_other(shape, arguments):
    x, rank = noise(2, *shape), len(shape) - 1
    each = [NAIVE[rank](x[..., c], **arguments) for c in range(shape[-1])]
    expected = np.concatenate(each, -1)
    y = make(rank, **arguments)(x).numpy()
    assert_close(y, expected, TOLERANCES["float64"])
    first = make(rank, data_format="channels_first", **arguments)(np.moveaxis(x, -1, 1)).numpy()
    assert_close(np.moveaxis(first, 1, -1), expected, TOLERANCES["float64"])


# What it ignores


@pytest.mark.parametrize(
    ("shape", "arguments"),
    [
        ((1024,), {"J": 6, "Q": 8}),
        ((300,), {"J": 5, "Q": 4, "J_fr": 2, "max_order_fr": 2, "T": "global"}),
        ((32, 24), {"J": 3, "L": 4}),
    ],
    ids=str,
)
def test_a_gain_moves_row_0_alone(shape, arguments):
    """S(c x) = S(x), and row 0 rises by log c."""
    x = noise(2, *shape)
    y, louder = (spectrum(c * x, epsilon=1e-12, **arguments) for c in (1, 1000))
    np.testing.assert_allclose(louder[..., 1:], y[..., 1:], rtol=0, atol=5e-10)
    np.testing.assert_allclose(louder[..., 0] - y[..., 0], math.log(1000), rtol=0, atol=1e-11)
    np.testing.assert_array_equal(spectrum(-x, epsilon=1e-12, **arguments), y)


@pytest.mark.parametrize(
    ("shape", "arguments"),
    [((300,), {"J": 5, "Q": 4}), ((16, 20), {"J": 2, "L": 3, "T": "global"})],
    ids=str,
)
def test_the_factors_multiply_to_the_coefficients(shape, arguments):
    x = noise(2, *shape)
    y = np.exp(spectrum(x, epsilon=1e-12, **arguments))
    expected, meta = plain(x, **arguments), layer(shape, epsilon=1e-12, **arguments).meta()
    same(y[..., 0], plain(np.abs(x), **arguments)[..., 0], 1e-10)
    row = {n: k for k, n in enumerate(meta["n1"]) if meta["order"][k] == 1}
    for k in range(1, y.shape[-1]):
        product = y[..., 0] * y[..., row[meta["n1"][k]]]
        if meta["order"][k] == 2:
            product = product * y[..., k]
        same(product, expected[..., k], 1e-6)


def test_a_filter_in_front_moves_order_1_alone():
    """Nearly: where the filter's gain is the same within each wavelet's band."""
    x = noise(1, 4096)
    w = np.maximum(np.abs(np.fft.fftfreq(4096)), 1 / 4096)
    filtered = np.fft.ifft(np.fft.fft(x) * w**0.5).real
    arguments = {"J": 7, "Q": 8, "T": "global", "padding": "periodic"}
    y, z = (spectrum(x, **arguments) for x in (x, filtered))
    order = layer((4096,), **arguments).meta()["order"]
    moved = [np.abs(z - y)[..., order == n].mean() for n in (1, 2)]
    assert moved[1] < 0.1 * moved[0]


def test_the_mean_over_a_table():
    """F="global" and no filter: the mean of what there is without scattering along frequency."""
    x, arguments = noise(2, 200), {"J": 5, "Q": 4}
    y, meta = spectrum(x, **arguments), layer((200,), **arguments).meta()
    z = spectrum(x, J_fr=2, F="global", **arguments)
    found = layer((200,), J_fr=2, F="global", **arguments).meta()
    for k in np.flatnonzero(found["n_fr"] == 0):
        own = (meta["order"] == found["order"][k]) & (meta["n2"] == found["n2"][k])
        np.testing.assert_allclose(z[..., k], y[..., own].mean(-1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_silence_has_the_logarithm_of_epsilon(dtype):
    """And nothing changes along frequency."""
    arguments = {"J": 4, "Q": 3, "J_fr": 2, "max_order_fr": 2, "dtype": dtype}
    y, meta = spectrum(np.zeros((1, 64), dtype), **arguments), layer((64,), **arguments).meta()
    level = np.where(meta["n_fr"] > 0, 0, math.log(2**-20))
    np.testing.assert_allclose(y, np.broadcast_to(level, y.shape), rtol=0, atol=2e-5)


def tone(xi, samples=4096):
    t = np.arange(samples)
    return (1 + np.cos(2 * np.pi * t / 64)) * sum(
        np.cos(2 * np.pi * harmonic * xi * t) / harmonic for harmonic in range(1, 5)
    )


def test_a_transposition_changes_wide_averages_less():
    """By three semitones, next to what one sound and another differ by."""
    arguments = {"J": 8, "Q": 12, "T": "global", "padding": "periodic", "epsilon": 1e-3}
    x = np.stack([tone(0.05), tone(0.05 * 2**0.25)])
    y = spectrum(x, **arguments)
    last = np.linalg.norm(y[0] - y[1]) / np.linalg.norm(y[0])
    for F in (4, 16, "global"):
        y = spectrum(x, J_fr=4, F=F, stride_fr=None if F == "global" else 1, **arguments)
        change = np.linalg.norm(y[0] - y[1]) / np.linalg.norm(y[0])
        assert change < last
        last = change
    assert last < 0.1


# The inner layer


def test_the_inner_layer_is_only_read():
    inner = Scattering1D(J=4, Q=2, name="inner")
    made = DeepScatteringSpectrum(inner)
    made(noise(1, 64))
    assert not inner.built
    assert made.scattering is inner
    config = made.get_config()
    again = DeepScatteringSpectrum.from_config(config)
    assert again.get_config() == config
    assert again.scattering.get_config() == inner.get_config()


@pytest.mark.parametrize("ways", [{"fft": "matrix"}, {"jit_compile": True}], ids=str)
def test_it_computes_as_the_inner_layer_does(ways):
    made = DeepScatteringSpectrum(Scattering1D(J=4, **ways))
    assert {name: getattr(made, name) for name in ways} == ways
    assert DeepScatteringSpectrum(Scattering1D(J=4, **ways), fft="native").fft == "native"


# Gradients


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("shape", "arguments"),
    [
        ((64,), {"J": 4, "Q": 2}),
        ((64,), {"J": 4, "Q": 3, "J_fr": 2, "max_order_fr": 2}),
        ((12, 10), {"J": 2, "L": 2}),
    ],
    ids=str,
)
def test_gradients_are_finite_at_zero(shape, arguments, dtype):
    made = layer(shape, dtype=dtype, **arguments)
    x = noise(2, *shape).astype(dtype)
    x[:, : shape[0] // 2] = 0
    for value in map(tf.constant, (x, 0 * x)):
        with tf.GradientTape() as tape:
            tape.watch(value)
            y = made(value)
        assert np.isfinite(tape.gradient(y, value).numpy()).all()


@pytest.mark.parametrize("rank", [1, 2])
def test_gradients_are_derivatives(rank):
    shape = (50,) if rank == 1 else (9, 8)
    made = make(rank, J=2, epsilon=0.1, **({"J_fr": 1} if rank == 1 else {"L": 2}))
    x, direction = noise(2, 1, *shape)
    weights = noise(*made(x).shape, seed=1)

    def f(x):
        return tf.reduce_sum(made(x) * weights)

    with tf.GradientTape() as tape:
        value = tf.constant(x)
        tape.watch(value)
        y = f(value)
    slope = (tape.gradient(y, value).numpy() * direction).sum()
    h = 1e-5
    np.testing.assert_allclose(
        (f(x + h * direction) - f(x - h * direction)) / (2 * h), slope, rtol=1e-6
    )


# Errors


@pytest.mark.parametrize(
    ("scattering", "arguments", "message"),
    [
        (Scattering1D(2, T=0), {}, r"`scattering`.*`T` not 0.*Received"),
        (Scattering2D(2, T=0), {}, r"`scattering`.*`T` not 0.*Received"),
        (TimeFrequencyScattering(2, 1), {}, r"`scattering`.*Scattering1D or a Scattering2D"),
        (RotoTranslationScattering2D(2), {}, r"`scattering`.*Scattering1D or a Scattering2D"),
        (keras.layers.Dense(2), {}, r"`scattering`.*Received: scattering=<Dense"),
        (6, {}, r"`scattering`.*Received: scattering=6"),
        (Scattering1D(2), {"epsilon": 0}, r"`epsilon`.*positive.*Received: epsilon=0"),
        (Scattering1D(2), {"epsilon": -1e-6}, r"`epsilon`.*Received: epsilon=-1e-06"),
        (Scattering1D(2), {"epsilon": math.nan}, r"`epsilon`.*Received: epsilon=nan"),
        (Scattering1D(2), {"normalize": 1}, r"`normalize`.*True or False.*Received: normalize=1"),
        (Scattering1D(2), {"log": "log1p"}, r"`log`.*True or False.*Received: log='log1p'"),
        (Scattering1D(2), {"normalize": False, "log": False}, r"`normalize` and `log`.*Received"),
        (Scattering1D(2), {"Q_fr": 2}, r"`Q_fr`.*needs `J_fr`.*Received: Q_fr=2, J_fr=None"),
        (Scattering1D(2), {"F": "global"}, r"`F`.*needs `J_fr`.*Received: F='global'"),
        (Scattering1D(2), {"stride_fr": 1}, r"`stride_fr`.*needs `J_fr`.*Received: stride_fr=1"),
        (Scattering1D(2), {"max_order_fr": 2}, r"`max_order_fr`.*needs `J_fr`.*Received"),
        (Scattering2D(2), {"J_fr": 2}, r"`J_fr` needs a `Scattering1D`.*Received: J_fr=2"),
        (Scattering1D(2), {"J_fr": 0}, r"`J_fr`.*at least 1.*Received: J_fr=0"),
        (Scattering1D(2), {"J_fr": 17}, r"`J_fr`.*at most 16.*Received: J_fr=17"),
        (Scattering1D(2), {"J_fr": 2, "Q_fr": 0}, r"`Q_fr`.*at least 1.*Received: Q_fr=0"),
        (Scattering1D(2), {"J_fr": 2, "F": 5}, r"`F`.*at most 2\*\*J_fr = 4.*Received: F=5"),
        (Scattering1D(2), {"J_fr": 2, "F": 0.5}, r"`F`.*at least 1.*Received: F=0.5"),
        (Scattering1D(2), {"J_fr": 2, "F": 0}, r"`F`.*at least 1.*Received: F=0"),
        (Scattering1D(2), {"J_fr": 2, "F": "all"}, r"`F`.*'global'.*Received: F='all'"),
        (Scattering1D(2), {"J_fr": 2, "stride_fr": 3}, r"`stride_fr`.*power of two.*stride_fr=3"),
        (Scattering1D(2), {"J_fr": 2, "stride_fr": 8}, r"`stride_fr`.*at most 4.*stride_fr=8"),
        (
            Scattering1D(2),
            {"J_fr": 2, "F": "global", "stride_fr": 1},
            r"`stride_fr`.*F='global'.*Received: stride_fr=1",
        ),
        (Scattering1D(2), {"J_fr": 2, "max_order_fr": 3}, r"`max_order_fr`.*1, 2.*Received"),
    ],
    ids=str,
)
def test_arguments_that_make_no_sense_are_refused(scattering, arguments, message):
    with pytest.raises(ValueError, match=message):
        DeepScatteringSpectrum(scattering, **arguments)


def test_what_the_inner_layer_refuses_is_refused():
    with pytest.raises(ValueError, match=r"Received"):
        DeepScatteringSpectrum(Scattering1D(J=5)).build((None, 16))
    with pytest.raises(ValueError, match=r"DeepScatteringSpectrum.*Received"):
        DeepScatteringSpectrum(Scattering2D(J=2)).build((None, 16))
