"""Densities of atoms on a grid, against a direct sum."""

import re

import numpy as np
import pytest
import tensorflow as tf

from keras_scattering import gaussian_density

SHAPE = (9, 8, 11)
RNG = np.random.default_rng(0)
POSITIONS = RNG.uniform(-5, 5, (3, 4, 3))
WEIGHTS = RNG.uniform(0.5, 8, (3, 4))
CHARGES = np.stack([WEIGHTS, WEIGHTS - 2], axis=-1)  # two densities at once; charges of any sign


def direct(positions, weights, shape=SHAPE, sigma=1.0):
    """One atom after the other; weights (atoms,) or (atoms, channels)."""
    axes = [np.arange(n) - (n - 1) / 2 for n in shape]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    rho = np.zeros((*shape, *weights.shape[1:]))
    for position, weight in zip(positions, weights, strict=True):
        squares = ((grid - position) ** 2).sum(-1)
        bump = np.exp(-squares / (2 * sigma**2)) / (2 * np.pi * sigma**2) ** 1.5
        rho += np.multiply.outer(bump, weight)
    return rho


def directs(positions, weights, **options):
    return np.stack([direct(r, w, **options) for r, w in zip(positions, weights, strict=True)])


def assert_close(rho, expected, rtol=1e-13):
    np.testing.assert_allclose(rho, expected, rtol=0, atol=rtol * np.abs(expected).max())


@pytest.mark.parametrize("weights", [WEIGHTS, CHARGES], ids=["one density", "two densities"])
@pytest.mark.parametrize("shape", [SHAPE, (1, 2, 3), (16, 16, 16)])
@pytest.mark.parametrize("sigma", [0.7, 1, 2.5])
def test_is_the_sum_over_the_atoms(weights, shape, sigma):
    rho = gaussian_density(POSITIONS, weights, shape, sigma)
    assert rho.shape == (3, *shape, *weights.shape[2:])
    assert rho.dtype == tf.float64
    assert_close(rho, directs(POSITIONS, weights, shape=shape, sigma=sigma))


@pytest.mark.parametrize("weights", [WEIGHTS, CHARGES], ids=["one density", "two densities"])
def test_any_leading_axes(weights):
    expected = directs(POSITIONS, weights)
    for i in range(3):
        assert_close(gaussian_density(POSITIONS[i], weights[i], SHAPE), expected[i])
    deep = gaussian_density(POSITIONS[:, None], weights[:, None], SHAPE)
    assert_close(deep, expected[:, None])
    assert gaussian_density(POSITIONS[:0], weights[:0], SHAPE).shape == (0, *expected.shape[1:])


def test_no_atom_makes_an_empty_grid():
    rho = gaussian_density(np.zeros((2, 0, 3)), np.zeros((2, 0)), SHAPE)
    np.testing.assert_array_equal(rho, np.zeros((2, *SHAPE)))


@pytest.mark.parametrize("filler", [0.0, 1e300, np.inf, np.nan])
@pytest.mark.parametrize("weights", [WEIGHTS, CHARGES], ids=["one density", "two densities"])
def test_rows_that_only_pad_count_for_nothing(weights, filler):
    positions = np.concatenate([POSITIONS, np.full((3, 2, 3), filler)], axis=1)
    padded = np.concatenate([weights, np.zeros_like(weights[:, :2])], axis=1)
    assert_close(gaussian_density(positions, padded, SHAPE), directs(POSITIONS, weights))


def test_an_atom_without_weight_in_one_density_still_counts_in_the_other():
    weights = np.array([[0.0, 3.0]])
    rho = gaussian_density(np.ones((1, 3)), weights, SHAPE)
    assert_close(rho, direct(np.ones((1, 3)), weights))


@pytest.mark.parametrize(
    ("positions", "result"),
    [("float32", "float32"), ("float64", "float64"), ("int32", "float32"), ("int64", "float32")],
)
@pytest.mark.parametrize("weights", ["int32", "float32", "float64"])
def test_has_the_type_of_the_positions(positions, weights, result):
    r, w = np.round(POSITIONS), np.round(WEIGHTS)
    rho = gaussian_density(r.astype(positions), w.astype(weights), SHAPE)
    assert rho.dtype == result
    assert_close(rho, directs(r, w), rtol=1e-13 if result == "float64" else 1e-5)


def test_takes_plain_lists():
    rho = gaussian_density([[0, 0, 1.5]], [2], list(SHAPE))
    assert_close(rho, direct(np.array([[0, 0, 1.5]]), np.array([2.0])), rtol=1e-5)


@pytest.mark.parametrize("offset", [0, 0.25, 0.5])
@pytest.mark.parametrize("shape", [(24, 24, 24), (23, 24, 25)])
def test_mass_and_centre_are_those_of_the_atom(offset, shape):
    # Samples of a Gaussian sum to its integral up to 6 exp(-2 pi^2 sigma^2) = 1.6e-8 for sigma = 1.
    rho = gaussian_density(np.full((1, 3), offset, "float64"), [3], shape).numpy()
    np.testing.assert_allclose(rho.sum(), 3, rtol=2e-8)
    for axis, n in enumerate(shape):
        profile = rho.sum(axis=tuple({0, 1, 2} - {axis}))
        u = np.arange(n) - (n - 1) / 2
        # The first moment's error is 2 pi sigma^2 times larger.
        np.testing.assert_allclose((u * profile).sum() / 3, offset, atol=2e-7)


def test_axes_are_depth_height_and_width():
    rho = gaussian_density(np.array([[-2.0, 1.0, 3.0]]), np.array([1.0]), (9, 11, 13)).numpy()
    assert np.unravel_index(rho.argmax(), rho.shape) == (4 - 2, 5 + 1, 6 + 3)


# In a pipeline


def molecules():
    """A dataset of molecules with 1, 2, 3 and 4 atoms, and their densities."""
    counts = [1, 2, 3, 4]
    rows = [(RNG.uniform(-3, 3, (n, 3)), RNG.uniform(1, 8, (n, 2))) for n in counts]
    signature = (tf.TensorSpec((None, 3), tf.float64), tf.TensorSpec((None, 2), tf.float64))
    dataset = tf.data.Dataset.from_generator(lambda: iter(rows), output_signature=signature)
    return dataset, np.stack([direct(*row) for row in rows])


def density(positions, weights):
    return gaussian_density(positions, weights, SHAPE)


def test_maps_over_molecules_of_any_size():
    dataset, expected = molecules()
    mapped = dataset.map(density, num_parallel_calls=tf.data.AUTOTUNE).batch(3)
    assert mapped.element_spec.shape[1:] == (*SHAPE, 2)
    assert_close(np.concatenate([*mapped.as_numpy_iterator()]), expected)


@pytest.mark.parametrize("filler", [0.0, np.nan])
def test_maps_over_padded_batches(filler):
    dataset, expected = molecules()
    padding = (tf.constant(filler, tf.float64), tf.constant(0.0, tf.float64))
    mapped = dataset.padded_batch(3, padding_values=padding).map(density)
    assert mapped.element_spec.shape[1:] == (*SHAPE, 2)
    assert_close(np.concatenate([*mapped.as_numpy_iterator()]), expected)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
def test_compiles(jit_compile):
    compiled = tf.function(density, jit_compile=jit_compile)
    assert_close(compiled(POSITIONS, CHARGES), directs(POSITIONS, CHARGES), rtol=1e-12)


# Gradients: forces, and charges that are learnt


def moment(positions, weights):
    """A smooth function of the density that no symmetry makes vanish."""
    rho = gaussian_density(positions, weights, SHAPE)
    ramp = tf.reshape(tf.range(tf.size(rho[0]), dtype=rho.dtype), rho.shape[1:])
    return tf.reduce_sum(rho**2 * tf.sin(ramp))


@pytest.mark.parametrize("weights", [WEIGHTS, CHARGES], ids=["one density", "two densities"])
def test_gradient_is_the_derivative(weights):
    inputs = [tf.constant(POSITIONS), tf.constant(weights)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = moment(*inputs)
    gradients = tape.gradient(value, inputs)
    h = 1e-5
    for i, slope in enumerate(gradients):
        direction = RNG.standard_normal(inputs[i].shape)
        ahead, behind = list(inputs), list(inputs)
        ahead[i], behind[i] = inputs[i] + h * direction, inputs[i] - h * direction
        expected = (moment(*ahead) - moment(*behind)) / (2 * h)
        np.testing.assert_allclose(tf.reduce_sum(slope * direction), expected, rtol=1e-7)


def test_gradient_is_zero_at_rows_that_only_pad():
    positions = tf.constant([[[0.5, -1.0, 2.0], [np.nan, np.inf, 0.0]]])
    weights = tf.constant([[2.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(positions)
        value = moment(positions, weights)
    forces = tape.gradient(value, positions).numpy()
    assert np.isfinite(forces).all()
    assert (forces[0, 0] != 0).all()
    np.testing.assert_array_equal(forces[0, 1], 0)


# Errors


NO_SHAPES = [(8, 8), (8, 8, 8, 8), (8, 0, 8), (8, -1, 8), 8, 8.0, None, "888", (8, 8, 8.0)]
NO_SHAPES += [(True, 8, 8), (8, "8", 8), (8, None, 8), {8, 9, 10}]


@pytest.mark.parametrize("shape", NO_SHAPES)
def test_refuses_grids_that_are_not_three_sizes(shape):
    with pytest.raises(
        ValueError, match=rf"`shape`.*three.*Received: shape={re.escape(repr(shape))}"
    ):
        gaussian_density(np.zeros((1, 3)), np.ones(1), shape)


@pytest.mark.parametrize("sigma", [0, -1.0, float("nan"), np.inf, "a", 1j, None, True, [1.0]])
def test_refuses_widths_that_are_not_positive(sigma):
    received = re.escape(f"Received: sigma={sigma!r}")
    with pytest.raises(ValueError, match=rf"`sigma`.*positive.*{received}"):
        gaussian_density(np.zeros((1, 3)), np.ones(1), SHAPE, sigma)


@pytest.mark.parametrize("shape", [np.array(SHAPE), tf.TensorShape(SHAPE), [np.int64(9), 8, 11]])
def test_takes_any_sequence_of_sizes(shape):
    assert gaussian_density(np.zeros((1, 3)), np.ones(1), shape).shape == SHAPE


@pytest.mark.parametrize("name", ["positions", "weights"])
@pytest.mark.parametrize("place", ["eager", "graph"])
@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda x: x + 1j, "of type .*complex128"),
        (lambda x: x.astype("complex64"), "of type .*complex64"),
        (lambda x: x.astype(str), "of type "),
        (lambda x: x.astype(object), "of type object"),
        (lambda x: None, "None"),
        (lambda x: "abc", "'abc'"),
        (lambda x: [[1.0], [1.0, 2.0]], r"\[\[1\.0\], \[1\.0, 2\.0\]\]"),
    ],
)
def test_refuses_what_is_not_real(name, place, make, received):
    given = {"positions": np.zeros((2, 3)), "weights": np.ones(2)}
    given[name] = make(given[name])

    def use():
        gaussian_density(**given, shape=SHAPE)

    message = rf"`{name}` must be an array of real numbers\. Received: .*{received}"
    with pytest.raises(ValueError, match=message):
        (tf.function(use) if place == "graph" else use)()


@pytest.mark.parametrize(
    ("positions", "weights"),
    [
        ((4, 2), (4,)),  # not three coordinates
        ((4, 3), (5,)),  # atoms that have no weight
        ((2, 4, 3), (2, 5)),
        ((2, 4, 3), (3, 4)),
        ((2, 4, 3), (2, 5, 1)),
        ((2, 4, 3), (4,)),
        ((4, 3), ()),
        ((3,), (1,)),  # no axis of atoms
        ((3,), ()),
    ],
)
def test_refuses_positions_and_weights_that_do_not_fit(positions, weights):
    message = rf"`positions`.*`weights`.*Received: positions {re.escape(str(positions))}, weights"
    with pytest.raises(ValueError, match=message):
        gaussian_density(np.zeros(positions), np.ones(weights), SHAPE)
