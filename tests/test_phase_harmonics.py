"""Phase harmonics: references from outside, the definition, and what theory says of them."""

import functools
import itertools
import json
import math
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import reference_phase
import tensorflow as tf

from keras_scattering import PhaseHarmonics1D, PhaseHarmonics2D

GOLDEN = Path(__file__).parent / "golden" / "phase"
GOLDENS = json.loads((GOLDEN / "index.json").read_text())
LAYERS = {"1d": PhaseHarmonics1D, "2d": PhaseHarmonics2D}
ACCURACY = {"float64": 1e-9, "float32": 3e-5}
ROUNDING = 1e-12  # of theorems in float64, relative to the largest
ALL = reference_phase.ALL
BUMP = {"wavelet": "bump_steerable"}

# Small images have more rows than pixels, of which the layers warn.
pytestmark = pytest.mark.filterwarnings("ignore:.*copy:UserWarning")


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def coloured(*shape, seed=0):
    """Gaussian fields (B, H, W) whose power spectrum falls as 1 / k**3."""
    k = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, shape[1:]), indexing="ij"))
    k[0, 0] = np.inf
    x = np.fft.ifft2(np.fft.fft2(noise(*shape, seed=seed)) / k**1.5).real
    return x / x.std((1, 2), keepdims=True)


def lognormal(*shape, seed=0):
    """Fields that are skewed and have long waves, with the batch first."""
    x = noise(*shape, seed=seed)
    for axis in range(1, len(shape)):
        x = sum(np.roll(x, i, axis) for i in range(4)) / 2
    return np.exp(x)


@functools.cache
def layer(rank, shape, **arguments):
    """A layer that many tests share, since its filters take a while."""
    made = LAYERS[f"{rank}d"](**{"dtype": "float64", **arguments})
    made.build((None, *shape))
    return made


def harmonics(x, **arguments):
    x = np.asarray(x)
    return layer(x.ndim - 1, x.shape[1:], **arguments)(x).numpy()


def rows(x, **arguments):
    return layer(np.ndim(x) - 1, np.shape(x)[1:], **arguments).meta()


def naive(x, rank, **arguments):
    """The definition, channel by channel."""
    transform = getattr(reference_phase, f"phase_harmonics{rank}d")
    if np.ndim(x) == rank + 1:
        return transform(x, **arguments)
    data = arguments.pop("data", None)
    channels = range(np.shape(x)[-1])
    return np.concatenate(
        [transform(x[..., c], data=None if data is None else data[..., c], **arguments)
         for c in channels], -1,
    )  # fmt: skip


def powers(meta):
    """Which rows are P or V, which nothing divides."""
    still = meta["n"] == 0 if "n" in meta else meta["tau"] == 0
    own = (meta["p1"] == 1) & (meta["p2"] == 1) & still
    return own & np.isin(meta["kind"], ["S11", "L"])


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
        if name.startswith("xi"):
            np.testing.assert_allclose(meta[name], column, rtol=1e-12, err_msg=name)
        else:
            np.testing.assert_array_equal(meta[name], column, err_msg=name)


# References


def tuples(params):
    return {name: tuple(v) if isinstance(v, list) else v for name, v in params.items()}


def golden(case):
    with np.load(GOLDEN / case["file"]) as data:
        return dict(data)


every_golden = pytest.mark.parametrize("case", GOLDENS, ids=lambda case: Path(case["file"]).stem)


@pytest.mark.parametrize("dtype", ACCURACY)
@every_golden
def test_references(case, dtype):
    held = golden(case)
    made = LAYERS[case["kind"]](**tuples(case["params"]), dtype=dtype)
    if "data" in held:
        made.adapt(held["data"].astype(dtype))
    y = made(held["x"].astype(dtype)).numpy()
    same(y, held["y"], made.meta(), ACCURACY[dtype])
    assert_same_rows(
        made.meta(), {name[5:]: held[name] for name in held if name.startswith("meta_")}
    )


@every_golden
def test_the_naive_transform_agrees_with_references(case):
    held, params = golden(case), tuples(case["params"])
    y = naive(held["x"], int(case["kind"][0]), data=held.get("data"), **params)
    np.testing.assert_allclose(y, held["y"], rtol=0, atol=1e-12 * np.abs(held["y"]).max())


# The definition

DEFINED = [
    (1, (50,), {"J": 3, "Q": 3, "dj": 1, "moments": ALL, "dn": 2, "padding": "zero"}),
    (1, (45,), {"J": 4, "dj": 2, "moments": ALL, "dn": 1, "padding": "none"}),
    (1, (41,), {"J": 3, "dj": 0, "padding": "symmetric"}),
    (1, (37,), {"J": 3, "Q": 2, "moments": ALL, "normalize": False, "padding": "symmetric"}),
    (1, (64,), {"J": 4, "moments": ALL, "dn": 2, "oversampling": 0}),
    (1, (88,), {"J": 4, "Q": 2, "moments": ALL, "dn": 1, "oversampling": 1, "padding": "none"}),
    (1, (256,), {"J": 6, "moments": "Cphase"}),
    (2, (12, 9), {"J": 3, "L": 2, "moments": ALL, "dn": 1, "A": 1, "padding": "zero"}),
    (2, (12, 9), {"J": 2, "L": 4, "moments": ALL, "dj": 0, "padding": "none"}),
    (2, (9, 8), {"J": 3, "L": 3, "moments": ALL, "dl": 0, "dj": 2, **BUMP, "padding": "none"}),
    (2, (13, 9), {"J": 2, "L": 4, "moments": ALL, "dn": 1, "A": 3, **BUMP, "padding": "symmetric"}),
    (2, (11, 16), {"J": 2, "L": 5, "dl": 1, "normalize": False, **BUMP, "padding": "reflect"}),
    (2, (9, 11), {"J": 2, "L": 2, "moments": ("L", "mean"), **BUMP, "padding": "zero"}),
    (2, (16, 12), {"J": 3, "L": 4, "moments": ALL, "dn": 2, "oversampling": 0}),
    (2, (8, 16), {"J": 3, "L": 2, "moments": ALL, "dn": 1, **BUMP, "oversampling": 1}),
    (2, (20, 12), {"J": 3, "L": 2, "normalize": False, "oversampling": 0, "padding": "none"}),
    (2, (8, 10), {"J": 2, "L": 1, "moments": ALL, "dn": 1, "A": 6, **BUMP}),
    (2, (16, 16), {"J": 4, "L": 1, "moments": ALL}),
]  # fmt: skip
every_defined = pytest.mark.parametrize(("rank", "shape", "arguments"), DEFINED, ids=str)


@pytest.mark.parametrize("fft", ["native", "matrix"])
@every_defined
def test_definition(rank, shape, arguments, fft):
    x = lognormal(3, *shape)
    meta = rows(x, fft=fft, **arguments)
    same(harmonics(x, fft=fft, **arguments), naive(x, rank, **arguments), meta, 1e-10)


@every_defined
def test_metadata(rank, shape, arguments):
    which = {
        name: value
        for name, value in arguments.items()
        if name not in ("normalize", "oversampling", "padding")
    }
    expected = getattr(reference_phase, f"meta{rank}d")(**which)
    assert_same_rows(layer(rank, shape, **arguments).meta(), expected)


@pytest.mark.parametrize(
    ("rank", "shape", "arguments"),
    [
        (1, (40, 2), {"J": 3, "moments": ALL, "dn": 1, "padding": "reflect"}),
        (2, (9, 8, 3), {"J": 2, "L": 3, "moments": ALL, "dn": 1, "A": 2, "normalize": False}),
        (2, (12, 9, 2), {"J": 2, "L": 2, "moments": ALL, **BUMP, "padding": "zero"}),
    ],
    ids=str,
)
def test_channels_stand_one_after_the_other(rank, shape, arguments):
    x = lognormal(2, *shape)
    last = LAYERS[f"{rank}d"](**arguments, dtype="float64")
    expected = naive(x, rank, **arguments)
    same(last(x).numpy(), expected, last.meta(), 1e-10)
    first = LAYERS[f"{rank}d"](**arguments, dtype="float64", data_format="channels_first")
    same(first(np.moveaxis(x, -1, 1)).numpy(), expected, first.meta(), 1e-10)
    assert len(first.meta()["kind"]) * shape[-1] == expected.shape[-1]


@pytest.mark.parametrize("fft", ["native", "matrix"])
def test_single_precision_keeps_high_harmonics(fft):
    """The largest k is 16, and k times the rounding of a phase."""
    x = lognormal(2, 64, 64)
    arguments = {"J": 5, "L": 2, "moments": ALL}
    y = harmonics(x.astype("float32"), dtype="float32", fft=fft, **arguments)
    same(y, harmonics(x, **arguments), rows(x, **arguments), ACCURACY["float32"])


def test_the_order_of_moments_has_no_effect():
    x = lognormal(2, 8, 9)
    arguments = {"J": 2, "L": 2}
    y = harmonics(x, moments=ALL, **arguments)
    np.testing.assert_array_equal(harmonics(x, moments=ALL[::-1], **arguments), y)
    kind = rows(x, moments=ALL, **arguments)["kind"]
    for one in ALL:
        alone = harmonics(x, moments=one, **arguments)
        np.testing.assert_allclose(alone, y[:, kind == one], rtol=1e-12, atol=1e-14)
    listed = PhaseHarmonics2D(moments=list(ALL), dtype="float64", **arguments)(x)
    np.testing.assert_array_equal(listed, y)


COUNTS = {
    (4, 0): (480, 696, 952, 1248),
    (4, 1): (2000, 2904, 3976, 5216),
    (8, 0): (1600, 2352, 3248, 4288),
    (8, 1): (4640, 6768, 9296, 12224),
}
NEAR = {4: (208, 256, 304, 352), 8: (416, 512, 608, 704)}  # dj = dl = 1


def count2d(**arguments):
    shape = PhaseHarmonics2D(**arguments).compute_output_shape((None, 256, 256))
    assert shape[0] is None
    return shape[1]


@pytest.mark.slow
@pytest.mark.parametrize("J", [5, 6, 7, 8])
@pytest.mark.parametrize("L", [4, 8])
def test_number_of_rows(J, L):
    for dn in (0, 1):
        assert count2d(J=J, L=L, dn=dn) == COUNTS[L, dn][J - 5]
    assert count2d(J=J, L=L, dj=1, dl=1) == NEAR[L][J - 5]


@pytest.mark.parametrize(("J", "L"), [(5, 8), (6, 4)])
def test_number_of_rows_of_a_kind(J, L):
    pairs = J * (J - 1)
    counts = [1, J * L, J * L, pairs // 2 * L**2, 2 * J * L, pairs * L**2, pairs * L, 3 * J]
    for kind, count in zip(ALL, counts, strict=True):
        assert count2d(J=J, L=L, moments=kind) == count


@pytest.mark.parametrize(
    ("J", "Q", "moments", "count"),
    [
        (9, 1, reference_phase.DEFAULT, 220),
        (12, 1, reference_phase.DEFAULT, 364),
        (9, 8, reference_phase.DEFAULT, 4404),
        (9, 8, "Cphase", 374),
    ],
)
def test_number_of_rows_of_signals(J, Q, moments, count):
    made = PhaseHarmonics1D(J, Q, moments=moments)
    assert made.compute_output_shape((None, 8192)) == (None, count)


# Coarser fields


@pytest.mark.slow
@pytest.mark.parametrize("bank", [{}, BUMP], ids=["morlet", "bump"])
def test_coarser_fields_are_close_to_the_definition(bank):
    arguments = {"J": 5, "L": 4, "dn": 1, **bank}
    x = np.concatenate([noise(1, 128, 128), coloured(1, 128, 128), lognormal(1, 128, 128)])
    y, meta = harmonics(x, **arguments), rows(x, **arguments)
    power, S11 = powers(meta), meta["kind"] == "S11"
    for oversampling, most, rms in ((2, 2e-3, 1e-4), (1, 1.2e-2, 5e-4), (0, 8e-2, 5e-3)):
        error = harmonics(x, oversampling=oversampling, **arguments) - y
        assert 1e-9 < np.abs(error[:, ~power]).max() < most
        assert np.sqrt((error[:, ~power] ** 2).mean()) < rms
        error[:, power] /= np.abs(y[:, power]).max()
        if oversampling:
            assert np.abs(error[:, S11]).max() < (1e-12 if bank else 1e-7)
    same(harmonics(x, oversampling=5, **arguments), y, meta)


def test_sizes_that_no_step_divides_keep_their_samples():
    x = lognormal(2, 15, 9)
    arguments = {"J": 3, "L": 2, "moments": ALL}
    same(harmonics(x, oversampling=0, **arguments), harmonics(x, **arguments), rows(x, **arguments))


# Theorems: periodic, with all moments

SETTINGS = {
    "1d": (lognormal(3, 96), {"J": 4, "Q": 2, "dn": 2, "moments": ALL}),
    "morlet": (lognormal(3, 24, 20), {"J": 3, "L": 4, "dn": 2, "moments": ALL}),
    "bump": (lognormal(3, 24, 20), {"J": 3, "L": 4, "dn": 2, "moments": ALL, **BUMP}),
}
every_setting = pytest.mark.parametrize("setting", SETTINGS)
every_bank = pytest.mark.parametrize("setting", ["morlet", "bump"])
AXES = {"1d": (1,), "morlet": (1, 2), "bump": (1, 2)}


def exchanged(y, meta, change):
    """For every row the one whose columns `change` makes of its own, times the sign it returns."""
    columns = [name for name in meta if name not in ("tau0", "tau1", "xi1", "xi2")]
    keys = list(zip(*(meta[name].tolist() for name in columns), strict=True))
    number = {key: i for i, key in enumerate(keys)}
    assert len(number) == len(keys)
    found = np.empty_like(y)
    for i, key in enumerate(keys):
        row = dict(zip(columns, key, strict=True))
        sign = change(row)
        found[:, i] = sign * y[:, number[tuple(row.values())]]
    return found


def opposite(row, A=4):
    """Name the row of -tau instead, if there is one."""
    if row["kind"] in ("C01", "Cphase"):
        if "tau" in row:
            row["tau"] *= -1
        elif row["n"]:
            row["a"] = (row["a"] + A) % (2 * A)


@every_setting
def test_translations_change_nothing(setting):
    x, arguments = SETTINGS[setting]
    moved = np.roll(x, (5, 3)[: x.ndim - 1], AXES[setting])
    same(harmonics(moved, **arguments), harmonics(x, **arguments), rows(x, **arguments))


@every_setting
def test_reflections_conjugate_and_turn_the_shift(setting):
    x, arguments = SETTINGS[setting]
    y, meta = harmonics(x, **arguments), rows(x, **arguments)

    def change(row):
        opposite(row)
        return -1 if row["part"] == "imag" and row["kind"] != "S11" else 1

    reflected = harmonics(np.flip(x, AXES[setting]), **arguments)
    same(reflected, exchanged(y, meta, change), meta)
    assert np.abs(reflected - y).max() > 0.01


@every_setting
def test_the_sign_changes_odd_moments(setting):
    x, arguments = SETTINGS[setting]
    y, meta = harmonics(x, **arguments), rows(x, **arguments)
    odd = np.isin(meta["kind"], ["mean", "S01", "C01", "Cphase"])
    odd |= (meta["kind"] == "L") & (meta["p1"] != meta["p2"])
    assert np.abs(y[:, odd]).max() > 0.01
    same(harmonics(-x, **arguments), np.where(odd, -y, y), meta)


@every_setting
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_degrees(setting, normalize, dtype):
    """S(c x) = c**q S(x), also where c**2 is out of the range of float32 for rows of degree 0."""
    x, arguments = SETTINGS[setting]
    arguments = {**arguments, "normalize": normalize, "dtype": dtype}
    y, meta = harmonics(x, **arguments), rows(x, **arguments)
    degree = np.where(powers(meta) | (not normalize), 2, 0)
    degree[meta["kind"] == "mean"] = 1
    accuracy = ROUNDING if dtype == "float64" else 3e-5
    for c in (3.7, 1e-3):
        same(harmonics(c * x, **arguments) / c**degree, y, meta, accuracy)
    if normalize:
        for c in (1e25, 1e-25):
            found = harmonics(c * x, **arguments)
            same(np.where(degree == 0, found, y), y, meta, accuracy)


@every_setting
def test_constants_move_the_mean_alone(setting):
    x, arguments = SETTINGS[setting]
    y, meta = harmonics(x, **arguments), rows(x, **arguments)
    found = harmonics(x + 5, **arguments)
    same(found, y + 5 * (meta["kind"] == "mean"), meta)


def other_phases(x, seed=1):
    """Real signals of the same mean and absolute spectrum as x."""
    axes = tuple(range(1, x.ndim))
    f, other = (np.fft.fftn(z, axes=axes) for z in (x, noise(*x.shape, seed=seed)))
    other[(slice(None), *[0] * len(axes))] = 1
    return np.fft.ifftn(np.abs(f) * other / np.abs(other), axes=axes).real


@every_setting
def test_spectra_tell_second_moments_alone(setting):
    x, arguments = SETTINGS[setting]
    y, meta = harmonics(x, **arguments), rows(x, **arguments)
    found = harmonics(other_phases(x), **arguments)
    second = (meta["kind"] == "S11") | powers(meta) | (meta["kind"] == "mean")
    same(np.where(second, found, y), y, meta)
    C01 = meta["kind"] == "C01"
    assert np.abs(found - y)[:, C01].max() > 0.3 * np.abs(y[:, C01]).max()


@every_bank
def test_correlations_are_fourier_transforms_of_the_spectrum(setting):
    x, arguments = SETTINGS[setting]
    arguments = {**arguments, "normalize": False}
    M, N = x.shape[1:]
    y, meta = harmonics(x, **arguments), rows(x, **arguments)
    bank = reference_phase.filters2d(M, N, 3, 4, arguments.get("wavelet", "morlet"))
    w = [2 * np.pi * np.fft.fftfreq(M)[:, None], 2 * np.pi * np.fft.fftfreq(N)]
    expected = y.copy()
    for i in np.flatnonzero(meta["kind"] == "S11"):
        line = np.abs(np.fft.fft2(x) * bank[int(meta["j1"][i]), int(meta["l1"][i])]) ** 2
        waves = np.exp(-1j * (w[0] * meta["tau0"][i] + w[1] * meta["tau1"][i]))
        value = (line * waves).sum((1, 2)) / (M * N) ** 2
        expected[:, i] = value.real if meta["part"][i] == "real" else value.imag
    same(y, expected, meta)


@every_bank
def test_quarter_turns_shift_all_angles(setting):
    """W of angle l is that of angle l + L/2 of the turned image, its conjugate where that wraps."""
    x, L = lognormal(3, 24, 24), 4
    arguments = SETTINGS[setting][1]
    y, meta = harmonics(x, **arguments), rows(x, **arguments)

    def change(row):
        wraps = row["l2"] + L // 2 >= L
        for name in ("l1", "l2"):
            if row[name] >= 0:
                row[name] = (row[name] + L // 2) % L
        if wraps:
            opposite(row)
        return -1 if wraps and row["part"] == "imag" and row["kind"] != "S11" else 1

    turned = harmonics(np.rot90(x, axes=(1, 2)), **arguments)
    same(turned, exchanged(y, meta, change), meta)
    assert np.abs(turned - y).max() > 0.01


def test_rows_turn_with_the_phases_of_coefficients():
    """exp(i alpha) W_a turns rows by p alpha - q alpha.

    Signals whose spectrum is turned on one side of a line have such W, for the wavelets that vanish
    on the other side: those of the bump bank with j >= 1 and the direction across the line."""
    x, arguments = SETTINGS["bump"]
    alpha, side = 0.7, np.sign(np.fft.fftfreq(20))
    side[10] = 0  # the Nyquist frequency is on both sides
    other = np.fft.ifft2(np.fft.fft2(x) * np.exp(1j * alpha * side)).real
    y, found = harmonics(x, **arguments), harmonics(other, **arguments)
    meta = rows(x, **arguments)
    across = (meta["l1"] == 0) & (meta["l2"] == 0) & (meta["j1"] >= 1)  # along columns
    compared = set()
    for i in np.flatnonzero(across & (meta["part"] == "real")):
        paired = i + 1 < len(across) and meta["part"][i + 1] == "imag"
        before, after = (z[:, i] + 1j * (z[:, i + 1] if paired else 0) for z in (y, found))
        turn = np.exp(1j * (meta["p1"][i] - meta["p2"][i]) * alpha)
        scale = np.abs(y[:, i]).max() if powers(meta)[i] else 1
        np.testing.assert_allclose(after, turn * before, rtol=0, atol=ROUNDING * scale)
        compared.add(str(meta["kind"][i]))
    assert compared == {"S11", "S00", "C00", "S01", "C01", "Cphase"}


@pytest.mark.parametrize("m", [9, 11])  # k = 0.45 pi, 0.55 pi
@pytest.mark.parametrize("phi", [0.0, 1.1])
def test_two_waves(m, phi):
    """Cphase finds the phase between a wave and its octave."""
    M, N, k = 16, 40, 2 * np.pi * m / 40
    u = np.arange(N)
    x = np.tile(np.cos(k * u) + np.cos(2 * k * u + phi), (1, M, 1))
    arguments = {"J": 2, "L": 4, "normalize": False, "moments": "Cphase", **BUMP}
    y, meta = harmonics(x, **arguments), rows(x, **arguments)
    real, imag = (y[0, (meta["l1"] == 0) & (meta["part"] == part)] for part in ("real", "imag"))
    bank = reference_phase.filters2d(M, N, 2, 4, "bump_steerable")
    expected = bank[0, 0][0, 2 * m] * bank[1, 0][0, m] * np.exp(1j * phi) / 4
    np.testing.assert_allclose(real + 1j * imag, [expected], rtol=1e-12, atol=1e-14)


@every_setting
@pytest.mark.parametrize("field", [noise, lognormal])
def test_normalised_rows_are_at_most_one(setting, field):
    x, arguments = SETTINGS[setting]
    x = field(8, *x.shape[1:], seed=5)
    meta = rows(x, **arguments)
    y = harmonics(x, **arguments)[:, ~powers(meta) & (meta["kind"] != "mean")]
    assert 0.5 < np.abs(y).max() <= 1 + 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("padding", ["periodic", "reflect"])
@every_setting
def test_constant_signals_have_no_moments(setting, padding, dtype):
    """Their normalised moments are not those of rounding, and have finite gradients."""
    x, arguments = SETTINGS[setting]
    made = layer(x.ndim - 1, x.shape[1:], **arguments, padding=padding, dtype=dtype)
    meta, values = made.meta(), np.array([0.0, 1.0, 0.1, -3e7])[:, None]
    constants = np.ones((4, *x.shape[1:])) * values.reshape(4, *[1] * (x.ndim - 1))
    constants = tf.constant(constants, dtype)
    with tf.GradientTape() as tape:
        tape.watch(constants)
        y = made(constants)
    slope = tape.gradient(y, constants).numpy()
    y, power = y.numpy(), powers(meta)
    np.testing.assert_allclose(y[:, meta["kind"] == "mean"], values, rtol=1e-5)
    assert (y[:, ~power & (meta["kind"] != "mean")] == 0).all()
    assert (np.abs(y[:, power]) <= (8 * np.finfo(dtype).eps * values) ** 2).all()
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("normalize", [True, False])
@every_setting
def test_gradients_at_zero_are_those_of_the_mean(setting, normalize):
    x, arguments = SETTINGS[setting]
    made = layer(x.ndim - 1, x.shape[1:], **arguments, normalize=normalize)
    zero = tf.zeros(x[:1].shape, "float64")
    with tf.GradientTape() as tape:
        tape.watch(zero)
        y = made(zero)
    assert (y.numpy() == 0).all()
    slope = tape.gradient(y, zero).numpy()
    np.testing.assert_allclose(slope, 1 / x[0].size, rtol=1e-12)


SIGNALS_OF_GRADIENTS = {1: lognormal(1, 48), 2: lognormal(1, 16, 12)}
GRADIENTS = [
    (1, {"Q": 2}),
    (1, {"normalize": False, "padding": "reflect"}),
    (1, {"oversampling": 0}),
    (2, {"L": 2, "padding": "zero"}),
    (2, {"L": 2, "oversampling": 0}),
    (2, {"L": 3, **BUMP}),
    (2, {"L": 2, "normalize": False, "fft": "matrix", **BUMP}),
]


def slope_of(made, x, weights):
    """The gradient of weighted rows."""
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(made(x) * weights)
    return tape.gradient(loss, x).numpy()


@pytest.mark.parametrize(("rank", "others"), GRADIENTS, ids=str)
def test_gradients_are_those_of_finite_differences(rank, others):
    x = SIGNALS_OF_GRADIENTS[rank]
    made = layer(rank, x.shape[1:], J=3, dn=1, moments=ALL, **others)
    weights = noise(len(made.meta()["kind"]), seed=2)
    slope = slope_of(made, x, weights)
    step = 1e-6
    for seed in range(3):
        direction = noise(*x.shape, seed=10 + seed)
        above, below = (made(x + sign * step * direction).numpy() @ weights for sign in (1, -1))
        expected = (above - below)[0] / (2 * step)
        scale = np.linalg.norm(slope) * np.linalg.norm(direction)
        assert scale > 0
        assert abs(np.sum(slope * direction) - expected) < 1e-6 * scale


@pytest.mark.parametrize("rank", SIGNALS_OF_GRADIENTS)
def test_slopes_scale_as_their_rows(rank):
    """By c**(q - 1), also where c**2 is out of the range of float32."""
    x = SIGNALS_OF_GRADIENTS[rank].astype("float32")
    made = layer(rank, x.shape[1:], J=3, moments=ALL, dtype="float32")
    meta = made.meta()
    ratio = ~powers(meta) & (meta["kind"] != "mean")
    weights = np.where(ratio, noise(len(ratio)), 0).astype("float32")
    expected = slope_of(made, x, weights)
    for c in (np.float32(2.0**-60), np.float32(2.0**60)):
        found = slope_of(made, c * x, weights) * c
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize("bank", [{}, BUMP], ids=["morlet", "bump"])
@pytest.mark.parametrize("field", [noise, coloured], ids=["white", "coloured"])
def test_gaussian_fields_have_no_odd_moments(bank, field):
    count = 60
    x = field(count, 64, 64, seed=3)
    arguments = {"J": 3, "L": 4, "moments": ALL, **bank}
    y, meta = harmonics(x, **arguments), rows(x, **arguments)
    odd = np.isin(meta["kind"], ["S01", "C01", "Cphase"])
    odd |= (meta["kind"] == "L") & (meta["p1"] != meta["p2"])
    errors = y[:, odd].std(0, ddof=1) / math.sqrt(count)
    assert np.abs(y[:, odd].mean(0) / errors).max() < 5
    if field is noise:  # circular, but for the band that wraps at the Nyquist frequency
        modulus = y[:, (meta["kind"] == "S00") & (meta["j1"] >= 1)].mean(0)
        np.testing.assert_allclose(modulus, 1 - np.pi / 4, rtol=0.03)
    skewed = harmonics(lognormal(count, 64, 64, seed=3), **arguments)[:, odd]
    assert np.abs(skewed.mean(0) / (skewed.std(0) / math.sqrt(count))).max() > 10


# Powers of other data

ADAPTED = [
    (1, (40, 2), {"J": 3, "moments": ALL, "dn": 1}),
    (1, (40,), {"J": 3, "Q": 2, "moments": ALL, "padding": "zero"}),
    (1, (64,), {"J": 4, "moments": ALL, "oversampling": 0}),
    (2, (12, 9, 2), {"J": 2, "L": 3, "moments": ALL, "padding": "reflect"}),
    (2, (8, 8), {"J": 2, "L": 2, "moments": ALL, "dn": 1, **BUMP}),
    (2, (16, 8), {"J": 3, "L": 2, "moments": ALL, "oversampling": 0}),
    (2, (8, 9), {"J": 2, "L": 2, "moments": ("C01", "Cphase")}),  # no row is a power
]
every_adapted = pytest.mark.parametrize(("rank", "shape", "arguments"), ADAPTED, ids=str)


def to_adapt(rank, arguments, **others):
    return LAYERS[f"{rank}d"](**arguments, **others, normalize="adapted")


@every_adapted
def test_powers_are_means_over_data(rank, shape, arguments):
    scales = np.array([1.0, 2.0, 0.3, 4.0]).reshape(4, *[1] * len(shape))
    data = scales * lognormal(4, *shape, seed=7)
    x = lognormal(2, *shape)
    made = to_adapt(rank, arguments, dtype="float64")
    assert not made.adapted
    made.adapt(data, batch_size=3)
    assert made.adapted
    expected = naive(x, rank, normalize="adapted", data=data, **arguments)
    same(made(x).numpy(), expected, made.meta(), 1e-10)


@every_adapted
def test_the_powers_of_one_signal_are_its_own(rank, shape, arguments):
    x = lognormal(1, *shape)
    made = to_adapt(rank, arguments, dtype="float64")
    made.adapt(x)
    same(made(x).numpy(), LAYERS[f"{rank}d"](**arguments, dtype="float64")(x).numpy(), made.meta())


@every_adapted
def test_powers_are_saved(rank, shape, arguments, tmp_path):
    x = lognormal(3, *shape).astype("float32")
    made = to_adapt(rank, arguments)
    made.adapt(x[:2])
    model = keras.Sequential([keras.Input(shape), made])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(model(x), again(x), rtol=1e-5, atol=1e-6)


def test_without_data_there_are_no_powers():
    for rank, shape in ((1, (16,)), (2, (8, 8))):
        message = r"call `adapt\(data\)` first.* Received: normalize='adapted'"
        with pytest.raises(ValueError, match=message):
            to_adapt(rank, {"J": 2})(noise(2, *shape))
    with pytest.raises(ValueError, match=r"`normalize='adapted'`.* Received: normalize=True$"):
        PhaseHarmonics2D(J=2).adapt(noise(2, 8, 8))
    made = to_adapt(2, {"J": 1})
    made.adapt(noise(2, 8, 8, 3))
    with pytest.raises(ValueError, match=r"Received: "):
        made.adapt(noise(2, 8, 8, 2))


def test_a_channel_without_power_gives_zeros():
    x = lognormal(3, 9, 8, 2)
    x[..., 1] = 0
    made = to_adapt(2, {"J": 2, "moments": ALL})
    made.adapt(x)
    y = made(x).numpy()
    assert np.isfinite(y).all()
    assert np.abs(y[:, : y.shape[1] // 2]).max() > 0.1
    assert (y[:, y.shape[1] // 2 :] == 0).all()


# Errors

BOTH = (PhaseHarmonics1D, PhaseHarmonics2D)
IMAGES = (PhaseHarmonics2D,)
SIGNALS = (PhaseHarmonics1D,)
NO_COUNTS = (0, -1, 1.5, 2.0, True, None, "2")
NO_SHARES = (-1, 0.5, 1.0, True, "1")
KINDS = "'mean', 'S11', 'S00', 'C00', 'S01', 'C01', 'Cphase', 'L'"
WRONG = [
    (BOTH, "J", "an integer of at least 1", NO_COUNTS, {}),
    (IMAGES, "L", "an integer of at least 1", NO_COUNTS, {}),
    (SIGNALS, "Q", "an integer of at least 1", (*NO_COUNTS, (1, 2), (1,)), {}),
    (IMAGES, "wavelet", "'morlet', 'bump_steerable'", ("gabor", "Morlet", None, 0), {}),
    (BOTH, "moments", "", ((), [], None, 3, "S12", ("S11", "S10"), ("S11", 1)), {}),
    (BOTH, "moments", "", (("S11", "S11"), ["L", "mean", "L"], "S11, L"), {}),
    (BOTH, "moments", KINDS, ("S12",), {}),
    (BOTH, "dj", "", NO_SHARES, {}),
    (IMAGES, "dj", "", (3, 7), {"J": 3}),
    (IMAGES, "dl", "", NO_SHARES, {}),
    (IMAGES, "dl", "", (3, 8), {"L": 4}),
    (IMAGES, "dl", "", (3,), {"L": 5}),
    (BOTH, "dn", "an integer of at least 0", (*NO_SHARES, None), {}),
    (IMAGES, "A", "an integer of at least 1", NO_COUNTS, {}),
    (BOTH, "normalize", "True, False, 'adapted'", (None, 0, 1, "own", "Adapted"), {}),
    (BOTH, "oversampling", "None or an integer of at least 0", NO_SHARES, {}),
    (BOTH, "padding", "'periodic', 'none'", ("same", "PERIODIC", None, 0), {}),
    (BOTH, "data_format", "'channels_last', 'channels_first'", ("channels", 1), {}),
    (BOTH, "fft", "'native', 'matrix'", ("fast", None), {}),
    (BOTH, "jit_compile", "True or False", (1, None), {}),
]


@pytest.mark.parametrize(
    ("made", "name", "allowed", "value", "others"),
    [
        pytest.param(made, name, allowed, value, others, id=f"{made.__name__}-{name}-{value}")
        for layers, name, allowed, values, others in WRONG
        for made in layers
        for value in values
    ],
)
def test_argument_is_refused(made, name, allowed, value, others):
    with pytest.raises(ValueError, match=f"^Argument `{name}`") as error:
        made(**{"J": 2, **others, name: value})
    said, _, received = str(error.value).partition(" Received: ")
    assert allowed in said
    assert received.startswith(f"{name}={value!r}")


@pytest.mark.parametrize("padding", ["reflect", "symmetric", "zero"])
@pytest.mark.parametrize("made", BOTH)
def test_coarser_fields_are_refused_with_padding(made, padding):
    message = "^Argument `oversampling`.* Received: .*oversampling=1"
    with pytest.raises(ValueError, match=message):
        made(J=2, oversampling=1, padding=padding)
    made(J=2, oversampling=None, padding=padding)


@pytest.mark.parametrize(
    ("rank", "arguments", "shape", "message"),
    [
        (1, {"J": 2, "dn": 4}, (31,), "^Argument `dn`.* Received: .*dn=4"),
        (2, {"J": 2, "dn": 2}, (7, 16), "^Argument `dn`.* Received: .*dn=2"),
        (2, {"J": 2, "dn": 2}, (16, 7), "^Argument `dn`.* Received: .*dn=2"),
        (1, {"J": 3}, (7,), r"at least 2\*\*J = 8.* Received: J=3, .*\b7\b"),
        (2, {"J": 3}, (8, 7), r"at least 2\*\*J = 8.* Received: J=3, .*\b7\b"),
        (2, {"J": 1, "moments": "Cphase"}, (8, 8), r"^Argument `moments`.* Received: .*Cphase"),
        (2, {"J": 2, "dj": 0, "moments": "C01"}, (8, 8), "^Argument `moments`.* Received: .*C01"),
        (1, {"J": 3, "dj": 0, "moments": "C00"}, (16,), "^Argument `moments`.* Received: .*C00"),
        (1, {"J": 2}, (None,), "only the batch may be unknown. Received: shape"),
        (2, {"J": 2}, (8, 8, 8, 8), r"\(batch, height, width, channels\)\. Received: rank 5"),
    ],
    ids=str,
)  # fmt: skip
def test_input_is_refused(rank, arguments, shape, message):
    for use in ("build", "compute_output_shape"):
        with pytest.raises(ValueError, match=message):
            getattr(LAYERS[f"{rank}d"](**arguments), use)((None, *shape))


def test_the_longest_shift_is_half_of_the_size():
    assert PhaseHarmonics1D(J=2, dn=4).compute_output_shape((None, 32))[1] > 0
    assert PhaseHarmonics2D(J=2, dn=2).compute_output_shape((None, 8, 16))[1] > 0


def test_complex_signals_are_refused():
    for rank, shape in ((1, (16,)), (2, (8, 8))):
        with pytest.raises(ValueError, match=r"takes real input\. Received: dtype complex128"):
            LAYERS[f"{rank}d"](J=2)(np.zeros((2, *shape), complex))


@pytest.mark.parametrize(
    ("rank", "shape", "arguments"),
    [(1, (16,), {"J": 3}), (2, (8, 8), {"J": 3, "L": 4}), (2, (8, 8, 3), {"J": 3, "L": 4})],
)
def test_more_rows_than_pixels_are_warned_of_once(rank, shape, arguments):
    made = LAYERS[f"{rank}d"](**arguments)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made.build((None, *shape))
        made(noise(2, *shape))
        made(noise(3, *shape))
    messages = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    assert len([text for text in messages if "copy" in text]) == 1, messages
    assert len(made.meta()["kind"]) > math.prod(shape[:rank])


def test_fewer_rows_than_pixels_are_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rank, size in itertools.product((1, 2), (64, 100)):
            made = LAYERS[f"{rank}d"](J=2)
            made(noise(1, *[size] * rank))
            assert len(made.meta()["kind"]) < size**rank
