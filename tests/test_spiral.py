"""The joint transform with filters across octaves: references from outside and the definition."""

import functools
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import reference
import tensorflow as tf
from compare import TOLERANCES, assert_close

from keras_scattering import TimeFrequencyScattering
from keras_scattering.plans.timefrequency import log_frequency

GOLDEN = Path(__file__).parent / "golden" / "invariants"
GOLDENS = [c for c in json.loads((GOLDEN / "index.json").read_text()) if c["kind"] == "spiral"]
ACCURACY = {"float64": 1e-9, "float32": 3e-5}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@functools.cache
def layer(size, **arguments):
    """A layer that many tests share, since its filters take a while."""
    made = TimeFrequencyScattering(**{"dtype": "float64", **arguments})
    made.build((None, size))
    return made


def scatter(x, **arguments):
    y = layer(x.shape[1], **arguments)(x)
    return [path.numpy() for path in y] if isinstance(y, list) else y.numpy()


def expected_meta(size, **arguments):
    format = arguments.pop("format", "time")
    pictures = reference.time_frequency_paths(np.zeros((1, size)), **arguments)
    return reference.time_frequency_meta(pictures, format)


def same(y, expected, accuracy):
    """Relative to the largest of each path."""
    scale = np.abs(expected).max(tuple(range(expected.ndim - 1)))
    assert y.shape == expected.shape
    assert (np.abs(y - expected) <= accuracy * scale).all()


def assert_same_rows(meta, expected):
    for name, column in expected.items():
        rtol = 1e-12 if column.dtype.kind == "f" else 0
        np.testing.assert_allclose(meta[name], column, rtol=rtol, err_msg=name)


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
    same(scatter(x.astype(dtype), dtype=dtype, **given), expected, ACCURACY[dtype])
    assert_same_rows(layer(x.shape[1], dtype=dtype, **given).meta(), rows)


@pytest.mark.slow
@every_golden
def test_the_naive_transform_agrees_with_references(case):
    x, expected, rows, given = golden(case)
    same(reference.time_frequency(x, **given), expected, 1e-12)
    assert_same_rows(expected_meta(x.shape[1], **given), rows)


# The definition

DEFINED = [
    (100, {"J": 3, "J_fr": 1, "Q": 2, "J_oct": 1, "T": 0, "F": "global"}),
    (101, {"J": 3, "J_fr": 2, "Q": 3, "J_oct": 2, "T": "signal", "padding": "symmetric"}),
    (97, {"J": 4, "J_fr": 1, "Q": (3, 2), "J_oct": 1, "F": "global"}),
    (97, {"J": 3, "J_fr": 2, "Q": 3, "J_oct": 1, "F": 0, "T": "global", "padding": "zero"}),
    (90, {"J": 3, "J_fr": 2, "Q": 5, "J_oct": 1, "F": 2.5, "Q_fr": 2, "padding": "periodic"}),
    (96, {"J": 3, "J_fr": 2, "Q": 3, "J_oct": 1, "T": 12.5, "stride": 2, "padding": "none"}),
    (75, {"J": 3, "J_fr": 1, "Q": (2, 2), "J_oct": 1, "format": "joint"}),
    (75, {"J": 3, "J_fr": 2, "Q": 3, "J_oct": 1, "T": 0, "stride_fr": 1, "format": "joint"}),
    (75, {"J": 3, "J_fr": 1, "Q": 3, "J_oct": 2, "T": "signal", "F": 1, "format": "joint"}),
]
every_defined = pytest.mark.parametrize(("size", "arguments"), DEFINED, ids=str)


@pytest.mark.slow
@pytest.mark.parametrize("fft", ["native", "matrix"])
@every_defined
def test_definition(size, arguments, fft):
    x = noise(2, size)
    expected = reference.time_frequency(x, **arguments)
    for dtype, tolerance in TOLERANCES.items():
        assert_close(
            scatter(x.astype(dtype), dtype=dtype, fft=fft, **arguments), expected, tolerance
        )


@every_defined
def test_metadata(size, arguments):
    meta, expected = layer(size, **arguments).meta(), expected_meta(size, **arguments)
    assert set(meta) == {*expected, "j1", "xi1", "sigma1", "j2", "xi2", "sigma2"}
    assert_same_rows(meta, expected)


def test_channels_stand_one_after_the_other():
    x = noise(2, 64, 2)
    arguments = {"J": 3, "J_fr": 1, "Q": 2, "J_oct": 1}
    expected = [reference.time_frequency(x[..., c], **arguments) for c in range(2)]
    expected = np.concatenate(expected, -1)
    last = TimeFrequencyScattering(**arguments, dtype="float64")(x).numpy()
    assert_close(last, expected, TOLERANCES["float64"])
    first = TimeFrequencyScattering(**arguments, dtype="float64", data_format="channels_first")
    y = first(np.moveaxis(x, -1, 1)).numpy()
    assert_close(np.moveaxis(y, 1, -1), expected, TOLERANCES["float64"])


def test_other_columns_are_those_without_octaves():
    meta = layer(64, J=3, J_fr=1, Q=2, F=0).meta()
    assert "n_oct" not in meta
    spiral = layer(64, J=3, J_fr=1, Q=2, F=0, J_oct=1).meta()
    first = spiral["n_oct"] <= 0
    for name, column in meta.items():
        np.testing.assert_array_equal(spiral[name][first], column, err_msg=name)


# What the filters are

AXES = [(6, 4, 2, None, 1), (5, 3, 1, 1.5, 2), (3, 12, 3, "global", 1), (4, 5, 2, 0, 1)]
every_axis = pytest.mark.parametrize(("J", "Q", "J_fr", "F", "J_oct"), AXES)


@every_axis
def test_the_axis_holds_whole_octaves_and_the_reach_of_the_filters(J, Q, J_fr, F, J_oct):
    size = log_frequency(J, Q, J_fr, 1, F, None, J_oct).size
    assert size == reference.padded_bins(J, Q, J_fr, F, J_oct)
    assert size % Q == size % 2**J_fr == 0
    assert size >= (J + 1) * Q + 8 * 2**J_oct * Q > size - math.lcm(2**J_fr, Q)


@every_axis
def test_a_filter_is_the_product_of_two(J, Q, J_fr, F, J_oct):
    """One after the other they convolve a picture of chroma and octaves."""
    axis = log_frequency(J, Q, J_fr, 1, F, None, J_oct)
    along = reference.bank_fr(axis.size, J_fr)
    across = reference.bank_fr(axis.size // Q, J_oct)
    x = noise(axis.size)
    pairs = list(itertools.product(along, across))
    assert len(axis.filters) == len(pairs)
    for n, (beta, gamma) in enumerate(pairs):
        y = reference.convolve(x, beta.psi).reshape(-1, Q)
        y = reference.convolve(y, gamma.psi[:, None], axes=(0,)).reshape(-1)
        z = np.fft.ifft(np.fft.fft(x) * np.fft.fft(axis.response(n)))
        np.testing.assert_allclose(z, y, rtol=0, atol=1e-14)


@pytest.mark.parametrize("step", [4, 8])
def test_octaves_up_move_the_picture(step):
    """A stack moved by Q rows: a tone an octave lower, seen by wavelets of one Q."""
    samples, Q = 4096, 4
    arguments = {"J": 9, "J_fr": 2, "Q": Q, "J_oct": 1, "F": 1, "padding": "periodic"}
    t = np.arange(samples)
    loudness = 1 + np.cos(2 * np.pi * 4 * t / samples)

    def tone(xi):
        return loudness * np.cos(2 * np.pi * xi * t)

    x = np.stack([tone(0.25), tone(0.25 * 2 ** (-step / Q))])
    y, z = scatter(x, format="joint", **arguments)[:, None]
    moved = np.roll(y, step, axis=2)
    assert np.linalg.norm(z - moved) < 0.02 * np.linalg.norm(y)
    assert np.linalg.norm(z - y) > 0.2 * np.linalg.norm(y)


def test_alternating_octaves_light_the_filters_across_octaves():
    """Partials an octave apart, whose loudness moves alike, or against that of their neighbours."""
    samples = 4096
    arguments = {"J": 8, "J_fr": 3, "Q": 8, "J_oct": 1, "F": "global", "padding": "periodic"}
    t = np.arange(samples) / samples
    tones = [np.cos(2 * np.pi * (samples // 2 ** (i + 2)) * t) for i in range(5)]
    beat = np.cos(2 * np.pi * 6 * t)
    alike = sum((1 + beat) * tone for tone in tones)
    alternate = sum((1 + (-1) ** i * beat) * tone for i, tone in enumerate(tones))
    energy = (scatter(np.stack([alike, alternate]), **arguments) ** 2).sum(1)
    meta = layer(samples, **arguments).meta()
    order2, xi = meta["order"] == 2, np.abs(meta["xi_oct"])
    fast, low = (energy[:, order2 & (xi == value)].sum(1) for value in (xi[order2].max(), 0))
    ratio = fast / low
    assert ratio[1] > 10 * ratio[0]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("F", [None, 0])
def test_gradients_are_finite_at_zero(F, dtype):
    made = layer(64, J=3, J_fr=1, Q=2, J_oct=1, F=F, dtype=dtype)
    x = np.pad(noise(2, 20), [(0, 0), (0, 44)]).astype(dtype)
    for value in map(tf.constant, (x, 0 * x)):
        with tf.GradientTape() as tape:
            tape.watch(value)
            y = made(value)
        assert np.isfinite(tape.gradient(y, value).numpy()).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"J_oct": 0}, r"`J_oct`.*at least 1.*Received: J_oct=0"),
        ({"J_oct": 1.5}, r"`J_oct`.*integer.*Received: J_oct=1.5"),
        ({"J_oct": 17}, r"`J_oct`.*at most 16.*Received: J_oct=17"),
        ({"J_oct": True}, r"`J_oct`.*Received: J_oct=True"),
        ({"J_oct": 1, "Q": 1}, r"`J_oct`.*at least 2.*Received: J_oct=1, Q=1"),
        ({"J_oct": 1, "Q": (1, 4)}, r"`J_oct`.*at least 2.*Received: J_oct=1, Q=\(1, 4\)"),
        ({"J_oct": 1, "F": 0, "format": "joint"}, r"`format='joint'`.*`F`.*Received: F=0"),
    ],
    ids=str,
)
def test_arguments_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TimeFrequencyScattering(**{"J": 4, "J_fr": 2, "Q": 4, **arguments})
