"""Roto-translation scattering: references from outside, the definition, and what rotations do."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
import reference
import reference_invariants
import tensorflow as tf
from compare import TOLERANCES, assert_close

from keras_scattering import RotoTranslationScattering2D, Scattering2D
from keras_scattering.filters import MorletBank1D
from keras_scattering.filters.gaussian import SIGMA0, lowpass
from keras_scattering.plans.stack import StackAxis

GOLDEN = Path(__file__).parent / "golden" / "invariants"
GOLDENS = [c for c in json.loads((GOLDEN / "index.json").read_text()) if c["kind"] == "roto"]
ACCURACY = {"float64": 1e-9, "float32": 3e-5}
PADDINGS = ("reflect", "symmetric", "zero", "periodic", "none")
# A rotation by 90° about pixel 0 is exact here: no sample falls between two others.
EXACT = {"padding": "periodic", "stride": 1}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@functools.cache
def layer(shape, **arguments):
    """A layer that many tests share, since its filters take a while."""
    made = RotoTranslationScattering2D(**{"dtype": "float64", **arguments})
    made.build((None, *shape))
    return made


def scatter(x, **arguments):
    """Coefficients, and the metadata of their paths."""
    made = layer(x.shape[1:], **arguments)
    y = made(x)
    return ([path.numpy() for path in y] if isinstance(y, list) else y.numpy()), made.meta()


def same(y, expected, accuracy):
    """Relative to the largest of each path; of path-last arrays, or of lists of paths."""
    if not isinstance(expected, list):
        y, expected = (list(np.moveaxis(z, -1, 0)) for z in (y, expected))
    for k, (mine, theirs) in enumerate(zip(y, expected, strict=True)):
        atol = accuracy * np.abs(theirs).max()
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=atol, err_msg=f"path {k}")


def assert_same_rows(meta, expected):
    for name, column in expected.items():
        rtol = 1e-12 if column.dtype.kind == "f" else 0
        np.testing.assert_allclose(meta[name], column, rtol=rtol, atol=rtol, err_msg=name)


def distance(y, expected, meta):
    """Relative l2 of all paths but order 0."""
    rest = meta["order"] > 0
    return np.linalg.norm((y - expected)[..., rest]) / np.linalg.norm(expected[..., rest])


# References


def golden(case):
    """The input, the output, and the metadata."""
    with np.load(GOLDEN / case["file"]) as data:
        held = dict(data)
    y = held["y"] if "y" in held else [held[name] for name in sorted(held) if name[:2] == "y_"]
    return held["x"], y, {name[5:]: held[name] for name in held if name.startswith("meta_")}


every_golden = pytest.mark.parametrize("case", GOLDENS, ids=lambda case: Path(case["file"]).stem)


@pytest.mark.parametrize("dtype", ACCURACY)
@every_golden
def test_references(case, dtype):
    x, expected, rows = golden(case)
    y, meta = scatter(x.astype(dtype), dtype=dtype, **case["params"])
    same(y, expected, ACCURACY[dtype])
    assert_same_rows(meta, rows)


@every_golden
def test_the_naive_transform_agrees_with_references(case):
    x, expected, rows = golden(case)
    same(reference_invariants.rototranslation2d(x, **case["params"]), expected, 1e-12)
    assert_same_rows(reference_invariants.rototranslation2d_meta(**own(case["params"])), rows)


def own(arguments):
    """Those that determine which paths there are."""
    names = ("J", "L", "J_theta", "T_theta", "stride_theta", "rotation_covariant", "max_order")
    return {name: arguments[name] for name in names if name in arguments}


# The definition

SEPARABLE = {"rotation_covariant": False}
DEFINED = [
    *(((17, 12), {"J": 2, "L": 3, "T": T, "padding": p})
      for T, p in zip((None, "global", "signal", 0), PADDINGS[:4], strict=True)),
    *(((13, 18), {"J": 2, "L": 4, "T": T, "padding": p, "T_theta": 0})
      for T, p in zip(("signal", 0, None, "global"), PADDINGS[:4], strict=True)),
    ((16, 8), {"J": 2, "L": 2, "padding": "none"}),
    ((12, 16), {"J": 2, "L": 4, "T": "signal", "padding": "none", **SEPARABLE}),
    ((23, 22), {"J": 2, "L": 3, "T": 0, "T_theta": 2}),
    ((23, 22), {"J": 2, "L": 5, "stride": 1, "T_theta": None}),
    ((15, 9), {"J": 3, "L": 8, "stride": 2, "J_theta": 3, "T_theta": 4, "max_order": 1}),
    ((9, 11), {"J": 3, "L": 4, "J_theta": 1, "T_theta": 1, "stride": 4}),
    ((10, 9), {"J": 2, "L": 8, "J_theta": 3, "T_theta": 5.5, "stride_theta": 2}),
    ((10, 9), {"J": 2, "L": 8, "J_theta": 3, "T_theta": 8, "T": "global"}),
    ((8, 13), {"J": 2, "L": 12, "T_theta": None, "stride_theta": 1, "T": 0}),
    ((9, 8), {"J": 2, "L": 6, "J_theta": 2, "T_theta": None, "padding": "zero"}),
    ((19, 16), {"J": 3, "L": 4, "stride": 4, **SEPARABLE}),
    ((9, 10), {"J": 2, "L": 5, "T": 0, "T_theta": 0, **SEPARABLE}),
    ((9, 10), {"J": 2, "L": 8, "T_theta": 3.5, "stride_theta": 2, "T": "global", **SEPARABLE}),
    ((11, 8), {"J": 2, "L": 6, "J_theta": 1, "T_theta": None, "stride": 2, **SEPARABLE}),
    ((5, 4), {"J": 1, "L": 4, "T_theta": None}),
    ((5, 4), {"J": 1, "L": 4, **SEPARABLE}),
]  # fmt: skip
every_defined = pytest.mark.parametrize(("shape", "arguments"), DEFINED, ids=str)


@pytest.mark.slow
@pytest.mark.parametrize("fft", ["native", "matrix"])
@every_defined
def test_definition(shape, arguments, fft):
    x = noise(2, *shape)
    expected = reference_invariants.rototranslation2d(x, **arguments)
    for dtype, tolerance in TOLERANCES.items():
        y, _ = scatter(x.astype(dtype), fft=fft, dtype=dtype, **arguments)
        assert_close(y, expected, tolerance)


@every_defined
def test_metadata(shape, arguments):
    meta = layer(shape, **arguments).meta()
    expected = reference_invariants.rototranslation2d_meta(**own(arguments))
    assert list(meta) == list(expected)
    assert_same_rows(meta, expected)


@pytest.mark.parametrize(
    "arguments",
    [{"J": 2, "L": 3}, {"J": 1, "L": 4, "T_theta": 0, "T": "signal"}, {"J": 2, "L": 2, "T": 0}],
    ids=str,
)
def test_channels_stand_one_after_the_other(arguments):
    x = noise(2, 9, 8, 3)
    each = [reference_invariants.rototranslation2d(x[..., c], **arguments) for c in range(3)]
    last = RotoTranslationScattering2D(**arguments, dtype="float64")
    first = RotoTranslationScattering2D(**arguments, dtype="float64", data_format="channels_first")
    y, z = last(x), first(np.moveaxis(x, -1, 1))
    if isinstance(y, list):
        expected = [np.stack(paths, -1) for paths in zip(*each, strict=True)]
        z = [np.moveaxis(path, 1, -1) for path in z]
    else:
        expected, z = np.concatenate(each, -1), np.moveaxis(z, 1, -1)
    assert_close(y, expected, TOLERANCES["float64"])
    assert_close(z, expected, TOLERANCES["float64"])


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({"J": 4}, 209),
        ({"J": 4, "max_order": 1}, 17),
        ({"J": 3, "L": 6, "J_theta": 1}, 1 + 3 * 3 + 3 * 6 * 3),
        ({"J": 4, **SEPARABLE}, 1 + 4 * 4 + 6 * 8 * 7),
        ({"J": 2, "T_theta": 0}, 1 + 2 * 4 * 8 + 8 * (8 + 3 * 16)),
        ({"J": 2, "T_theta": None}, 1 + 2 * 4 * 2 + 8 * (2 + 3 * 4)),
    ],
    ids=str,
)
def test_number_of_paths(arguments, count):
    """1 + J (1 + w) + J (J - 1) / 2 L (1 + w), for w wavelets along the circle and their mean."""
    made = RotoTranslationScattering2D(**arguments)
    assert made.compute_output_shape((None, 64, 64))[-1] == count


def test_defaults_are_what_they_stand_for():
    x = noise(1, 16, 16)
    for given, explicit in (
        ({"L": 8}, {"L": 8, "J_theta": 2}),
        ({"L": 2}, {"L": 2, "J_theta": 1}),
        ({"L": 8, "T_theta": None}, {"L": 8, "T_theta": 4, "stride_theta": 4}),
        ({"L": 6, "J_theta": 2, "T_theta": None}, {"L": 6, "J_theta": 2, "T_theta": 4.0,
                                                   "stride_theta": 2}),
        ({"L": 4}, {"L": 4, "stride": 4, "padding": "reflect"}),
    ):  # fmt: skip
        y, _ = scatter(x, J=2, **given)
        np.testing.assert_array_equal(scatter(x, J=2, **explicit)[0], y)


# Rotations


def turned(x, about="pixel"):
    """x (B, n, n) rotated by 90°, about pixel 0 of a periodic image or about its centre."""
    y = np.rot90(x, axes=(1, 2))
    return np.roll(y, 1, 1) if about == "pixel" else y


@pytest.mark.parametrize("L", [4, 6])
@pytest.mark.parametrize("size", [16, 20])
def test_coefficients_turn_with_the_image(L, size):
    x = noise(2, size, size)
    y, _ = scatter(x, J=2, L=L, **EXACT)
    z, _ = scatter(turned(x), J=2, L=L, **EXACT)
    same(z, turned(y), 1e-12)


@pytest.mark.parametrize("T", ["global", "signal"])
def test_means_over_space_and_angle_are_invariant(T):
    x = noise(2, 32, 32)
    arguments = {"J": 3, "L": 8, "padding": "periodic"}
    y, meta = scatter(x, T=T, **arguments)
    z, _ = scatter(turned(x), T=T, **arguments)
    assert distance(z, y, meta) < 1e-5  # sub-sampled
    y, _ = scatter(x, stride=1, **arguments)
    z, _ = scatter(turned(x), stride=1, **arguments)
    same(z.mean((1, 2)), y.mean((1, 2)), 1e-12)
    translation = Scattering2D(dtype="float64", T=T, **arguments)
    y, z = translation(x).numpy()[:, 1:], translation(turned(x)).numpy()[:, 1:]
    assert np.linalg.norm(z - y) > 1e-2 * np.linalg.norm(y)


@pytest.mark.parametrize("rotation_covariant", [True, False])
def test_angles_move_by_half_of_L(rotation_covariant):
    """Of order 1, and of order 2 of the covariant transform."""
    L, x = 6, noise(1, 16, 16)
    arguments = {"J": 2, "L": L, "T_theta": 0, "rotation_covariant": rotation_covariant, **EXACT}
    y, meta = scatter(x, **arguments)
    z, _ = scatter(turned(x), **arguments)
    columns = [meta[name].tolist() for name in ("j1", "j2", "delta", "n_theta", "theta")]
    number = {row: k for k, row in enumerate(zip(*columns, strict=True))}
    compared = []
    for (*path, theta), k in number.items():
        order = meta["order"][k]
        if order == 0 or (order == 2 and not rotation_covariant):
            continue
        period = 2 * L if order == 2 and meta["spin"][k] else L
        moved = number[(*path, (theta - L // 2) % period)]
        same(z[..., moved, None], turned(y[..., k])[..., None], 1e-12)
        compared.append(order)
    assert set(compared) == ({1, 2} if rotation_covariant else {1})


def test_the_separable_transform_is_not_invariant():
    """Its absolute second angles move, and where they wrap, the spins change places."""
    L, x = 6, noise(1, 16, 16)
    arguments = {"J": 2, "L": L, **EXACT, **SEPARABLE}
    y, meta = scatter(x, **arguments)
    z, _ = scatter(turned(x), **arguments)
    columns = [meta[name].tolist() for name in ("delta", "xi_theta")]
    paths = {(d, xi): k for k, (d, xi) in enumerate(zip(*columns, strict=True)) if d >= 0}
    assert {np.sign(xi) for _, xi in paths} == {-1, 0, 1}
    for (delta, xi), k in paths.items():
        turns, moved = divmod(delta - L // 2, L)
        other = paths[moved, -xi if turns else xi]
        same(z[..., other, None], turned(y[..., k])[..., None], 1e-6)
    assert distance(z, turned(y), meta) > 0.05


@pytest.mark.parametrize(
    ("arguments", "about", "most"),
    [
        ({"padding": "periodic"}, "pixel", 1e-5),
        ({"padding": "periodic"}, "centre", 1e-2),
        ({"padding": "periodic", "T": "global"}, "pixel", 1e-5),
        ({}, "centre", 5e-2),
        ({}, "pixel", 5e-2),
        ({"T": "global"}, "centre", 5e-3),
        ({"T": "global"}, "pixel", 5e-2),
    ],
    ids=str,
)
def test_rotations_hardly_change_means(arguments, about, most):
    x = noise(2, 32, 32)
    y, meta = scatter(x, J=3, L=8, **arguments)
    z, _ = scatter(turned(x, about), J=3, L=8, **arguments)
    if "T" not in arguments:
        y, z = y.mean((1, 2)), z.mean((1, 2))
    assert 1e-9 < distance(z, y, meta) < most


@pytest.mark.parametrize("L", [4, 5])
def test_mirror_images_have_opposite_relative_angles(L):
    x = noise(2, 16, 20)
    arguments = {"J": 2, "L": L, **EXACT}
    y, meta = scatter(x, **arguments)
    mirrored = np.roll(x[:, ::-1], 1, 1)
    z = scatter(mirrored, **arguments)[0].mean((1, 2))
    y = y.mean((1, 2))
    columns = [meta[name].tolist() for name in ("j1", "j2", "delta", "n_theta")]
    number = {row: k for k, row in enumerate(zip(*columns, strict=True))}
    opposite = [number[j1, j2, -delta % L if delta >= 0 else -1, n] for j1, j2, delta, n in number]
    same(z[:, opposite], y, 1e-12)
    assert np.abs(z - y).max() > 1e-3 * np.abs(y).max()


def test_translations_move_coefficients():
    x = noise(1, 16, 24)
    arguments = {"J": 2, "L": 4, "padding": "periodic"}
    y, _ = scatter(x, **arguments)
    z, _ = scatter(np.roll(x, (4, 8), (1, 2)), **arguments)
    same(z, np.roll(y, (1, 2), (1, 2)), 1e-12)


# Filters along the circle


def test_without_filters_along_the_circle_it_is_scattering(monkeypatch):
    """Path (j1, l, j2, (l + delta) mod L) of `Scattering2D`."""
    J, L, x = 3, 4, noise(1, 16, 20)
    monkeypatch.setattr(StackAxis, "spectrum", lambda self, f: np.ones(self.size))
    made = RotoTranslationScattering2D(J=J, L=L, T_theta=0, dtype="float64")
    y, meta = made(x).numpy(), made.meta()
    monkeypatch.undo()
    plain = Scattering2D(J=J, L=L, dtype="float64")
    expected = plain(x).numpy()
    pairs = zip(plain.meta()["n1"], plain.meta()["n2"], strict=True)
    n = {pair: k for k, pair in enumerate(pairs)}
    for k in np.flatnonzero(meta["order"] == 2):
        j1, j2, delta, theta = (meta[c][k] for c in ("j1", "j2", "delta", "theta"))
        n1, n2 = j1 * L + theta % L, j2 * L + (theta + delta) % L
        same(y[..., k, None], expected[..., n[n1, n2], None], 1e-12)


def test_one_spin_suffices():
    """That of -1 is half a turn on, but for the truncated periods of the Morlet's spectrum."""
    L = 8
    Y = noise(2, L, 50)
    Y = Y[0] + 1j * Y[1]
    Y = np.concatenate([Y, Y.conj()])
    wavelets = reference.bank_fr(2 * L, 2)[1:]
    U = [np.abs(reference.convolve(Y, f.psi[:, None], axes=(0,))) for f in wavelets]
    half = len(wavelets) // 2
    for n, (plus, minus) in enumerate(zip(wavelets[:half], wavelets[half:], strict=True)):
        assert plus.xi == -minus.xi
        same(np.roll(U[half + n], L, 0), U[n], 1e-5)


def test_bounds_of_the_filters_along_the_circle():
    psi = MorletBank1D(16, 2, 1, 4)
    energy = sum(psi.psi(n) ** 2 for n in range(len(psi)))
    total = lowpass(SIGMA0 / 4, 16) ** 2 + (energy + energy[-np.arange(16)]) / 2
    np.testing.assert_allclose([total.min(), total.max()], [0.319, 1], atol=1e-3)


def test_distances_do_not_grow():
    """By more than 1.05 a layer, in squares: of noise they shrink, of constants they are kept."""
    x = noise(2, 32, 32)
    x = np.stack([*x, x[0] + 1])
    y, meta = scatter(x, J=3, L=8, T_theta=0, **EXACT)
    # Of 2 L angles half count, and order 1 and spin 0 have L of them.
    weight = np.where((meta["order"] == 2) & (meta["spin"] != 0), 0.5, 1)

    def ratio(i, k):
        change = np.sqrt((weight * (y[i] - y[k]) ** 2).sum())
        return change / np.linalg.norm(x[i] - x[k])

    assert 0.05 < ratio(0, 1) < 0.5
    assert 0.99 < ratio(0, 2) < 1.05


# Amplitudes and gradients


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_coefficients_are_homogeneous(dtype):
    x = noise(2, 16, 16).astype(dtype)
    y, meta = scatter(x, J=2, L=4, dtype=dtype)
    for c in (2.0**-60, -(2.0**60)):
        expected = np.where(meta["order"] == 0, c, abs(c)) * y
        same(scatter(np.asarray(c * x, dtype), J=2, L=4, dtype=dtype)[0], expected, 1e-5)


@pytest.mark.parametrize("fft", ["native", "matrix"])
@pytest.mark.parametrize("arguments", [{}, {"T_theta": 0, "T": 0}, SEPARABLE], ids=str)
def test_gradients_are_finite_at_zero(arguments, fft):
    made = layer((16, 16), J=2, L=4, dtype="float32", fft=fft, **arguments)
    x = tf.Variable(np.pad(noise(2, 16, 5), [(0, 0), (0, 0), (0, 11)]).astype("float32"))
    for value in (x, tf.Variable(tf.zeros_like(x))):
        with tf.GradientTape() as tape:
            y = tf.add_n([tf.reduce_sum(path) for path in tf.nest.flatten(made(value))])
        assert np.isfinite(tape.gradient(y, value).numpy()).all()


# Errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"J": 0}, r"`J`.*at least 1.*Received: J=0"),
        ({"J": 2.5}, r"`J`.*integer.*Received: J=2.5"),
        ({"L": 1}, r"`L` must be at least 2.*Received: L=1"),
        ({"L": 3, **SEPARABLE}, r"`L` must be at least 4.*Received: L=3, rotation_covariant=False"),
        ({"L": 0}, r"`L`.*Received: L=0"),
        ({"L": (32, 32)}, r"`L`.*Received: L=\(32, 32\)"),
        ({"T": 3}, r"`T`.*Received: T=3"),
        ({"T": "mean"}, r"`T`.*'global', 'signal', 0.*Received: T='mean'"),
        ({"stride": 3}, r"`stride`.*power of two, at most 4.*Received: stride=3"),
        ({"stride": 8}, r"`stride`.*at most 4.*Received: stride=8"),
        ({"stride": 1, "T": 0}, r"`stride`.*T=0.*Received: stride=1"),
        ({"J_theta": 0}, r"`J_theta`.*at least 1.*Received: J_theta=0"),
        ({"J_theta": 3, "L": 4}, r"`J_theta`.*half of the circle of 8 .*J_theta=3, L=4"),
        ({"J_theta": 3, **SEPARABLE}, r"`J_theta`.*circle of 8 .*J_theta=3, L=8"),
        ({"T_theta": 5}, r"`T_theta`.*at most 2\*\*J_theta = 4.*Received: T_theta=5"),
        ({"T_theta": 0.5}, r"`T_theta`.*at least 1.*Received: T_theta=0.5"),
        ({"T_theta": "signal"}, r"`T_theta`.*'global'.*Received: T_theta='signal'"),
        ({"T_theta": True}, r"`T_theta`.*Received: T_theta=True"),
        ({"stride_theta": 1}, r"`stride_theta`.*T_theta='global'.*Received: stride_theta=1"),
        ({"stride_theta": 1, "T_theta": 0}, r"`stride_theta`.*T_theta=0.*stride_theta=1"),
        ({"stride_theta": 3, "T_theta": 4}, r"`stride_theta`.*power of two.*stride_theta=3"),
        ({"stride_theta": 4, "T_theta": 3}, r"`stride_theta`.*at most 2.*stride_theta=4"),
        (
            {"L": 6, "stride_theta": 4, "T_theta": 4, "J_theta": 2},
            r"`stride_theta` must divide L.*Received: stride_theta=4, L=6",
        ),
        ({"rotation_covariant": 1}, r"`rotation_covariant`.*True or False.*Received"),
        ({"max_order": 3}, r"`max_order`.*1, 2.*Received: max_order=3"),
        ({"padding": "mirror"}, r"`padding`.*'reflect'.*Received: padding='mirror'"),
        ({"data_format": "last"}, r"`data_format`.*Received: data_format='last'"),
    ],
    ids=str,
)
def test_arguments_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        RotoTranslationScattering2D(**{"J": 2, **arguments})


@pytest.mark.parametrize("shape", [(3, 16), (16, 3), (None, 16), (16,)])
def test_images_that_are_too_small_are_refused(shape):
    with pytest.raises(ValueError, match="Received"):
        RotoTranslationScattering2D(J=2).build((None, *shape))


def test_sizes_that_need_padding_are_refused_without_it():
    with pytest.raises(ValueError, match=r"padding.*Received"):
        RotoTranslationScattering2D(J=2, padding="none").build((None, 16, 18))
