"""What mathematics says about solid harmonic scattering, and the definition at other settings."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from reference import harmonic3d, paths_3d
from scipy.spatial.transform import Rotation

from keras_scattering import HarmonicScattering3D, gaussian_density
from keras_scattering.filters.solid_harmonics import SolidHarmonics

ROUNDING = 1e-12  # of float64 results, relative


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def layer(J=2, L=3, **options):
    return HarmonicScattering3D(J, L, **options, dtype="float64")


def scatter(x, *args, **options):
    return layer(*args, **options)(x).numpy()


def assert_close(y, expected, rtol=ROUNDING):
    np.testing.assert_allclose(y, expected, rtol=rtol, atol=0)


# The filters. A sum over the frequencies of the box is an integral, up to the tail of the filters
# beyond pi, exp(-(pi sigma)^2 / 2) for a product of two, and their overlap with the copies of a
# periodic box, exp(-(N / 2 sigma)^2). Both are far below rounding here.

N, SIGMA = 36, 2.5
HARMONICS = SolidHarmonics((N, N, N), SIGMA)


def spectra(j, degree):
    return HARMONICS.radial(j, degree) * HARMONICS.angular(degree)


def inner_products(j=0, L=4):
    """Of all harmonics up to degree L, for the measure d^3 w; and the degree of each."""
    psi = [spectrum.ravel() for degree in range(L + 1) for spectrum in spectra(j, degree)]
    degrees = np.repeat(range(L + 1), 2 * np.arange(L + 1) + 1)
    return np.inner(psi, psi) * (2 * np.pi / N) ** 3, degrees


def radial_integral(degree, sigma, total):
    """Of (w sigma)^(2 degree) exp(-w^2 total) w^2 dw: total is sigma^2 for the filter alone."""
    n = degree + 1.5
    return sigma ** (2 * degree) * math.gamma(n) / (2 * total**n)


def constant(degree):
    """|c_l| as it is stated, with double factorials; degree 0 is a Gaussian, without Y_00."""
    if degree == 0:
        return math.sqrt(4 * math.pi)
    if degree % 2 == 0:
        double_factorial = math.prod(range(degree + 1, 0, -2))
        c = 1 / (2 * math.pi * math.sqrt(degree + 0.5) * double_factorial)
    else:
        factorial = math.factorial((degree + 1) // 2)
        c = 1 / (2 ** ((degree + 3) / 2) * math.sqrt(math.pi * (2 * degree + 1)) * factorial)
    return (2 * math.pi) ** 1.5 * c


def test_harmonics_are_orthogonal():
    products, _ = inner_products()
    norms = np.sqrt(np.diag(products))
    np.testing.assert_allclose(products / np.outer(norms, norms), np.eye(len(norms)), atol=1e-12)


def test_harmonics_have_the_norms_of_the_continuous_ones():
    products, degrees = inner_products()
    for degree, energy in zip(degrees, np.diag(products), strict=True):
        assert_close(energy, constant(degree) ** 2 * radial_integral(degree, SIGMA, SIGMA**2))


def test_all_directions_have_equal_energy():
    # Unsöld: the squares of the 2 l + 1 harmonics of a degree add up to (2 l + 1) / 4 pi.
    axes = np.meshgrid(*[2 * np.pi * np.fft.fftfreq(N)] * 3)
    w = 2 * SIGMA * np.sqrt(sum(axis**2 for axis in axes))
    for degree in range(5):
        energy = (spectra(1, degree) ** 2).sum(0)
        radial = (constant(degree) * w**degree * np.exp(-(w**2) / 2)) ** 2
        expected = radial * (2 * degree + 1) / (4 * np.pi)
        np.testing.assert_allclose(energy, expected, rtol=1e-10, atol=1e-14)


# A lone Gaussian has coefficients in closed form: its width and the filter's add up


@pytest.mark.parametrize("width", [1.5, 2.5])
def test_coefficients_of_a_gaussian(width):
    mass, sigma_0 = 3, 1.5
    x = gaussian_density(np.zeros((1, 1, 3)), [[mass]], (41, 41, 41), width)
    y = scatter(x, 1, sigma_0=sigma_0, max_order=1, integral_powers=(1.0, 2.0))[0]
    for j, degree in itertools.product(range(2), range(4)):
        sigma = sigma_0 * 2**j
        total = width**2 + sigma**2
        energy = (2 * degree + 1) * constant(degree) ** 2 * radial_integral(degree, sigma, total)
        assert_close(y[j, degree, 1], mass**2 * energy / (2 * np.pi) ** 3, 1e-8)
        if degree == 0:
            assert_close(y[j, 0, 0], mass, 1e-10)  # the average of a positive function


# Symmetries of the box: exact

ROTATIONS = {
    "about z": lambda x: np.rot90(x, 1, (2, 3)),
    "about y": lambda x: np.rot90(x, 1, (1, 3)),
    "about x": lambda x: np.rot90(x, 1, (1, 2)),
    "about the diagonal": lambda x: x.transpose(0, 2, 3, 1),
    "half a turn": lambda x: np.rot90(x, 2, (1, 3)),
    "mirror": lambda x: x[:, ::-1],
    "inversion": lambda x: x[:, ::-1, ::-1, ::-1],
}
every_rotation = pytest.mark.parametrize("rotate", ROTATIONS.values(), ids=ROTATIONS)


@pytest.fixture(scope="module")
def odd_cube():
    x, transform = noise(1, 15, 15, 15), layer()
    return x, transform, transform(x)


@pytest.fixture(scope="module")
def even_cube():
    """Noise, and the same without its lines at Nyquist."""
    x, transform = noise(1, 16, 16, 16), layer()
    x_hat = np.fft.fftn(x, axes=(1, 2, 3))
    x_hat[:, 8] = x_hat[:, :, 8] = x_hat[:, :, :, 8] = 0
    x = np.concatenate([x, np.fft.ifftn(x_hat, axes=(1, 2, 3)).real])
    return x, transform, transform(x)


@every_rotation
def test_rotations_of_an_odd_cube_change_nothing(odd_cube, rotate):
    x, transform, y = odd_cube
    assert_close(transform(rotate(x)), y)


@every_rotation
def test_rotations_of_an_even_cube_change_nothing_below_nyquist(even_cube, rotate):
    x, transform, y = even_cube
    turned = transform(rotate(x))
    # The line at Nyquist has a frequency of one sign only: -pi stays -pi where it should turn.
    assert_close(turned[0], y[0], 1e-4)
    assert_close(turned[1], y[1])


@pytest.mark.parametrize("shape", [(15, 15, 15), (16, 16, 16), (12, 9, 10)])
@pytest.mark.parametrize("rotation_covariant", [True, False])
def test_translations_change_nothing(shape, rotation_covariant):
    x = noise(1, *shape)
    shifts = [(0, 0, 0), (1, 0, 0), (0, 5, -3), (7, 2, 4)]
    moved = np.concatenate([np.roll(x, shift, (1, 2, 3)) for shift in shifts])
    y = layer(rotation_covariant=rotation_covariant)(moved).numpy()
    assert_close(y[1:], np.repeat(y[:1], len(shifts) - 1, 0))


def test_one_harmonic_alone_is_not_invariant_to_rotation():
    x = noise(1, 15, 15, 15)
    transform = layer(rotation_covariant=False)
    y, turned = transform(x).numpy(), transform(np.rot90(x, 1, (1, 2))).numpy()
    assert_close(turned[:, :, 0], y[:, :, 0])  # but for degree 0, which has no other
    assert np.abs(turned[:, :3, 1:] / y[:, :3, 1:] - 1).min(-1).max() > 0.01


# Motions of the atoms: as exact as the sampling. A density and filters of width 1.5 samples leave
# exp(-2 (1.5 pi)^2) of a response's energy beyond Nyquist, times powers of the frequency, and the
# response of the widest filters, of 3 samples, meets itself around the box by about
# exp(-(41 - 6)^2 / 4 (1.5^2 + 3^2)), times powers of the distance. Both are 1e-12 or less, and
# energies (power 2) of the first order show it. A modulus has cusps where it vanishes, so that its
# other powers and the second order converge more slowly: some 1e-3.

ATOMS = np.random.default_rng(1).uniform(-3, 3, (6, 3))
CHARGES = np.array([[1.0, 6.0, 8.0, 1.0, 7.0, 1.0]])


def molecule(rotation=None, shift=0.0, box=41, width=1.5):
    atoms = ATOMS if rotation is None else rotation.apply(ATOMS)
    return gaussian_density(atoms[None] + shift, CHARGES, (box, box, box), width)


@pytest.fixture(scope="module")
def smooth():
    transform = layer(J=1, sigma_0=1.5)
    return transform, transform(molecule()).numpy()


@pytest.mark.parametrize("seed", range(3))
def test_other_rotations_change_little(smooth, seed):
    transform, y = smooth
    turned = transform(molecule(Rotation.random(rng=seed), shift=0.3 * seed))
    check_motion(turned, y)


@pytest.mark.parametrize("shift", [0.5, (0.1, -0.7, 2.3)])
def test_shifts_by_parts_of_a_sample_change_little(smooth, shift):
    transform, y = smooth
    check_motion(transform(molecule(shift=shift)), y)


def check_motion(moved, y):
    assert_close(moved[:, :2, :, 2], y[:, :2, :, 2], 1e-9)
    assert_close(moved, y, 3e-3)


def test_a_rotation_changes_less_than_another_molecule(smooth):
    transform, y = smooth
    turned = transform(molecule(Rotation.random(rng=5)))
    squeezed = transform(gaussian_density(0.97 * ATOMS[None], CHARGES, (41, 41, 41), 1.5))
    change = [np.linalg.norm(np.log(z / y)) for z in (turned, squeezed)]
    assert change[0] < 0.05 * change[1]


def test_dilation_by_two_is_a_step_in_scale():
    # psi_{j+1}(u) = psi_j(u / 2) / 8, and so for a density twice as large; a sum over voxels grows
    # eightfold. The box grows too, so that only the sampling differs.
    powers = (1.0, 2.0)
    options = {"J": 2, "sigma_0": 1.25, "integral_powers": powers}
    small = gaussian_density(ATOMS[None] / 2, CHARGES, (24, 24, 24), 1.25)
    large = gaussian_density(ATOMS[None], CHARGES, (48, 48, 48), 2.5)
    y, z = scatter(small, **options)[0], scatter(large, **options)[0]
    paths = paths_3d(2)
    for row, path in enumerate(paths):
        if path[-1] < 2:
            coarser = paths.index(tuple(j + 1 for j in path))
            for r, q in enumerate(powers):
                assert_close(z[coarser, :, r], 8 ** (1 - q) * y[row, :, r], 1e-3)


def test_molecules_far_apart_add_up():
    # Filters reach 5 sigma = 10 samples or so: their responses to the two do not meet.
    transform = layer(J=1, integral_powers=(1.0, 2.0))
    atoms, weights = np.array([[-16.0, 0, 0], [16.0, 0, 0]]), np.array([1.0, 3.0])
    shape = (64, 24, 24)
    one, other = (gaussian_density(atoms[[i]][None], weights[[i]][None], shape) for i in (0, 1))
    both = gaussian_density(atoms[None], weights[None], shape)
    assert_close(transform(both), transform(one) + transform(other), 1e-3)


# Homogeneity


@pytest.mark.parametrize("factor", [3.0, -0.01])
def test_coefficients_scale_with_their_power(factor):
    x, powers = noise(2, 9, 8, 10), (0.25, 1.0, 2.0, 3.5)
    transform = layer(integral_powers=powers)
    assert_close(transform(factor * x), abs(factor) ** np.array(powers) * transform(x))


# Empty volumes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rotation_covariant", [True, False])
def test_empty_volumes(dtype, rotation_covariant):
    transform = HarmonicScattering3D(
        2,
        2,
        rotation_covariant=rotation_covariant,
        integral_powers=(0.25, 0.5, 1, 2, 3),
        dtype=dtype,
    )
    x = tf.zeros((2, 8, 9, 8), dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = transform(x)
    np.testing.assert_array_equal(y, np.zeros((2, 6, 3, 5)))
    assert np.isfinite(tape.gradient(y, x)).all()


@pytest.mark.parametrize("power", [0.25, 0.5, 1.0, 2.0])
def test_gradient_around_a_lonely_atom_is_finite(power):
    x = tf.constant(gaussian_density(np.zeros((1, 1, 3), "float32"), [[1]], (24, 24, 24)))
    transform = HarmonicScattering3D(2, 2, integral_powers=(power,))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = transform(x)
    gradient = tape.gradient(y, x)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


# The gradient is the derivative


@pytest.mark.parametrize("rotation_covariant", [True, False])
@pytest.mark.parametrize(
    ("shape", "power"),
    [
        ((9, 7, 11), 0.5),
        ((8, 10, 6), 0.5),
        ((8, 7, 9), 1.0),
        ((9, 7, 11), 2.0),
        ((8, 10, 6), 3.0),
        ((8, 7, 9), 3.0),
    ],
)
def test_gradient_is_the_derivative(shape, rotation_covariant, power):
    transform = layer(1, 2, rotation_covariant=rotation_covariant, integral_powers=(power,))
    x, direction = tf.constant(noise(1, *shape)), noise(1, *shape, seed=1)
    weights = noise(1, 3, 3, 1, seed=2)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(weights * transform(x))
    derivative = tf.reduce_sum(tape.gradient(value, x) * direction)
    h = 1e-5
    ahead, behind = (tf.reduce_sum(weights * transform(x + s * direction)) for s in (h, -h))
    np.testing.assert_allclose(derivative, (ahead - behind) / (2 * h), rtol=1e-5)


def test_forces_follow_from_positions():
    transform = layer(1, 2, sigma_0=1.5, max_order=1, integral_powers=(2.0,))

    def energy(atoms):
        return tf.reduce_sum(transform(gaussian_density(atoms, CHARGES, (27, 27, 27), 1.5)))

    atoms = tf.constant(ATOMS[None])
    with tf.GradientTape() as tape:
        tape.watch(atoms)
        value = energy(atoms)
    forces = tape.gradient(value, atoms).numpy()[0]
    scale = np.abs(forces).max()
    # Neither a shift nor a rotation of the whole does any work.
    np.testing.assert_allclose(forces.sum(0), 0, atol=1e-5 * scale)
    np.testing.assert_allclose(np.cross(ATOMS, forces).sum(0), 0, atol=1e-4 * scale)


@pytest.mark.parametrize("sigma_0", [1e-2, 1e-4, 1e-6, 1e-8])
def test_squares_of_small_filters_do_not_vanish(sigma_0):
    x = noise(1, 4, 6, 6)
    config = {"J": 1, "L": 3, "sigma_0": sigma_0, "integral_powers": (0.001, 0.5)}
    y = HarmonicScattering3D(**config)(x.astype("float32"))
    np.testing.assert_allclose(y, layer(**config)(x), rtol=2e-6)


# The definition, at settings that no reference output holds

SETTINGS = [
    ((9, 8, 7), {"J": 1, "L": 3}),
    ((8, 9, 10), {"J": 2, "L": 2, "integral_powers": (0.3, 1.7, 4.0)}),
    ((10, 7, 11), {"J": 2, "L": 1, "sigma_0": 0.6}),
    ((7, 12, 12), {"J": 1, "L": 4, "sigma_0": 1.3}),
    ((12, 6, 9), {"J": 3, "L": 2, "max_order": 1, "integral_powers": (2.0,)}),
    ((9, 8, 7), {"J": 1, "L": 3, "rotation_covariant": False}),
    ((8, 10, 6), {"J": 2, "L": 2, "rotation_covariant": False, "sigma_0": 0.6}),
    ((7, 9, 11), {"J": 1, "L": 3, "rotation_covariant": False, "max_order": 1}),
    ((8, 7, 10), {"J": 1, "L": 2, "rotation_covariant": False, "integral_powers": (0.5, 3.0)}),
    ((10, 8, 9), {"J": 1, "L": 5, "sigma_0": 0.5}),
    ((4, 4, 4), {"J": 2, "L": 2}),
    ((1, 6, 5), {"J": 1, "L": 2}),
    # of nothing but a mean, and of filters so wide that they vanish elsewhere
    ((1, 1, 1), {"J": 1}),
    ((2, 2, 2), {"J": 2, "L": 1, "sigma_0": 4.0}),
]


@pytest.mark.parametrize(("shape", "config"), SETTINGS)
def test_is_as_defined(shape, config):
    x = noise(2, *shape)
    y = layer(**config)(x)
    expected = harmonic3d(x, **config)
    assert y.shape == expected.shape
    # Of each path apart: large scales are many orders of magnitude below small ones.
    error, size = np.linalg.norm(y - expected, axis=0), np.linalg.norm(expected, axis=0)
    # Squares of the definition vanish below 1e-160, where the layer's do not.
    assert (error <= 1e-10 * size + 1e-90).all()
    y = HarmonicScattering3D(**config)(x.astype("float32"))
    assert np.linalg.norm(y - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize(("shape", "config"), SETTINGS)
def test_metadata_rows_are_the_paths(shape, config):
    transform = layer(**config)
    transform.build((None, *shape))
    meta = transform.meta()
    expected = [(*path, -1)[:2] for path in paths_3d(config["J"], config.get("max_order", 2))]
    for a, b in (("j1", "j2"), ("n1", "n2")):
        assert list(zip(meta[a].tolist(), meta[b].tolist(), strict=True)) == expected
    assert meta["order"].tolist() == [1 + (b >= 0) for _, b in expected]
    assert transform.compute_output_shape((None, *shape))[1] == len(expected)


# Channels


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_channels_are_transformed_each_by_itself(data_format):
    x = noise(2, 3, 8, 9, 10)
    alone = [scatter(x[:, c], 1, 2) for c in range(3)]
    expected = np.concatenate(alone, axis=-1)  # power r of channel c at c * R + r
    if data_format == "channels_first":
        expected = np.moveaxis(expected, -1, 1)
    else:
        x = np.moveaxis(x, 1, -1)
    y = scatter(x, 1, 2, data_format=data_format)
    assert y.shape == expected.shape
    assert_close(y, expected)


def test_densities_of_several_kinds_are_channels():
    kinds = np.stack([CHARGES, np.maximum(CHARGES - 2, 0)], axis=-1)
    rho = gaussian_density(ATOMS[None], kinds, (15, 16, 17))
    y = scatter(rho, 1, 2)
    for c, r in itertools.product(range(2), range(3)):
        alone = scatter(rho[..., c], 1, 2)
        assert_close(y[..., 3 * c + r], alone[..., r], 1e-10)
