"""Rectifier covariances: references from outside, the definition, and what theory says of them."""

import functools
import json
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import reference
import reference_rectifier
import tensorflow as tf

from keras_scattering import RectifierCovariances2D

GOLDEN = Path(__file__).parent / "golden" / "rectifier"
GOLDENS = json.loads((GOLDEN / "index.json").read_text())
ACCURACY = {"float64": 1e-9, "float32": 3e-5}
ROUNDING = 1e-12  # of theorems in float64, relative to the largest

# Small images have more rows than pixels, of which the layer warns.
pytestmark = pytest.mark.filterwarnings("ignore:.*copy:UserWarning")


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def walk(*shape, seed=0):
    """Skewed fields (B, H, W, …) with long waves."""
    x = noise(*shape, seed=seed).cumsum(1).cumsum(2)
    x = x - x.mean((1, 2), keepdims=True)
    x = x / x.std((1, 2), keepdims=True)
    return x + 0.3 * x**2


@functools.cache
def layer(shape, **arguments):
    """A layer that many tests share, since its filters take a while."""
    made = RectifierCovariances2D(**{"dtype": "float64", **arguments})
    made.build((None, *shape))
    return made


def covariances(x, **arguments):
    return layer(np.shape(x)[1:], **arguments)(np.asarray(x)).numpy()


def rows(x, **arguments):
    return layer(np.shape(x)[1:], **arguments).meta()


def naive(x, data=None, **arguments):
    """The definition, also without an axis of channels."""
    if np.ndim(x) == 3:
        x, data = x[..., None], None if data is None else data[..., None]
    return reference_rectifier.rectifier2d(x, data=data, **arguments)


def powers(meta):
    """Which rows are what others are divided by the root of."""
    still = (meta["t1"] == 0) & (meta["t2"] == 0)
    some = np.isin(meta["kind"], ["variance", "rectifier_variance", "low", "high"])
    return some & still & (meta["c1"] == meta["c2"])


def same(y, expected, meta, accuracy=ROUNDING):
    """Relative to the largest row of each kind, powers apart; for means to the largest of all."""
    assert y.shape == expected.shape
    kinds = np.where(powers(meta), "power of ", "").astype(object) + meta["kind"]
    kinds = np.tile(kinds, y.shape[-1] // len(kinds))
    for kind in np.unique(kinds):
        mine, theirs = y[..., kinds == kind], expected[..., kinds == kind]
        largest = np.abs(expected if kind == "mean" else theirs).max()
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=accuracy * largest, err_msg=kind)


def assert_same_rows(meta, expected):
    for name, column in expected.items():
        np.testing.assert_array_equal(meta[name], column, err_msg=name)


# References


def golden(case):
    with np.load(GOLDEN / case["file"]) as data:
        return dict(data)


every_golden = pytest.mark.parametrize("case", GOLDENS, ids=lambda case: Path(case["file"]).stem)


@pytest.mark.parametrize("dtype", ACCURACY)
@every_golden
def test_references(case, dtype):
    held = golden(case)
    made = RectifierCovariances2D(**case["params"], dtype=dtype)
    y = made(held["x"].astype(dtype)).numpy()
    same(y, held["y"], made.meta(), ACCURACY[dtype])
    assert_same_rows(
        made.meta(), {name[5:]: held[name] for name in held if name.startswith("meta_")}
    )


@every_golden
def test_the_naive_transform_agrees_with_references(case):
    held = golden(case)
    y = naive(held["x"], **case["params"])
    np.testing.assert_allclose(y, held["y"], rtol=0, atol=1e-12 * np.abs(held["y"]).max())


# The definition

CROSSED = {"cross_channels": True}
DEFINED = [
    ((12, 9), {"J": 2, "L": 2, "A": 3, "dn": 0, "padding": "symmetric"}),
    ((12, 12), {"J": 2, "L": 3, "A": 1, "dn": 1}),
    ((8, 13), {"J": 3, "L": 2, "shifts": "same", "padding": "none"}),
    ((9, 16), {"J": 3, "L": 1, "A": 2, "dj": 5, "padding": "zero"}),
    ((16, 11), {"J": 3, "L": 2, "A": 5, "dj": 1, "dn": 2, "shifts": "same", "padding": "reflect"}),
    ((9, 8), {"J": 1, "L": 4, "normalize": False, "padding": "symmetric"}),
    ((8, 8), {"J": 3, "L": 2, "A": 2}),
    ((8, 9, 2), {"J": 2, "L": 2, "A": 3, "dn": 1, "padding": "zero"}),
    ((10, 11, 2), {"J": 2, "L": 2, "A": 2, "dj": 1, **CROSSED, "padding": "zero"}),
    ((9, 12, 3), {"J": 2, "L": 1, "A": 1, "dn": 0, **CROSSED, "padding": "reflect"}),
    ((9, 8, 3), {"J": 1, "L": 2, "dn": 1, **CROSSED, "normalize": False, "padding": "none"}),
    ((8, 11, 2), {"J": 2, "L": 2, **CROSSED, "shifts": "same", "normalize": False}),
]
every_defined = pytest.mark.parametrize(("shape", "arguments"), DEFINED, ids=str)


@pytest.mark.parametrize("fft", ["native", "matrix"])
@every_defined
def test_definition(shape, arguments, fft):
    x = walk(3, *shape) + 0.5
    meta = rows(x, fft=fft, **arguments)
    same(covariances(x, fft=fft, **arguments), naive(x, **arguments), meta, 1e-10)


@every_defined
def test_metadata(shape, arguments):
    which = {
        name: value
        for name, value in arguments.items()
        if name not in ("cross_channels", "normalize", "padding")
    }
    channels = shape[2] if arguments.get("cross_channels") else 0
    expected = reference_rectifier.meta(**which, channels=channels)
    assert_same_rows(layer(shape, **arguments).meta(), expected)


@pytest.mark.parametrize("crossed", [True, False])
def test_channels_may_come_first(crossed):
    x = walk(2, 9, 8, 3)
    arguments = {"J": 2, "L": 2, "A": 2, "dn": 1, "cross_channels": crossed, "padding": "reflect"}
    first = RectifierCovariances2D(**arguments, dtype="float64", data_format="channels_first")
    y = first(np.moveaxis(x, -1, 1)).numpy()
    assert first.compute_output_shape((7, 3, 9, 8)) == (7, y.shape[1])
    same(y, naive(x, **arguments), first.meta(), 1e-10)


# J, dj, dn, shifts, and the numbers of rows of one channel, and of three with those between them
COUNTS = [
    (4, 2, None, "all", 15958, 51228),
    (4, 4, None, "all", 17814, 57180),
    (4, 2, 2, "all", 7222, 24972),
    (4, 2, 1, "all", 5038, 18408),
    (4, 2, 0, "all", 670, 5280),
    (4, 2, None, "same", 2294, 10236),
    (5, 2, None, "all", 27164, 85974),
    (5, 4, None, "all", 34268, 108438),
    (5, 2, 2, "all", 9644, 33342),
    (5, 2, 1, "all", 6724, 24570),
    (5, 2, 0, "all", 884, 7026),
    (5, 2, None, "same", 3476, 14910),
]


@pytest.mark.parametrize(
    ("J", "dj", "dn", "shifts", "one", "three"),
    [
        pytest.param(*count, marks=pytest.mark.slow) if count[-1] > 30_000 else count
        for count in COUNTS
    ],
)
def test_number_of_rows(J, dj, dn, shifts, one, three):
    arguments = {"J": J, "dj": dj, "dn": dn, "shifts": shifts}
    made = RectifierCovariances2D(**arguments)
    assert made.compute_output_shape((None, 256, 256)) == (None, one)
    crossed = RectifierCovariances2D(**arguments, cross_channels=True)
    assert crossed.compute_output_shape((None, 256, 256, 3)) == (None, three)


# Theorems: periodic, with all shifts

SIZES, ARGUMENTS = (32, 32), {"J": 3, "L": 4, "A": 4, "dj": 2}
COLOURS = {"J": 2, "L": 2, "A": 3, "dn": 1, "cross_channels": True}
COLUMNS = [name for name in reference_rectifier.Row._fields if name != "n"]


def exchanged(y, meta, change):
    """For every row the one whose columns `change` makes of its own."""
    keys = list(zip(*(meta[name].tolist() for name in COLUMNS), strict=True))
    number = {key: i for i, key in enumerate(keys)}
    assert len(number) == len(keys)

    def find(row):
        """The row, or that of the factors in the other order."""
        if tuple(row.values()) in number:
            return number[tuple(row.values())]
        assert row["kind"] in ("variance", "low", "high") or (row["a"] == 0)
        other = {**row, "t1": -row["t1"], "t2": -row["t2"], "c1": row["c2"], "c2": row["c1"]}
        if row["kind"] == "covariance":
            other |= {"j1": row["j2"], "j2": row["j1"], "l1": row["l2"], "l2": row["l1"]}
        return number[tuple(other.values())]

    found = []
    for key in keys:
        row = dict(zip(COLUMNS, key, strict=True))
        change(row)
        found.append(find(row))
    return y[..., found]


def test_translations_change_nothing():
    x = walk(2, 24, 20)
    moved = np.roll(x, (5, 3), (1, 2))
    same(covariances(moved, **ARGUMENTS), covariances(x, **ARGUMENTS), rows(x, **ARGUMENTS))


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("arguments", [ARGUMENTS, COLOURS], ids=["one", "colours"])
def test_degrees(arguments, normalize, dtype):
    """S(c x) = c**q S(x), also where c**2 is out of the range of float32 for rows of degree 0."""
    x = walk(2, *SIZES, 2) if arguments is COLOURS else walk(2, *SIZES)
    arguments = {**arguments, "normalize": normalize, "dtype": dtype}
    y, meta = covariances(x, **arguments), rows(x, **arguments)
    degree = np.where(powers(meta) | (not normalize), 2, 0)
    degree[meta["kind"] == "mean"] = 1
    if not normalize:
        degree[meta["kind"] == "rectifier_mean"] = 1
    accuracy = ROUNDING if dtype == "float64" else 3e-5
    for c in (3.7, 1e-3):
        same(covariances(c * x, **arguments) / c**degree, y, meta, accuracy)
    if normalize:
        for c in (1e25, 1e-25):
            found = covariances(c * x, **arguments)
            same(np.where(degree == 0, found, y), y, meta, accuracy)


def test_constants_move_the_mean_alone():
    x = walk(2, *SIZES)
    y, meta = covariances(x, **ARGUMENTS), rows(x, **ARGUMENTS)
    same(covariances(x + 5, **ARGUMENTS), y + 5 * (meta["kind"] == "mean"), meta)


def test_the_sign_exchanges_phases():
    x = walk(2, *SIZES)
    y, meta = covariances(x, **ARGUMENTS), rows(x, **ARGUMENTS)

    def change(row):
        if row["kind"].startswith("rectifier"):
            row["a"] = (row["a"] + 2) % 4

    kept = meta["kind"] != "covariance"  # their second phase becomes pi, which is no row
    expected = np.where(meta["kind"] == "mean", -y, exchanged(y, meta, change))
    found = covariances(-x, **ARGUMENTS)
    same(np.where(kept, found, y), np.where(kept, expected, y), meta)
    assert np.abs(found - y).max() > 0.01


@pytest.mark.parametrize("padding", ["periodic", "none", "reflect", "symmetric", "zero"])
def test_opposite_phases_have_one_mean(padding):
    x = walk(2, 16, 13)
    arguments = {"J": 2, "L": 3, "dn": 0, "normalize": False, "padding": padding}
    y, meta = covariances(x, **arguments), rows(x, **arguments)
    some = [y[:, (meta["kind"] == "rectifier_mean") & (meta["a"] == a)] for a in range(4)]
    largest = np.abs(some).max()
    assert largest > 0.01
    for a in range(2):
        np.testing.assert_allclose(some[a], some[a + 2], rtol=0, atol=ROUNDING * largest)


def test_opposite_phases_differ_by_the_coefficient():
    """max(z, 0) - max(-z, 0) = z, so that raw rows have differences without the first rectifier."""
    x = walk(1, 16, 20)
    arguments = {"J": 2, "L": 2, "dn": 1, "normalize": False}
    y, meta = covariances(x, **arguments), rows(x, **arguments)
    bank = reference.bank_2d(16, 20, 2, 2)
    W = [reference.convolve(x, psi, (1, 2)) for psi in bank]
    number = {
        key: i for i, key in enumerate(zip(*(meta[n].tolist() for n in COLUMNS), strict=True))
    }
    compared, largest = 0, np.abs(y[:, meta["kind"] == "covariance"]).max()
    for key, i in number.items():
        row = dict(zip(COLUMNS, key, strict=True))
        other = number.get(tuple({**row, "a": (row["a"] + 2) % 4}.values()))
        if row["kind"] != "covariance" or other is None:
            continue
        first, second = (W[2 * row[f"j{k}"] + row[f"l{k}"]] for k in (1, 2))
        first = (np.exp(2j * np.pi * row["a"] / 4) * first).real
        moved = np.roll(first, (-row["t1"], -row["t2"]), (1, 2))
        expected = (moved * np.maximum(second.real, 0)).mean()
        np.testing.assert_allclose(y[0, i] - y[0, other], expected, rtol=0, atol=ROUNDING * largest)
        compared += 1
    assert compared > 300


def test_point_reflections_conjugate_phases_and_turn_shifts():
    x = walk(2, *SIZES)
    y, meta = covariances(x, **ARGUMENTS), rows(x, **ARGUMENTS)

    def change(row):
        if row["a"] >= 0:
            row["a"] = -row["a"] % 4
        if row["kind"] == "covariance":
            row["t1"], row["t2"] = -row["t1"], -row["t2"]

    reflected = np.roll(np.flip(x, (1, 2)), (1, 1), (1, 2))  # about pixel 0
    found = covariances(reflected, **ARGUMENTS)
    same(found, exchanged(y, meta, change), meta)
    assert np.abs(found - y).max() > 0.01


def test_quarter_turns_exchange_rows():
    x, A, L = walk(2, *SIZES), 4, 4
    y, meta = covariances(x, **ARGUMENTS), rows(x, **ARGUMENTS)

    def change(row):
        if row["kind"] == "high":
            row["l1"] = {0: 1, 1: 0, 2: 2}[row["l1"]]
        elif row["l1"] >= 0:
            if row["l1"] + L // 2 >= L:
                row["a"] = -row["a"] % A
            for name in ("l1", "l2"):
                if row[name] >= 0:
                    row[name] = (row[name] + L // 2) % L
        row["t1"], row["t2"] = row["t2"], -row["t1"]

    turned = np.roll(np.rot90(x, axes=(1, 2)), 1, 1)  # about pixel 0
    found = covariances(turned, **ARGUMENTS)
    same(found, exchanged(y, meta, change), meta)
    assert np.abs(found - y).max() > 0.01


@pytest.mark.parametrize("tiles", [(2, 1), (1, 2), (2, 2)])
def test_tiles_have_the_moments_of_one(tiles):
    x = walk(2, 16, 12)
    found = covariances(np.tile(x, (1, *tiles)), **ARGUMENTS)
    same(found, covariances(x, **ARGUMENTS), rows(x, **ARGUMENTS))


@pytest.mark.parametrize("field", [noise, walk])
def test_normalised_rows_are_at_most_one(field):
    x = field(4, *SIZES, 2)
    y, meta = covariances(x, **COLOURS), rows(x, **COLOURS)
    divided = ~powers(meta) & np.isin(meta["kind"], ["covariance", "low", "high", "variance"])
    assert 0.5 < np.abs(y[:, divided]).max() <= 1 + 1e-12


def test_equal_channels_have_equal_rows_between_them():
    x = walk(2, 16, 20, 1)
    x = np.concatenate([x, x], -1)
    y, meta = covariances(x, **COLOURS), rows(x, **COLOURS)

    def change(row):
        """Name the row within channel 0; that of a divisor is itself, and 1."""
        row["c1"] = row["c2"] = 0
        one_wavelet = (row["j1"], row["l1"]) == (row["j2"], row["l2"])
        if row["kind"] == "covariance" and one_wavelet and row["a"] == row["t1"] == row["t2"] == 0:
            row |= {"kind": "rectifier_variance", "j2": -1, "l2": -1}

    between = meta["c1"] != meta["c2"]
    own = exchanged(y, meta, change)
    one = exchanged(np.broadcast_to(powers(meta), y.shape), meta, change)
    expected = np.where(between & one, 1, own)
    assert between.sum() > 50
    assert (between & one).any()
    np.testing.assert_allclose(y[:, between], expected[:, between], rtol=0, atol=ROUNDING)


def test_the_order_of_channels_permutes_rows():
    x = walk(2, 16, 20, 3)
    y, meta = covariances(x, **COLOURS), rows(x, **COLOURS)

    def change(row):
        order = [2, 0, 1]
        row["c1"], row["c2"] = order[row["c1"]], order[row["c2"]]

    same(covariances(x[..., [2, 0, 1]], **COLOURS), exchanged(y, meta, change), meta)


@pytest.mark.parametrize("normalize", [True, False])
def test_rows_between_channels_come_last(normalize):
    x = walk(2, 16, 20, 3)
    arguments = {**COLOURS, "normalize": normalize}
    alone = covariances(x, **{**arguments, "cross_channels": False})
    y, meta = covariances(x, **arguments), rows(x, **arguments)
    number = alone.shape[1]
    np.testing.assert_allclose(y[:, :number], alone, rtol=1e-12, atol=1e-13)
    assert (meta["c1"][:number] == meta["c2"][:number]).all()
    assert (meta["c1"][number:] != meta["c2"][number:]).all()
    assert len(rows(x, **{**arguments, "cross_channels": False})["kind"]) == number // 3


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("padding", ["periodic", "reflect"])
def test_constant_images_have_no_moments(padding, dtype):
    """Their normalised moments are not those of rounding, and have finite gradients."""
    made = layer((16, 20, 2), **{**COLOURS, "padding": padding, "dtype": dtype})
    meta, values = made.meta(), np.array([0.0, 1.0, 0.1, -3e7])[:, None]
    constants = tf.constant(np.ones((4, 16, 20, 2)) * values[..., None, None], dtype)
    with tf.GradientTape() as tape:
        tape.watch(constants)
        y = made(constants)
    slope = tape.gradient(y, constants).numpy()
    y, power = y.numpy(), powers(meta)
    means = np.tile(values, 2)
    np.testing.assert_allclose(y[:, meta["kind"] == "mean"], means, rtol=1e-5)
    assert (y[:, ~power & (meta["kind"] != "mean")] == 0).all()
    assert (np.abs(y[:, power]) <= (8 * np.finfo(dtype).eps * values) ** 2).all()
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("padding", ["periodic", "reflect"])
def test_gradients_at_zero_are_those_of_the_mean(normalize, padding):
    made = layer((16, 20, 2), **{**COLOURS, "normalize": normalize, "padding": padding})
    zero = tf.zeros((1, 16, 20, 2), "float64")
    with tf.GradientTape() as tape:
        tape.watch(zero)
        y = made(zero)
    assert (y.numpy() == 0).all()
    np.testing.assert_allclose(tape.gradient(y, zero), 1 / 320, rtol=1e-12)


GRADIENTS = [
    ((16, 12), {"J": 2, "L": 3, "dn": 1}),
    ((16, 12), {"J": 2, "L": 2, "shifts": "same", "padding": "reflect"}),
    ((9, 11, 2), {**COLOURS, "normalize": False, "padding": "zero"}),
    ((9, 11, 2), {**COLOURS, "fft": "matrix"}),
]


@pytest.mark.parametrize(("shape", "arguments"), GRADIENTS, ids=str)
def test_gradients_are_those_of_finite_differences(shape, arguments):
    x = walk(1, *shape)
    made = layer(shape, **arguments)
    weights = noise(made.compute_output_shape((1, *shape))[1], seed=2)

    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(made(inputs) * weights)
    slope = tape.gradient(loss, inputs).numpy()
    step = 1e-6
    for seed in range(3):
        direction = noise(*x.shape, seed=10 + seed)
        above, below = (made(x + sign * step * direction).numpy() @ weights for sign in (1, -1))
        expected = (above - below)[0] / (2 * step)
        scale = np.linalg.norm(slope) * np.linalg.norm(direction)
        assert scale > 0
        assert abs(np.sum(slope * direction) - expected) < 1e-5 * scale


# Powers of other data

ADAPTED = [
    ((12, 9), {"J": 2, "L": 2, "dn": 1}),
    ((9, 8, 2), {"J": 1, "L": 2, "A": 3, **CROSSED, "padding": "reflect"}),
    ((9, 8, 2), {"J": 1, "L": 2, "A": 2, "shifts": "same", "padding": "symmetric"}),
]
every_adapted = pytest.mark.parametrize(("shape", "arguments"), ADAPTED, ids=str)


def to_adapt(arguments, **others):
    return RectifierCovariances2D(**arguments, **others, normalize="adapted")


@every_adapted
def test_powers_are_means_over_data(shape, arguments):
    scales = np.array([1.0, 2.0, 0.3, 4.0]).reshape(4, *[1] * len(shape))
    data = scales * walk(4, *shape, seed=7)
    x = walk(2, *shape)
    made = to_adapt(arguments, dtype="float64")
    assert not made.adapted
    made.adapt(data, batch_size=3)
    assert made.adapted
    expected = naive(x, data=data, normalize="adapted", **arguments)
    same(made(x).numpy(), expected, made.meta(), 1e-10)


@every_adapted
def test_the_powers_of_one_image_are_its_own(shape, arguments):
    x = walk(1, *shape)
    made = to_adapt(arguments, dtype="float64")
    made.adapt(x)
    own = RectifierCovariances2D(**arguments, dtype="float64")(x).numpy()
    same(made(x).numpy(), own, made.meta())


@every_adapted
def test_powers_are_saved(shape, arguments, tmp_path):
    x = walk(3, *shape).astype("float32")
    made = to_adapt(arguments)
    made.adapt(x[:2])
    model = keras.Sequential([keras.Input(shape), made])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(model(x), again(x), rtol=1e-5, atol=1e-6)


def test_without_data_there_are_no_powers():
    message = r"call `adapt\(data\)` first.* Received: normalize='adapted'"
    with pytest.raises(ValueError, match=message):
        to_adapt({"J": 1})(noise(2, 8, 8))
    with pytest.raises(ValueError, match=r"`normalize='adapted'`.* Received: normalize=True$"):
        RectifierCovariances2D(J=1).adapt(noise(2, 8, 8))


def test_a_channel_without_power_gives_zeros():
    x = walk(3, 9, 8, 2)
    x[..., 1] = 0
    made = to_adapt(COLOURS)
    made.adapt(x)
    y, meta = made(x).numpy(), made.meta()
    assert np.isfinite(y).all()
    assert np.abs(y[:, meta["c2"] == 0]).max() > 0.1
    assert (y[:, (meta["c1"] == 1) | (meta["c2"] == 1)] == 0).all()


# Errors

NO_COUNTS = (0, -1, 1.5, 2.0, True, None, "2")
NO_SHARES = (-1, 0.5, 1.0, True, "1")
WRONG = [
    ("J", "an integer of at least 1", NO_COUNTS, {}),
    ("L", "an integer of at least 1", NO_COUNTS, {}),
    ("A", "an integer of at least 1", NO_COUNTS, {}),
    ("dj", "an integer of at least 0", (*NO_SHARES, None), {}),
    ("dn", "", (*NO_SHARES, 4), {"J": 3}),
    ("shifts", "'all', 'same'", ("none", "All", None, 1), {}),
    ("cross_channels", "True or False", (0, 1, None, "all"), {}),
    ("normalize", "True, False, 'adapted'", (None, 0, 1, "own"), {}),
    ("padding", "'periodic', 'none'", ("same", "PERIODIC", None, 0), {}),
    ("data_format", "'channels_last', 'channels_first'", ("channels", 1), {}),
    ("fft", "'native', 'matrix'", ("fast", None), {}),
    ("jit_compile", "True or False", (1, None), {}),
]


@pytest.mark.parametrize(
    ("name", "allowed", "value", "others"),
    [
        pytest.param(name, allowed, value, others, id=f"{name}-{value}")
        for name, allowed, values, others in WRONG
        for value in values
    ],
)
def test_argument_is_refused(name, allowed, value, others):
    with pytest.raises(ValueError, match=f"^Argument `{name}`") as error:
        RectifierCovariances2D(**{"J": 2, **others, name: value})
    said, _, received = str(error.value).partition(" Received: ")
    assert allowed in said
    assert received.startswith(f"{name}={value!r}")


@pytest.mark.parametrize(
    ("arguments", "shape", "message"),
    [
        ({"J": 3}, (8, 7), r"at least 2\*\*J = 8.* Received: J=3, .*\b7\b"),
        (CROSSED, (8, 8), "^Argument `cross_channels`.* Received: .*"),
        (CROSSED, (8, 8, 1), "^Argument `cross_channels`.* Received: .*: 1"),
        (
            {**CROSSED, "data_format": "channels_first"},
            (1, 8, 8),
            "^Argument `cross_channels`.* Received: .*: 1",
        ),
        ({}, (8, None), "only the batch may be unknown. Received: shape"),
        ({}, (8, 8, 8, 8), r"\(batch, height, width, channels\)\. Received: rank 5"),
    ],
    ids=str,
)
def test_input_is_refused(arguments, shape, message):
    for use in ("build", "compute_output_shape"):
        with pytest.raises(ValueError, match=message):
            getattr(RectifierCovariances2D(**{"J": 2, **arguments}), use)((None, *shape))


def test_complex_images_are_refused():
    with pytest.raises(ValueError, match=r"takes real input\. Received: dtype complex128"):
        RectifierCovariances2D(J=2)(np.zeros((2, 8, 8), complex))


@pytest.mark.parametrize("shape", [(16, 16), (16, 16, 2)])
def test_more_rows_than_pixels_are_warned_of_once(shape):
    made = RectifierCovariances2D(J=2, dn=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made.build((None, *shape))
        made(noise(2, *shape))
        made(noise(3, *shape))
    messages = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    assert len([text for text in messages if "copy" in text]) == 1, messages


def test_fewer_rows_than_pixels_are_not_warned_of():
    made = RectifierCovariances2D(J=1, L=2, A=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made(noise(1, 12, 12))
    assert len(made.meta()["kind"]) < 144
