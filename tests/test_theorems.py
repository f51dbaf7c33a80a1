"""What mathematics says about wavelet scattering in one and two dimensions.

Signals are periodic here (padding="none"), so that statements are exact. The energy of coefficients
sampled every s is s**d times the sum of their squares, in d dimensions. Sources: Mallat, "Group
Invariant Scattering" (2012); Bruna & Mallat (2013); Andén & Mallat (2014).
"""

import functools
import itertools
import math

import numpy as np
import pytest

from keras_scattering import Scattering1D, Scattering2D
from keras_scattering.filters import MorletBank1D, MorletBank2D

ROUNDING = 1e-12  # of float64 results, relative
LAYERS = {1: Scattering1D, 2: Scattering2D}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@functools.cache
def made(rank, shape, **arguments):
    """A layer for signals of a shape; the same for all who ask, as its filters take a while."""
    layer = LAYERS[rank](**arguments)
    layer.build((None, *shape))
    return layer


def scatter(x, dtype="float64", padding="none", channels=False, **arguments):
    """Coefficients of a batch of signals; a list of arrays for T=0."""
    rank = np.ndim(x) - 1 - channels
    layer = made(rank, np.shape(x)[1:], dtype=dtype, padding=padding, **arguments)
    y = layer(np.asarray(x, dtype))
    return [path.numpy() for path in y] if isinstance(y, list) else y.numpy()


def paths(x, dtype="float64", padding="none", **arguments):
    """The metadata of the paths for a batch of signals."""
    return made(np.ndim(x) - 1, np.shape(x)[1:], dtype=dtype, padding=padding, **arguments).meta()


def assert_close(y, expected, rtol=ROUNDING):
    """Relative to the largest."""
    np.testing.assert_allclose(y, expected, rtol=0, atol=rtol * np.abs(expected).max(initial=0))


def label(value):
    return ",".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


# The filters.

BANKS = [
    *(MorletBank1D(N, J, Q, T) for N, J, Q, T in [(64, 1, 1, 2), (512, 4, 3, 16), (999, 5, 8, 50)]),
    *(
        MorletBank2D(grid, J, L)
        for grid, J, L in [((8, 12), 2, 4), ((31, 20), 3, 8), ((9, 9), 1, 1)]
    ),
]


def filters(bank):
    return [bank.psi(n) for n in range(len(bank))]


def mirrored(spectrum):
    """The same at minus the frequency."""
    return spectrum[np.ix_(*[-np.arange(n) for n in spectrum.shape])]


def radius(shape):
    """Distance of each line from frequency zero, in cycles/sample."""
    return np.hypot.reduce(np.meshgrid(*map(np.fft.fftfreq, shape), indexing="ij"))


@pytest.mark.parametrize("bank", BANKS, ids=label)
def test_wavelets_have_zero_mean(bank):
    for psi in filters(bank):
        assert abs(psi.flat[0]) <= ROUNDING * np.abs(psi).max()


@pytest.mark.parametrize("bank", BANKS[:3], ids=label)
def test_filters_in_time_have_unit_l1_norm(bank):
    for spectrum in (*filters(bank), bank.phi()):
        np.testing.assert_allclose(np.abs(np.fft.ifft(spectrum)).sum(), 1, rtol=ROUNDING)
    assert bank.phi().argmax() == 0
    np.testing.assert_allclose(bank.phi()[0], 1, rtol=ROUNDING)


@pytest.mark.parametrize("J", range(1, 5))
def test_low_pass_in_the_plane_has_unit_sum(J):
    """But for its aliases: at J=1 its deviation is a mere 0.8 samples (Poisson summation)."""
    aliases = sum(2 * math.exp(-2 * (np.pi * n * 0.8 * 2 ** (J - 1)) ** 2) for n in (1, 2))
    phi = MorletBank2D((64, 48), J, 1).phi()
    np.testing.assert_allclose(phi[0, 0], (1 + aliases) ** 2, rtol=1e-9)
    assert phi.argmax() == 0


# The bounds of A(w) = |phi(w)|^2 + 1/2 sum |psi(w)|^2 + |psi(-w)|^2. In one dimension they hold for
# banks that begin with wavelets of constant quality, at 0.35 cycles/sample or above.


@pytest.mark.parametrize(
    ("Q", "J"),
    [*itertools.product([1, 2, 3, 4, 6], [2, 5, 8]), *itertools.product([8, 12, 16], [4, 7])],
)
def test_littlewood_paley_in_time(Q, J):
    N = 2 ** (J + 5)
    bank = MorletBank1D(N, J, Q, 2**J)
    assert bank.xi[0] >= 0.35
    A = bank.littlewood_paley()
    np.testing.assert_allclose(A.max(), 1, rtol=ROUNDING)  # at frequency zero
    assert A[np.abs(np.fft.fftfreq(N)) <= bank.xi[0]].min() >= 0.11
    above = (A - bank.phi() ** 2).max()
    assert above <= 0.63
    for T in (2 ** (J - 1), 1.5 * 2**J, 2 ** (J + 1)):
        np.testing.assert_allclose(MorletBank1D(N, J, Q, T).littlewood_paley().max(), 1)
    # The low-pass of a shorter average overlaps the wavelets.
    assert MorletBank1D(N, J, Q, 1).littlewood_paley().max() <= 1 + above


@pytest.mark.parametrize(
    ("L", "lower", "upper"),
    [
        (1, 0, 2.6),
        (2, 0.45, 1.08),
        (3, 0.53, 1),
        (4, 0.58, 1),
        (5, 0.58, 1),
        (6, 0.57, 1.01),
        (8, 0.57, 1.05),
        (12, 0.57, 1.10),
    ],
)
@pytest.mark.parametrize("J", [1, 2, 3, 4])
def test_littlewood_paley_in_the_plane(J, L, lower, upper):
    """The lower bound is for frequencies up to that of the smallest wavelets, 3/8."""
    bank = MorletBank2D((2 ** (J + 3),) * 2, J, L)
    A = bank.littlewood_paley()
    assert A[radius(bank.shape) <= 3 / 8].min() >= lower
    assert A.max() <= upper * bank.phi()[0, 0] ** 2 * (1 + ROUNDING)


@pytest.mark.parametrize("bank", BANKS, ids=label)
def test_filtering_keeps_energy_within_the_bounds(bank):
    """min A |x|^2 <= |x * phi|^2 + sum |x * psi|^2 <= max A |x|^2, and plane waves attain both."""
    A = bank.littlewood_paley()
    u = np.meshgrid(*map(np.arange, bank.shape), indexing="ij")

    def wave(line):
        k = np.unravel_index(line, bank.shape)
        phase = sum(2 * np.pi * f * v / n for f, v, n in zip(k, u, bank.shape, strict=True))
        return np.cos(phase)

    def ratio(x):
        parts = [np.fft.ifftn(np.fft.fftn(x) * h) for h in (*filters(bank), bank.phi())]
        return sum(np.sum(np.abs(part) ** 2) for part in parts) / np.sum(x**2)

    assert A.min() < ratio(noise(*bank.shape)) < A.max()
    np.testing.assert_allclose(ratio(wave(A.argmax())), A.max(), rtol=1e-10)
    np.testing.assert_allclose(ratio(wave(A.argmin())), A.min(), rtol=1e-10, atol=1e-12)


# Energy and distance.

SETTINGS = [
    (128, {"J": 4}),
    (512, {"J": 5, "Q": 8}),
    (512, {"J": 6, "Q": (3, 2), "T": 100, "stride": 16}),
    ((16, 24), {"J": 2}),
    ((32, 32), {"J": 3, "L": 4}),
    ((16, 16), {"J": 3, "L": 6, "stride": 2}),
]
every_setting = pytest.mark.parametrize(("size", "arguments"), SETTINGS, ids=label)


def energy(y, step):
    """Of coefficients (B, *size, paths), of all paths."""
    return step ** (np.ndim(y) - 2) * np.sum(np.square(y))


def output_step(arguments):
    T = arguments.get("T", 2 ** arguments["J"])
    return arguments.get("stride", 2 ** math.floor(math.log2(T)))


def frame_bound(bank, step):
    """Of x -> (x * phi, x * psi_n), each sampled every 2**j, at most every `step`.

    Sampling adds aliases: |sum_a x_a psi_a|^2 <= sum_a |x_a|^2 |psi_a| times sum_a |psi_a|. Without
    them, this would be the maximum of the Littlewood-Paley sum.
    """

    def with_aliases(psi, s):
        psi = np.abs(psi)
        folded = psi
        for axis, n in enumerate(psi.shape):
            folded = sum(np.roll(folded, a * (n // s), axis) for a in range(s))
        return psi * folded

    steps = [*(min(2**j, step) for j in bank.j), step]
    terms = zip((*filters(bank), bank.phi()), steps, strict=True)
    total = sum(with_aliases(spectrum, s) for spectrum, s in terms)
    return np.max(total + mirrored(total)) / 2


def lipschitz_bound(size, arguments):
    """C with |S x - S y| <= C |x - y|: each order is a frame followed by a contraction."""
    step = output_step(arguments)
    if isinstance(size, tuple):
        banks = [MorletBank2D(size, arguments["J"], arguments.get("L", 8))] * 2
    else:
        Q = arguments.get("Q", 1)
        T = arguments.get("T", 2 ** arguments["J"])
        pair = Q if isinstance(Q, tuple) else (Q, 1)
        banks = [MorletBank1D(size, arguments["J"], q, T) for q in pair]
    first, second = (frame_bound(bank, step) for bank in banks)
    return math.sqrt(first * max(1, second))


@every_setting
def test_scattering_is_lipschitz(size, arguments):
    """|S x - S y| <= C |x - y|, and C = 1 in one dimension: distances never grow."""
    x = noise(1, *np.atleast_1d(size))
    C = lipschitz_bound(size, arguments)
    if x.ndim == 2:
        np.testing.assert_allclose(C, 1, rtol=1e-9)
    Sx = scatter(x, **arguments)
    others = [0 * x, -x, x + 1, np.roll(x, 1, -1), 1.01 * x, np.flip(x), np.sign(x)]
    others += [x + noise(*x.shape, seed=1), x + np.eye(1, x[0].size).reshape(x.shape)]
    for y in others:
        distance = math.sqrt(energy(Sx - scatter(y, **arguments), output_step(arguments)))
        assert distance <= C * np.linalg.norm(x - y) * (1 + 1e-6)


@every_setting
def test_adding_a_constant_moves_the_coefficients_as_far(size, arguments):
    """So that no bound below 1 holds."""
    x = noise(1, *np.atleast_1d(size))
    moved = scatter(x + 3, **arguments) - scatter(x, **arguments)
    distance = math.sqrt(energy(moved, output_step(arguments)))
    np.testing.assert_allclose(distance, 3 * math.sqrt(x.size), rtol=1e-9)


@pytest.mark.parametrize("signal", ["noise", "chirp", "impulse"])
@pytest.mark.parametrize(
    "arguments", [{"J": 5}, {"J": 5, "Q": 8}, {"J": 6, "Q": (4, 2)}], ids=label
)
def test_energy_decays_from_order_to_order(arguments, signal):
    """|x|^2 >= |S0|^2 + |U1|^2 and |U1|^2 >= |S1|^2 + |U2|^2: averages take their part of it."""
    t = np.arange(512)
    signals = {
        "noise": noise(512),
        "chirp": np.cos(np.pi * 0.4 / 512 * t**2),
        "impulse": 1.0 * (t == 99),
    }
    x = signals[signal][None]
    order, U = paths(x, **arguments)["order"], scatter(x, T=0, **arguments)
    S = scatter(x, **arguments)

    def of_moduli(m):
        return sum(512 / u.size * np.sum(u**2) for u, o in zip(U, order, strict=True) if o == m)

    def of_averages(m):
        return energy(S[..., order == m], 2 ** arguments["J"])

    assert energy(x[..., None], 1) * (1 + 1e-6) >= of_averages(0) + of_moduli(1)
    assert of_moduli(1) * (1 + 1e-6) >= of_averages(1) + of_moduli(2)
    assert of_averages(2) <= of_moduli(2) < of_moduli(1) / 2


@pytest.mark.parametrize("padding", ["reflect", "symmetric", "zero", "periodic"])
@pytest.mark.parametrize(
    "arguments", [{"J": 5}, {"J": 4, "Q": (8, 2)}, {"J": 4, "T": 1}], ids=label
)
def test_coefficients_in_time_lie_between_zero_and_the_largest_sample(arguments, padding):
    """But for order 0, which is a mean and may be negative."""
    signs = np.sign(noise(3, 300))
    S = scatter(signs, padding=padding, **arguments)
    assert np.abs(S).max() <= 1 + 1e-9
    assert S[..., 1:].min() >= -1e-9


# Known inputs.


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("padding", ["reflect", "symmetric", "periodic", "none"])
@pytest.mark.parametrize(
    ("size", "arguments"),
    [
        (96, {"J": 5, "Q": 4}),
        (96, {"J": 3, "T": 6.5}),
        (96, {"J": 3, "T": "global"}),
        (96, {"J": 3, "T": "signal"}),
        (96, {"J": 3, "T": 0}),
        ((16, 24), {"J": 2}),
        ((16, 16), {"J": 1, "L": 3, "T": "global"}),
        ((16, 16), {"J": 1, "L": 3, "T": "signal"}),
        ((16, 16), {"J": 3, "L": 3, "T": 0}),
    ],
    ids=label,
)
def test_constants(size, arguments, padding, dtype):
    """S0 = c, and nothing else: wavelets have zero mean."""
    x = np.full((2, *np.atleast_1d(size)), -2.5)
    S = scatter(x, dtype, padding, **arguments)
    first, others = (S[0], S[1:]) if isinstance(S, list) else (S[..., 0], [S[..., 1:]])
    rounding = 1e-6 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(first, -2.5, rtol=rounding)
    assert max(np.abs(path).max() for path in others) <= rounding


@pytest.mark.parametrize("frequency", [0.5, 0.44, 0.3, 0.13, 0.05, 0.004])
@pytest.mark.parametrize(
    "arguments", [{"J": 4}, {"J": 6, "Q": 8}, {"J": 3, "Q": (2, 3)}], ids=label
)
def test_pure_tones(arguments, frequency):
    """|x * psi| = |psi(f)| / 2 at all times, up to |psi(-f)| / 2; so that order 2 vanishes."""
    N = 512
    k = round(frequency * N)
    x = np.cos(2 * np.pi * k * np.arange(N)[None] / N + 0.3)
    Q = arguments.get("Q", 1)
    bank = MorletBank1D(N, arguments["J"], Q[0] if isinstance(Q, tuple) else Q, 2 ** arguments["J"])
    for T in (0, None, "global"):
        meta = paths(x, T=T, **arguments)
        S = scatter(x, T=T, **arguments)
        S = S if T == 0 else np.moveaxis(S, -1, 0)
        for y, order, n1 in zip(S, meta["order"], meta["n1"], strict=True):
            if order:
                psi = bank.psi(n1)
                own = psi[k] / 2 if order == 1 else 0
                assert np.abs(y - own).max() <= abs(psi[-k]) / 2 + 1e-9


@pytest.mark.parametrize("line", [(3, 0), (0, -11), (7, 7), (-2, 9), (16, 16)])
@pytest.mark.parametrize("arguments", [{"J": 3, "L": 4}, {"J": 2, "L": 5}], ids=label)
def test_plane_waves(arguments, line):
    """As pure tones: |psi(w)| / 2 everywhere, up to |psi(-w)| / 2, where they are sampled."""
    u0, u1 = np.mgrid[:32, :48]
    x = np.cos(2 * np.pi * (line[0] * u0 / 32 + line[1] * u1 / 48) + 0.3)[None]
    bank = MorletBank2D((32, 48), **arguments)
    U = scatter(x, T=0, max_order=1, **arguments)
    for n, u in enumerate(U[1:]):
        psi = bank.psi(n)
        remainder = abs(psi[-line[0], -line[1]]) / 2
        assert np.abs(u - abs(psi[line]) / 2).max() <= remainder + ROUNDING


@pytest.mark.parametrize("factor", [-3.0, 0.0, 2.0**-70])
@every_setting
def test_positive_homogeneity(size, arguments, factor):
    """S(c x) = |c| S x, but for order 0, which is linear."""
    x = noise(1, *np.atleast_1d(size))
    S, scaled = scatter(x, **arguments), scatter(factor * x, **arguments)
    assert_close(scaled[..., 0], factor * S[..., 0])
    assert_close(scaled[..., 1:], abs(factor) * S[..., 1:])


@pytest.mark.parametrize("factor", [1e-12, 1e12, 1e-21, 1e21])
@every_setting
def test_positive_homogeneity_in_single_precision(size, arguments, factor):
    """For signals in units that make them very small or large."""
    x = noise(1, *np.atleast_1d(size))
    S = scatter(x, "float32", **arguments)[..., 1:]
    scaled = scatter(factor * x, "float32", **arguments)[..., 1:] / np.float32(factor)
    assert_close(scaled, S, rtol=1e-5)


@pytest.mark.parametrize("factor", [-8.0, 2.0**-60])
@every_setting
def test_powers_of_two_pass_through_exactly(size, arguments, factor):
    """Signals are scaled by a power of two, so that no rounding depends on their unit."""
    x = noise(1, *np.atleast_1d(size)).astype("float32")
    S, scaled = (scatter(c * x, "float32", **arguments) for c in (1, np.float32(factor)))
    np.testing.assert_array_equal(scaled[..., 0], factor * S[..., 0])
    np.testing.assert_array_equal(scaled[..., 1:], abs(factor) * S[..., 1:])


@pytest.mark.parametrize("layer", [Scattering1D(2, T=0), Scattering2D(2, T=0)])
def test_order_zero_without_average_is_the_signal(layer):
    x = noise(2, *[24] * layer.rank).astype("float32")
    np.testing.assert_array_equal(layer(x)[0], x)


# Motions.


@every_setting
@pytest.mark.parametrize("steps", [1, -3])
def test_shifts_by_the_stride_shift_the_output(size, arguments, steps):
    x = noise(1, *np.atleast_1d(size))
    axes = tuple(range(1, x.ndim))
    S = scatter(x, **arguments)
    moved = scatter(np.roll(x, [steps * output_step(arguments)] * len(axes), axes), **arguments)
    assert_close(moved, np.roll(S, [steps] * len(axes), axes))


@pytest.mark.parametrize("T", ["global", 0])
@pytest.mark.parametrize(
    ("size", "arguments"), [(96, {"J": 4, "Q": 3}), ((16, 24), {"J": 2, "L": 3})], ids=label
)
def test_shifts_by_the_largest_scale(size, arguments, T):
    """Each path without an average moves by its own samples; the global mean does not move."""
    x = noise(2, *np.atleast_1d(size))
    last = x.ndim - 1
    S = scatter(x, T=T, **arguments)
    moved = scatter(np.roll(x, 2 ** arguments["J"], last), T=T, **arguments)
    if T == "global":
        assert_close(moved, S)
        return
    for before, after in zip(S, moved, strict=True):
        step = x.shape[last] // before.shape[last]
        assert_close(after, np.roll(before, 2 ** arguments["J"] // step, last))


@pytest.mark.parametrize("shift", [1, 2, 5])
@pytest.mark.parametrize(
    ("size", "arguments"),
    [
        (512, {"J": 6, "Q": 4}),
        (512, {"J": 7, "T": 100}),
        ((32, 32), {"J": 4, "L": 3}),
        ((32, 32), {"J": 4, "L": 3, "stride": 1}),
    ],
    ids=label,
)
def test_shifts_far_below_the_average_change_little(size, arguments, shift):
    """What moves is the average: |S x' - S x| <= max_w |phi(w) (e^iwc - 1)| |U x|, c the shift."""
    x = noise(1, *np.atleast_1d(size))
    if x.ndim == 2:
        phi = MorletBank1D(size, arguments["J"], 1, arguments.get("T", 2 ** arguments["J"])).phi()
    else:
        phi = MorletBank2D(size, arguments["J"], 1).phi()
    turned = np.exp(2j * np.pi * shift * np.fft.fftfreq(x.shape[-1])) - 1
    U = scatter(x, **{**arguments, "T": 0, "stride": None})
    size_of_U = math.sqrt(sum(x.size / u.size * np.sum(u**2) for u in U))
    step = output_step(arguments)
    moved = scatter(np.roll(x, shift, -1), **arguments) - scatter(x, **arguments)
    distance = math.sqrt(energy(moved, step))
    assert distance <= np.abs(phi * turned).max() * size_of_U
    assert distance <= 0.3 * shift / 2 ** arguments["J"] * np.linalg.norm(np.roll(x, shift, -1) - x)


@pytest.mark.parametrize("arguments", [{"J": 5}, {"J": 4, "Q": (8, 2), "T": 11.5}], ids=label)
def test_time_reversed(arguments):
    x = noise(2, 256)
    backwards = -np.arange(256) % 256
    S = scatter(x, **arguments)
    assert_close(scatter(x[:, backwards], **arguments), S[:, -np.arange(S.shape[1])])


def flip(x, axis):
    """x at minus the coordinate."""
    return np.roll(np.flip(x, axis), 1, axis)


# Each takes images (B, H, W, ...) to x'(u) = x(M u), and an angle to that of its direction under M.
SYMMETRIES = {
    "half turn": (lambda x: flip(flip(x, 1), 2), lambda angle: angle + np.pi),
    "mirror": (lambda x: flip(x, 2), lambda angle: -angle),
    "transpose": (lambda x: x.swapaxes(1, 2), lambda angle: np.pi / 2 - angle),
    "quarter turn": (lambda x: flip(x, 1).swapaxes(1, 2), lambda angle: angle - np.pi / 2),
}


@pytest.mark.parametrize(
    ("arguments", "symmetry"),
    [
        *itertools.product(
            [{"J": 2}, {"J": 2, "L": 6, "stride": 2}, {"J": 3, "L": 4, "stride": 1}], SYMMETRIES
        ),
        # No wavelet is at a right angle to another.
        *itertools.product(
            [{"J": 2, "L": 3, "T": "global"}, {"J": 3, "L": 9, "max_order": 1}],
            ["half turn", "mirror"],
        ),
    ],
    ids=label,
)
def test_symmetries_of_the_square_permute_the_angles(arguments, symmetry):
    """Exact where no second-order filter meets a coarser grid and its single Nyquist line."""
    transform, turn = SYMMETRIES[symmetry]
    L = arguments.get("L", 8)
    x = noise(1, 32, 32)
    S, meta = scatter(x, **arguments), paths(x, **arguments)
    moved = scatter(transform(x), **arguments)

    def names(change):
        """Order, scales, and directions as multiples of pi / L, modulo a half turn."""
        turned = [np.round(change(meta[name]) * L / np.pi) % L for name in ("angle1", "angle2")]
        columns = [meta["j1"], meta["j2"], *np.nan_to_num(turned)]
        return list(zip(*(column.tolist() for column in columns), strict=True))

    position = {name: row for row, name in enumerate(names(lambda angle: angle))}
    assert len(position) == S.shape[-1]
    rows = [position[name] for name in names(turn)]
    expected = S[..., rows]
    assert_close(moved, expected if S.ndim == 2 else transform(expected))


def test_a_dilation_changes_little():
    """It moves the Fourier modulus of a high tone off itself; S, by as much as the dilation."""
    t = np.arange(2048.0) - 1024

    def tone(dilation):
        s = (1 - dilation) * t
        return (np.exp(-((s / 300) ** 2)) * np.cos(2 * np.pi * 0.3 * s))[None]

    def relative(f, dilation):
        return np.linalg.norm(f(tone(dilation)) - f(tone(0))) / np.linalg.norm(f(tone(0)))

    for dilation in (0.01, 0.02, 0.04):
        assert relative(lambda x: np.abs(np.fft.fft(x)), dilation) > 1.2
        assert relative(lambda x: scatter(x, J=8), dilation) < 3 * dilation


# Consistency between settings.

BOTH = [(96, {"J": 4, "Q": 2}), ((16, 24), {"J": 2, "L": 3})]
both = pytest.mark.parametrize(("size", "arguments"), BOTH, ids=label)


@both
def test_the_global_mean_is_that_of_the_moduli(size, arguments):
    x = noise(2, *np.atleast_1d(size))
    axes = tuple(range(1, x.ndim))
    means = [u.mean(axis=axes) for u in scatter(x, T=0, **arguments)]
    assert_close(scatter(x, T="global", **arguments), np.stack(means, axis=-1))


@pytest.mark.parametrize("padding", ["reflect", "symmetric", "zero", "periodic", "none"])
@pytest.mark.parametrize(
    ("size", "arguments"),
    [
        *BOTH,
        (200, {"J": 3, "Q": 8}),
        (1023, {"J": 3, "Q": (4, 2)}),  # the padding is not all read
        (64, {"J": 6, "Q": (5, 3)}),
        (77, {"J": 1, "max_order": 1}),
        ((19, 8), {"J": 3, "L": 2}),
        ((9, 31), {"J": 1, "L": 5}),
        ((16, 23), {"J": 2, "L": 4, "max_order": 1}),
    ],
    ids=label,
)
def test_the_mean_over_the_signal_is_that_of_what_no_average_returns(size, arguments, padding):
    """Path by path: over the signal's own samples, at the path's own sampling."""
    if padding == "none":
        size = np.subtract(size, np.mod(size, 2 ** arguments["J"]))
    x = noise(2, *np.atleast_1d(size))
    axes = tuple(range(1, x.ndim))
    means = [u.mean(axis=axes) for u in scatter(x, T=0, padding=padding, **arguments)]
    S = scatter(x, T="signal", padding=padding, **arguments)
    assert_close(S, np.stack(means, axis=-1))
    assert_close(S[:, 0], x.mean(axis=axes))
    if padding == "none":
        assert_close(S, scatter(x, T="global", **arguments))


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["reflect", "zero"])
def test_the_mean_over_the_signal_does_not_jump_with_the_padding(padding):
    """A burst in ever more silence fades like 1 / N. The padded size doubles at N = 684."""

    def largest_change(T):
        """From a size to the next, of N times the all moduli's coefficients."""
        sums = []
        for N in range(600, 801, 8):
            t = np.arange(N) - N // 2
            burst = np.exp(-((t / 40) ** 2)) * np.cos(0.7 * t)
            S = scatter(burst[None], T=T, padding=padding, J=6)
            sums.append(N * S[0, 1:].sum())
        return np.exp(np.abs(np.diff(np.log(sums))).max())

    # The number of samples that are kept is N / 2**j, rounded.
    assert largest_change("signal") < 1.05
    # Twice the samples hold one burst as before, or three where two are reflections.
    assert largest_change("global") > (1.9 if padding == "zero" else 1.4)


@both
def test_lower_orders_come_first_and_are_the_same_alone(size, arguments):
    x = noise(2, *np.atleast_1d(size))
    alone = scatter(x, max_order=1, **arguments)
    assert_close(alone, scatter(x, **arguments)[..., : alone.shape[-1]])


@both
def test_periodic_padding_of_whole_windows_is_none(size, arguments):
    x = noise(2, *np.atleast_1d(size))
    assert_close(scatter(x, padding="periodic", **arguments), scatter(x, **arguments))


@pytest.mark.parametrize("stride", [1, 4, 16])
def test_strides_sample_one_signal(stride):
    """Up to aliases of the modulus, whose spectrum is wider than that of the wavelets."""
    x = noise(1, 512)
    fine = scatter(x, J=5, Q=4, stride=stride)
    assert_close(fine[:, :: 32 // stride], scatter(x, J=5, Q=4), rtol=1e-3)


@both
@pytest.mark.parametrize("T", [None, "global", "signal", 0], ids=label)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_channels_are_transformed_each_by_itself(size, arguments, T, data_format):
    """Channel-major: path k of channel c of K stands at c K + k; a list has an axis for them."""
    x = noise(2, *np.atleast_1d(size), 3)
    each = [scatter(x[..., c], T=T, **arguments) for c in range(3)]
    if T == 0:
        expected = [np.stack(path, axis=-1) for path in zip(*each, strict=True)]
    else:
        expected = [np.concatenate(each, axis=-1)]
    if data_format == "channels_first":
        x, expected = np.moveaxis(x, -1, 1), [np.moveaxis(y, -1, 1) for y in expected]
    S = scatter(x, channels=True, T=T, data_format=data_format, **arguments)
    for y, wanted in zip(S if T == 0 else [S], expected, strict=True):
        assert_close(y, wanted)


@both
@pytest.mark.parametrize("T", [None, "global", "signal", 0], ids=label)
def test_without_channels_paths_go_where_the_data_format_says(size, arguments, T):
    x = noise(2, *np.atleast_1d(size))
    last = scatter(x, T=T, **arguments)
    first = scatter(x, T=T, data_format="channels_first", **arguments)
    if T == 0:
        for a, b in zip(last, first, strict=True):
            assert_close(b, a)
    else:
        assert_close(first, np.moveaxis(last, -1, 1))
