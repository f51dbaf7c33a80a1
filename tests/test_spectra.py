"""Scattering spectra: references from outside, the definition, and what theory says of them."""

import functools
import json
import math
import pickle
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import reference_spectra
import tensorflow as tf

from keras_scattering import ScatteringSpectra1D, ScatteringSpectra2D

GOLDEN = Path(__file__).parent / "golden" / "spectra"
GOLDENS = json.loads((GOLDEN / "index.json").read_text())
LAYERS = {"1d": ScatteringSpectra1D, "2d": ScatteringSpectra2D}
ACCURACY = {"float64": 1e-9, "float32": 3e-5}
ROUNDING = 1e-12  # of theorems in float64, relative to the largest


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def walk(*shape, seed=0):
    """Random walks, or fields with as many long waves, in the last axes."""
    x = noise(*shape, seed=seed)
    for axis in range(1, len(shape)):
        x = x.cumsum(axis)
    return x - x.mean(tuple(range(1, len(shape))), keepdims=True)


@functools.cache
def layer(rank, shape, **arguments):
    """A layer that many tests share, since its filters take a while."""
    made = LAYERS[f"{rank}d"](**{"dtype": "float64", **arguments})
    made.build((None, *shape))
    return made


def spectra(x, **arguments):
    x = np.asarray(x)
    return layer(x.ndim - 1, x.shape[1:], **arguments)(x).numpy()


def rows(x, **arguments):
    return layer(np.ndim(x) - 1, np.shape(x)[1:], **arguments).meta()


def assert_close(y, expected, meta, accuracy):
    """Relative to the largest row of each kind, and for means to the largest of all."""
    assert y.shape == expected.shape
    kinds = np.tile(meta["kind"], y.shape[-1] // len(meta["kind"]))
    for kind in np.unique(kinds):
        mine, theirs = y[..., kinds == kind], expected[..., kinds == kind]
        largest = np.abs(expected if kind == "mean" else theirs).max()
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=accuracy * largest, err_msg=kind)


# References


def tuples(params):
    return {name: tuple(v) if isinstance(v, list) else v for name, v in params.items()}


@pytest.mark.parametrize("dtype", ACCURACY)
@pytest.mark.parametrize("case", GOLDENS, ids=lambda case: Path(case["file"]).stem)
def test_references(case, dtype):
    with np.load(GOLDEN / case["file"]) as data:
        held = dict(data)
    made = LAYERS[case["kind"]](**tuples(case["params"]), dtype=dtype)
    y = made(held["x"].astype(dtype)).numpy()
    meta = made.meta()
    assert_close(y, held["y"], meta, ACCURACY[dtype])
    for name in held:
        if name.startswith("meta_"):
            np.testing.assert_array_equal(meta[name[5:]], held[name], err_msg=name)


DEFINED = [
    (1, (53,), {"J": 3, "Q": (2, 3), "padding": "none"}),
    (1, (64,), {"J": 6}),
    (1, (90,), {"J": 4, "Q": 4, "diagonal": False, "padding": "symmetric"}),
    (1, (70,), {"J": 3, "Q": (1, 2), "normalize": False, "padding": "zero"}),
    (2, (8, 9), {"J": 3, "L": 2}),
    (2, (13, 8), {"J": 2, "L": 3, "padding": "symmetric"}),
    (2, (9, 12), {"J": 2, "L": 5, "reduce": "angle", "padding": "none"}),
    (2, (8, 8), {"J": 2, "L": 2, "normalize": False, "reduce": "angle", "padding": "zero"}),
]


@pytest.mark.parametrize("fft", ["native", "matrix"])
@pytest.mark.parametrize(("rank", "shape", "arguments"), DEFINED, ids=str)
def test_definition(rank, shape, arguments, fft):
    x = walk(3, *shape) + 0.5
    expected = getattr(reference_spectra, f"spectra{rank}d")(x, **arguments)
    assert_close(spectra(x, fft=fft, **arguments), expected, rows(x, fft=fft, **arguments), 1e-10)


@pytest.mark.parametrize(
    ("rank", "shape", "J", "count"),
    [(1, (4096,), 9, 482), (1, (4096,), 12, 964), (2, (64, 64), 5, 4042), (2, (64, 64), 6, 6546)],
)
def test_number_of_rows(rank, shape, J, count):
    assert LAYERS[f"{rank}d"](J).compute_output_shape((None, *shape)) == (None, count)


# Coarser moduli


@pytest.mark.parametrize(
    ("shape", "J", "bounds"), [((256,), 4, (2e-3, 1e-4)), ((32, 48), 3, (0.2, 0.02))]
)
def test_oversampling_converges_to_the_definition(shape, J, bounds):
    x = walk(4, *shape)
    expected = spectra(x, J=J)
    for oversampling, bound in enumerate(bounds):
        y = spectra(x, J=J, oversampling=oversampling)
        error = np.abs(y - expected).max(0) / np.maximum(np.abs(expected).max(0), 1)
        assert 0 < error.max() < bound
    np.testing.assert_array_equal(spectra(x, J=J, oversampling=J), expected)


def test_sizes_that_no_step_divides_keep_their_samples():
    x = walk(2, 101)
    np.testing.assert_array_equal(spectra(x, J=4, oversampling=0), spectra(x, J=4))


# Theorems

SIGNALS = {1: (noise(3, 96), {"J": 4, "Q": 2}), 2: (walk(3, 24, 16), {"J": 3, "L": 4})}
every_rank = pytest.mark.parametrize("rank", SIGNALS)


def same(y, expected, rtol=ROUNDING):
    np.testing.assert_allclose(y, expected, rtol=0, atol=rtol * np.abs(expected).max())


@every_rank
def test_translations_change_nothing(rank):
    x, arguments = SIGNALS[rank]
    moved = np.roll(x, (5, 3)[:rank], tuple(range(1, rank + 1)))
    same(spectra(moved, **arguments), spectra(x, **arguments))


@every_rank
def test_reflections_negate_the_imaginary_rows(rank):
    x, arguments = SIGNALS[rank]
    y = spectra(x, **arguments)
    imaginary = rows(x, **arguments)["part"] == "imag"
    assert np.abs(y[:, imaginary]).max() > 0.01
    reflected = np.flip(x, tuple(range(1, rank + 1)))
    same(spectra(reflected, **arguments), np.where(imaginary, -y, y))


@every_rank
def test_the_sign_changes_mean_and_phase(rank):
    x, arguments = SIGNALS[rank]
    y, kind = spectra(x, **arguments), rows(x, **arguments)["kind"]
    same(spectra(-x, **arguments), np.where(np.isin(kind, ["mean", "phase"]), -y, y))


@every_rank
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_degrees(rank, normalize, dtype):
    """S(c x) = c**q S(x), also where c**2 is out of the range of float32 for rows of degree 0."""
    x, arguments = SIGNALS[rank]
    arguments = {**arguments, "normalize": normalize, "dtype": dtype}
    y, kind = spectra(x, **arguments), rows(x, **arguments)["kind"]
    degree = np.where(kind == "mean", 1, 2)
    products = np.isin(kind, ["phase", "modulus"])
    degree[products | (kind == "sparsity")] = 0
    if not normalize:
        degree[products] = 2
        degree[kind == "sparsity"] = 1
    accuracy = ROUNDING if dtype == "float64" else 1e-5
    for c in (3.7, 1e-3):
        same(spectra(c * x, **arguments) / c**degree, y, accuracy)
    if normalize:
        for c in (1e25, 1e-25):
            found = spectra(c * x, **arguments)[:, degree == 0]
            same(found, y[:, degree == 0], accuracy)


@pytest.mark.slow
@every_rank
@pytest.mark.parametrize("way", [{}, {"fft": "matrix"}])
def test_slopes_scale_as_their_rows(rank, way):
    """By c**(q - 1), also where c**2 is out of the range of float32."""
    x, arguments = SIGNALS[rank]
    made = layer(rank, x.shape[1:], **{**arguments, **way, "dtype": "float32"})
    ratio = np.isin(made.meta()["kind"], ["sparsity", "phase", "modulus"])
    weights = tf.constant(np.where(ratio, noise(len(ratio)), 0), "float32")

    @tf.function(autograph=False)
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(made(x) * weights)
        return tape.gradient(loss, x)

    expected = gradient(tf.constant(x, "float32")).numpy()
    for c in (2.0**-60, 2.0**60):
        same(gradient(tf.constant(c * x, "float32")).numpy() * c, expected, 1e-4)


def test_quarter_turns_shift_all_angles():
    x, L = walk(2, 32, 32), 4
    arguments = {"J": 3, "L": L}
    y, turned = (spectra(z, **arguments) for z in (x, np.rot90(x, axes=(1, 2))))
    meta = rows(x, **arguments)
    number = {
        tuple(row): i for i, row in enumerate(zip(*(meta[n].tolist() for n in meta), strict=True))
    }
    compared = 0
    for row, i in number.items():
        kind, *j, part = row[0], *row[1:4], row[7]
        angles = [(angle + L // 2) % L if angle >= 0 else -1 for angle in row[4:7]]
        other = number.get((kind, *j, *angles, part))
        if other is not None and part == "real":
            np.testing.assert_allclose(
                turned[:, other], y[:, i], rtol=0, atol=1e-10 * np.abs(y).max()
            )
            compared += 1
    assert compared > len(number) / 3


def test_means_over_angles_know_no_quarter_turn():
    x = walk(2, 32, 32)
    arguments = {"J": 3, "L": 4, "reduce": "angle"}
    same(spectra(np.rot90(x, axes=(1, 2)), **arguments), spectra(x, **arguments), 1e-10)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("padding", ["periodic", "reflect"])
@pytest.mark.parametrize("value", [0.0, 1.0, -3e7])
@every_rank
def test_constant_signals_have_no_moments(rank, value, padding, dtype):
    """Their normalised moments are not those of rounding, and have finite gradients."""
    x, arguments = SIGNALS[rank]
    constant = np.full(x.shape, value, dtype)
    arguments = {**arguments, "padding": padding, "dtype": dtype}
    made, meta = layer(rank, x.shape[1:], **arguments), rows(x, **arguments)
    constant = tf.constant(constant)
    with tf.GradientTape() as tape:
        tape.watch(constant)
        y = made(constant)
    slope = tape.gradient(y, constant).numpy()
    zero = np.isin(meta["kind"], ["sparsity", "phase", "modulus"])
    if rank == 1:
        zero &= meta["n2"] != meta["n2"].max()  # the low-pass sees the constant
    assert (y.numpy()[:, zero] == 0).all()
    assert np.isfinite(y.numpy()).all()
    assert np.isfinite(slope).all()


def gaussian(N, slope, count, seed):
    """Gaussian processes whose power spectrum falls as 1 / f**slope."""
    f = np.maximum(np.fft.rfftfreq(N), 1 / N)
    x = np.fft.irfft(np.fft.rfft(noise(count, N, seed=seed)) / f ** (slope / 2), N)
    return x - x.mean(-1, keepdims=True)


def test_white_noise():
    y, meta = spectra(noise(200, 1024), J=5), rows(noise(1, 1024), J=5)
    sparsity = y[:, meta["kind"] == "sparsity"].mean(0)
    np.testing.assert_allclose(sparsity, math.sqrt(math.pi) / 2, rtol=0.02)
    low = meta["n2"].max()
    zero = (meta["kind"] == "phase") & (meta["n2"] < low) | (meta["part"] == "imag")
    deviations = y[:, zero].mean(0) / (y[:, zero].std(0) / math.sqrt(200))
    assert np.abs(deviations).max() < 5


def test_self_similar_processes_depend_on_lags_alone():
    x = gaussian(4096, 2.0, 100, seed=1)
    y, meta = spectra(x, J=7).mean(0), rows(x, J=7)
    power = y[(meta["kind"] == "power") & (meta["n1"] >= 0)]
    np.testing.assert_allclose(np.diff(np.log2(power))[1:-1], 1, atol=0.06)
    own = (
        (meta["kind"] == "modulus") & (meta["n1"] == meta["n1b"]) & (meta["n2"] < meta["n2"].max())
    )
    for lag in (1, 2):
        some = y[own & (meta["n2"] - meta["n1"] == lag) & (meta["n1"] > 0)]
        assert some.std() < 0.04 * some.mean()


# Powers of other data

ADAPTED = [
    (1, (64, 2), {"J": 3, "Q": (2, 1)}),
    (2, (12, 8), {"J": 2, "reduce": "angle"}),
    (2, (8, 8, 3), {"J": 1, "padding": "reflect"}),
]
every_adapted = pytest.mark.parametrize(("rank", "shape", "arguments"), ADAPTED, ids=str)


def to_adapt(rank, arguments, **others):
    return LAYERS[f"{rank}d"](**arguments, **others, normalize="adapted")


@every_adapted
def test_the_powers_of_one_signal_are_its_own(rank, shape, arguments):
    x = noise(1, *shape)
    made = to_adapt(rank, arguments, dtype="float64")
    made.adapt(x)
    same(made(x).numpy(), LAYERS[f"{rank}d"](**arguments, dtype="float64")(x).numpy())


@every_adapted
def test_powers_are_means_over_data(rank, shape, arguments):
    """Moments of signals scaled by c are c**2 times as large, and powers the mean of c**2."""
    x, c = noise(1, *shape), np.array([1.0, 2.0, 3.0])
    data = c.reshape(-1, *[1] * len(shape)) * x
    made = to_adapt(rank, arguments, dtype="float64")
    made.adapt(data)
    meta = made.meta()
    channels = made.compute_output_shape((1, *shape))[1] // len(meta["kind"])
    product = np.tile(np.isin(meta["kind"], ["phase", "modulus"]), channels)
    own = LAYERS[f"{rank}d"](**arguments, dtype="float64")(x).numpy()
    expected = own[:, product] * (c**2)[:, None] / np.mean(c**2)
    same(made(data).numpy()[:, product], expected)


def test_data_come_in_many_ways():
    x = noise(5, 32)
    made = to_adapt(1, {"J": 2})
    made.adapt(x, batch_size=2)
    expected = made(x).numpy()
    dataset = tf.data.Dataset.from_tensor_slices((x, np.zeros(5))).batch(2)
    for data in (dataset, [x[:3], x[3:]], tf.constant(x)):
        other = to_adapt(1, {"J": 2})
        other.adapt(x[:1])  # forgotten
        other.adapt(data)
        same(other(x).numpy(), expected, 1e-5)


@pytest.mark.slow
@every_adapted
def test_powers_are_saved(rank, shape, arguments, tmp_path):
    x = noise(3, *shape).astype("float32")
    made = to_adapt(rank, arguments)
    made.adapt(x[:2])
    model = keras.Sequential([keras.Input(shape), made])
    expected = model(x).numpy()
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    fresh = keras.Sequential([keras.Input(shape), to_adapt(rank, arguments)])
    with pytest.raises(ValueError, match="call `adapt\\(data\\)` first"):
        fresh(x)
    fresh.load_weights(tmp_path / "model.weights.h5")
    model.export(tmp_path / "exported", verbose=False)
    tf.train.Checkpoint(model=model).write(tmp_path / "checkpoint")
    restored = keras.Sequential([keras.Input(shape), to_adapt(rank, arguments)])
    tf.train.Checkpoint(model=restored).read(tmp_path / "checkpoint").assert_consumed()
    loaded = tf.saved_model.load(tmp_path / "exported")
    for again in (
        keras.saving.load_model(tmp_path / "model.keras"),
        fresh,
        restored,
        pickle.loads(pickle.dumps(made)),
        loaded.serve,
    ):
        same(np.asarray(again(x)), expected, 1e-5)


def test_what_adapt_refuses():
    with pytest.raises(ValueError, match=r"Only a layer with.*Received: normalize=True"):
        ScatteringSpectra1D(J=2).adapt(noise(2, 16))
    for data in (np.zeros((2, 16)), np.full((2, 16), np.nan), []):
        with pytest.raises(ValueError, match="finite and not all zero"):
            to_adapt(1, {"J": 2}).adapt(data)
    made = to_adapt(1, {"J": 2})
    made.adapt(noise(2, 16))
    with pytest.raises(ValueError, match="was built for"):
        made.adapt(noise(2, 32))


@pytest.mark.parametrize(
    "data",
    [
        None,
        noise(32),  # one signal
        list(noise(2, 32)),
        noise(2, 32).tolist(),
        tf.data.Dataset.from_tensor_slices(noise(2, 32)),
        tf.data.Dataset.from_tensors({"x": noise(2, 32)}),
        [["a", "b"]],
    ],
    ids=["None", "signal", "signals", "lists", "dataset of signals", "dictionaries", "words"],
)
def test_adapt_takes_batches_alone(data):
    """And what it refuses leaves the layer as it was."""
    made = to_adapt(1, {"J": 2})
    with pytest.raises(ValueError, match=r"array of signals \(batch, time\).*iterable of such"):
        made.adapt(data)
    assert not made.built


def test_adapt_takes_what_is_an_array():
    x, made, again = noise(40, 32), to_adapt(1, {"J": 2}), to_adapt(1, {"J": 2})
    made.adapt(x)
    again.adapt(pd.DataFrame(x))
    same(again(x).numpy(), made(x).numpy(), 1e-6)


@pytest.mark.parametrize("size", [1e-18, 1e-30, 1e20])
def test_adapt_refuses_signals_whose_squares_are_out_of_range(size):
    made = to_adapt(1, {"J": 2})
    with pytest.raises(ValueError, match=r"from 3e-16 to 6e\+15, whose squares float32 holds"):
        made.adapt(size * noise(2, 32))
    double = to_adapt(1, {"J": 2, "dtype": "float64"})
    double.adapt(size * noise(2, 32))
    one = to_adapt(1, {"J": 2, "dtype": "float64"})
    one.adapt(noise(2, 32))
    ratio = np.isin(one.meta()["kind"], ["sparsity", "phase", "modulus"])
    found, wanted = double(size * noise(2, 32)).numpy(), one(noise(2, 32)).numpy()
    same(found[:, ratio], wanted[:, ratio], 1e-9)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16"])
@pytest.mark.parametrize("rank", [1, 2])
def test_powers_keep_their_precision_under_any_policy(rank, policy):
    x = noise(3, *((32,) if rank == 1 else (8, 8)))
    full, half = (to_adapt(rank, {"J": 2, "dtype": dtype}) for dtype in ("float32", policy))
    for made in (full, half):
        made.adapt(x)
    y = half(x)
    assert y.dtype == half.compute_dtype
    same(tf.cast(y, "float32").numpy(), full(x).numpy(), 1e-2)


def test_a_channel_without_power_gives_zeros():
    x = noise(3, 32, 2)
    x[..., 1] = 0
    made = to_adapt(1, {"J": 2})
    made.adapt(x)
    y = made(x).numpy()
    assert np.isfinite(y).all()
    assert (y[:, y.shape[1] // 2 :] == 0).all()
