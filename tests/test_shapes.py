"""Shapes that the engine promises, in graphs of any batch, on awkward grids."""

import functools
import math

import numpy as np
import pytest
import tensorflow as tf

from keras_scattering.engine import averages, axes, fourier, matrix_fourier, moduli, solids
from keras_scattering.engine.cascade import scattering, separate
from keras_scattering.engine.folding import fold, fold_by_products
from keras_scattering.engine.grams import products
from keras_scattering.engine.lattice import (
    CompiledLattice,
    GradientPlane,
    Lattice,
    MatrixLattice,
    PiecewisePlane,
)
from keras_scattering.engine.solids import Solid
from keras_scattering.engine.spectra import spectrum
from keras_scattering.engine.stacks import filter_stack
from keras_scattering.filters import SolidHarmonics
from keras_scattering.plans.averages import Crop, LowPass, Mean, Powers, SpectralLowPass
from keras_scattering.plans.banks import Weights
from keras_scattering.plans.compact import Arrays
from keras_scattering.plans.harmonic3d import plan_harmonic3d
from keras_scattering.plans.padding import pad_axis
from keras_scattering.plans.plan import AlongStack, Gram, Stack
from keras_scattering.plans.scattering1d import plan_scattering1d
from keras_scattering.plans.scattering2d import plan_scattering2d
from keras_scattering.runtime.mode import Mode

FLOAT32 = np.dtype("float32")
B = "b"  # stands for the batch

# Of signals, and of what is sampled of them: odd, even, of one sample, of one, two, three axes.
GRIDS = {
    "line": ((15,), (5,)),
    "one sample": ((1,), (1,)),
    "plane": ((9, 6), (3, 2)),
    "odd plane": ((5, 7), (5, 7)),
    "row": ((1, 8), (1, 2)),
    "volume": ((3, 4, 5), (3, 2, 5)),
}
every_grid = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
every_count = pytest.mark.parametrize(("paths", "filters"), [(1, 1), (2, 3)])


def noise(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


def shapes(function, *inner):
    """Of the tensors that a function makes of inputs (batch, *inner), in one graph of any batch."""
    signature = [tf.TensorSpec((None, *shape), tf.float32) for shape in inner]
    graph = tf.function(function, input_signature=signature, autograph=False)
    many, one = (
        [tuple(y.shape) for y in tf.nest.flatten(graph(*(noise(batch, *s) for s in inner)))]
        for batch in (13, 1)  # no other size of a test is 13
    )
    many = [tuple(B if n == 13 else n for n in shape) for shape in many]
    assert one == [tuple(1 if n == B else n for n in shape) for shape in many]
    return many


def lines_of(size):
    """About half of the lines of each axis, on both sides of line 0."""
    return tuple((-(n // 3), n // 3 + 1) for n in size)


def lengths(lines):
    return tuple(stop - start for start, stop in lines)


def make_bank(size, sampled, filters, complex_spectra=False):
    """Filters of all lines in windows of their own, and the arrays they stand in."""
    arrays = Arrays(FLOAT32)
    spectra = noise(filters, *size) + (1j * noise(filters, *size) if complex_spectra else 0)
    bank = arrays.bank("psi", spectra, sampled)
    return bank, {name: tf.constant(array) for name, array in arrays.items()}


# Axes


def test_axes_are_cut_joined_and_padded():
    rules = [pad_axis(3, 2, 4, "reflect"), pad_axis(5, 0, 1, "zero")]
    assert shapes(lambda x: axes.extend(x, rules), (3, 5)) == [(B, 9, 6)]
    assert shapes(lambda x: axes.cut(x, [1, 0], [2, 5]), (1, 3, 5)) == [(B, 1, 2, 5)]
    assert shapes(lambda x: axes.take(x, -2, np.array([2, 1, 0, 1])), (3, 5)) == [(B, 4, 5)]
    assert shapes(lambda x: axes.join([x, x], -2), (3, 5)) == [(B, 6, 5)]
    assert shapes(lambda x: axes.multiply_last(x, noise(5, 2)), (4, 5)) == [(B, 4, 2)]


# Transforms


@every_grid
@pytest.mark.parametrize("paths", [1, 3])
def test_transforms(grid, paths):
    size, _ = grid
    rank, half = len(size), (*size[:-1], size[-1] // 2 + 1)

    def there_and_back(u):
        planes = fourier.half_spectrum(u, rank)
        return planes, fourier.from_half(*planes, size)

    signals = (B, paths, *size)
    assert shapes(there_and_back, signals[1:]) == [(B, paths, *half)] * 2 + [signals]
    assert shapes(lambda x: fourier.inverse(x, x, rank), signals[1:]) == [signals] * 2
    assert shapes(lambda x: fourier.forward(x, x, rank), signals[1:]) == [signals] * 2
    assert shapes(lambda x: moduli.compiled_modulus(x, x, rank), signals[1:]) == [signals]
    planes = lambda x: matrix_fourier.inverse(tf.stack([x, x]), rank)  # noqa: E731
    assert shapes(planes, signals[1:]) == [signals] * 2


@every_grid
@pytest.mark.parametrize("paths", [1, 3])
def test_spectra(grid, paths):
    size, _ = grid
    for lines in (lines_of(size), tuple((-((n - 1) // 2), n // 2 + 1) for n in size)):
        expected = [(2, B, paths, *lengths(lines))]
        assert shapes(lambda u, box=lines: spectrum(u, box).planes, (paths, *size)) == expected
        assert (
            shapes(lambda u, box=lines: matrix_fourier.spectral_lines(u, box), (paths, *size))
            == expected
        )


# Filters


@every_grid
@every_count
@pytest.mark.parametrize("complex_spectra", [False, True])
def test_folded_spectra(grid, paths, filters, complex_spectra):
    size, sampled = grid
    bank, arrays = make_bank(size, sampled, filters, complex_spectra)

    def folded(u):
        x = spectrum(u, bank.lines)
        windows = Lattice(arrays)._windows(x, bank)
        with tf.GradientTape() as tape:
            tape.watch(x.planes)
            planes = fold(x.planes, windows, bank.size)
        slope = tape.gradient(planes, x.planes)
        return fold_by_products(x.planes, windows, bank.size), planes, slope

    one = (B, paths, filters, *sampled)
    slope = (2, B, paths, *lengths(bank.lines))
    assert shapes(folded, (paths, *size)) == [(2, *one), one, one, slope]


OPERATIONS = [Lattice, CompiledLattice, MatrixLattice, PiecewisePlane, GradientPlane]


def operations_on(grid):
    return OPERATIONS if len(grid[0]) == 2 else OPERATIONS[:3]


@pytest.mark.slow
@every_grid
@every_count
def test_filtered_signals(grid, paths, filters):
    """Of two sources, whose paths stand one after the other."""
    size, sampled = grid
    bank, arrays = make_bank(size, sampled, filters)
    rule = Powers((0.5, 1.0, 2.0))
    both = (B, (paths + 1) * filters, *sampled)
    for kind in operations_on(grid):
        run = kind(arrays)

        def filtered(u, run=run):
            sources = [(run.spectrum(v, bank.lines), bank) for v in (u, u[:, :1])]
            return run.convolve(sources), run.modulus(sources), run.averaged_modulus(sources, rule)

        assert shapes(filtered, (paths, *size)) == [both] * 3 + [(*both[:2], 3)]


@every_grid
@pytest.mark.parametrize("paths", [1, 3])
def test_averages(grid, paths):
    size, _ = grid
    outputs = tuple(2 + axis for axis in range(len(size)))
    matrices = [noise(n, m) for n, m in zip(size, outputs, strict=True)]
    arrays = {f"phi{axis}": tf.constant(matrix) for axis, matrix in enumerate(matrices)}
    rules = {
        LowPass(tuple(arrays)): outputs,
        Mean(tuple((0, n) for n in size)): (),
        Powers((2.0,)): (1,),
        Powers((0.5, 1.0)): (2,),
        Crop(tuple((0, n // 2 + 1) for n in size)): tuple(n // 2 + 1 for n in size),
    }
    for kind in operations_on(grid):
        for rule, expected in rules.items():
            average = functools.partial(kind(arrays).average, rule=rule)
            assert shapes(average, (paths, *size)) == [(B, paths, *expected)]


@pytest.mark.parametrize("kind", [Lattice, MatrixLattice])
@pytest.mark.parametrize("paths", [1, 3])
def test_averages_on_a_line(kind, paths):
    """In frames, which `complete` adds up, and in Fourier."""
    rule = LowPass(("phi",), 5, (1, 9))
    run = kind({"phi": tf.constant(noise(3, 6))})
    assert shapes(lambda u: run.average(u, rule), (paths, 15)) == [(B, paths, 5, 6)]
    complete = lambda u: averages.complete(run.average(u, rule), rule)  # noqa: E731
    assert shapes(complete, (paths, 15)) == [(B, paths, 8)]
    bank, arrays = make_bank((15,), (5,), 1)
    in_fourier = functools.partial(kind(arrays).average, rule=SpectralLowPass(bank, (1, 4)))
    assert shapes(in_fourier, (paths, 15)) == [(B, paths, 3)]


# Stacks and products


@pytest.mark.slow
@every_grid
@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize(("paths", "filters", "samples", "kept"), [(1, 1, 1, 1), (3, 2, 3, 2)])
def test_stacks(grid, joint, paths, filters, samples, kept):
    size, sampled = grid
    bank, arrays = make_bank(size, sampled, 2)
    stack = 2 * paths
    arrays["along"] = tf.constant(noise(2, 2 * stack, filters * samples))
    arrays["low"] = tf.constant(noise(samples, kept))
    arrays |= {f"phi{axis}": tf.constant(noise(n, 2)) for axis, n in enumerate(sampled)}
    ends = {
        Mean(tuple((0, n) for n in sampled)): (),
        Crop(tuple((0, n) for n in sampled)): sampled,
        LowPass(tuple(f"phi{axis}" for axis in range(len(size)))): (2,) * len(size),
    }
    along, expected = [], []
    for rule, outputs in ends.items():
        for lowpass, count in (("low", kept), (None, samples)):
            along.append(AlongStack("along", filters, lowpass, rule, ()))
            rows = (filters, *outputs, count) if joint else (filters * count, *outputs)
            expected.append((B, *rows))
    run = Lattice(arrays)

    def stacked(u):
        sources = [(run.spectrum(u, bank.lines), bank)]
        return filter_stack(sources, Stack(tuple(sources), tuple(along), joint, 0), run)

    assert shapes(stacked, (paths, *size)) == expected


@every_grid
def test_products(grid):
    """Of one row, and of several, with spectra of more lines than are read, and of fewer."""
    size, _ = grid
    lines = lines_of(size)
    half = (*lines[:-1], (0, max(lines[-1][1], 1)))
    run = Lattice({"w": tf.constant(noise(2, 2, *lengths(half)))})
    wider = tuple((-((n - 1) // 2), n // 2 + 1) for n in size)
    narrow = tuple((0, 1) for _ in size)
    for kept in ([(0, 0, 0, False)], [(1, 2, 0, True), (0, 0, 0, False), (1, 1, 2, False)]):
        sources = (0, 1.0), (1, 2.0)
        gram = Gram(sources, Weights("w", half), tuple(kept), tuple(range(len(kept))), 0)

        def means(u, v, gram=gram):
            return products([(spectrum(u, wider), 1.0), (spectrum(v, narrow), 2.0)], gram, run)

        assert shapes(means, (1, *size), (2, *size)) == [(B, len(kept))]


# Volumes


@pytest.mark.parametrize("box", [(3, 4, 5), (1, 2, 6), (5, 5, 5)])
@pytest.mark.parametrize("covariant", [False, True])
def test_solids(box, covariant):
    plan = plan_harmonic3d(box, 1, 1, 0.8, 2, covariant, (1.0, 2.0))
    design = plan.design(FLOAT32)
    arrays = {name: tf.constant(array) for name, array in design.arrays.items()}
    run = Solid(arrays)
    read = lengths(design.lines)
    assert shapes(lambda u: solids.cas_transform(u, design.lines, arrays), box) == [(B, *read)]
    assert shapes(lambda u: run.spectrum(u, design.lines).planes, (1, *box)) == [(1, B, 1, *read)]
    for branch in design.branches:
        _, bank = branch.nodes[0].sources[0]
        assert bank.responses == len(SolidHarmonics.odd(len(bank.odd[0]) // 2)) or not covariant

        def responses(u, bank=bank):
            x = run.spectrum(u, design.lines)
            norm = solids.norm(x.planes[0, :, 0], x.lines, bank, arrays)
            return norm, run.modulus([(x, bank)])

        assert shapes(responses, (1, *box)) == [(B, *box), (B, 1, *box)]


# The whole cascade

PLANS = {
    "1d": ((21,), lambda: plan_scattering1d(21, 2, (2, 1), None, None, 2, "reflect")),
    "1d, list": ((9,), lambda: plan_scattering1d(9, 2, (1, 1), 0, None, 2, "zero")),
    "2d": ((5, 9), lambda: plan_scattering2d((5, 9), 2, 1, None, 1, 2, "symmetric")),
    "2d, list": ((4, 6), lambda: plan_scattering2d((4, 6), 1, 3, 0, None, 1, "periodic")),
    "3d": ((3, 4, 5), lambda: plan_harmonic3d((3, 4, 5), 1, 1, 0.8, 2, True, (0.5, 1.0, 2.0))),
}


@pytest.mark.parametrize("mode", [Mode(), Mode(matrix=True), Mode(one_thread=True)], ids=str)
@pytest.mark.parametrize(("size", "make"), PLANS.values(), ids=PLANS)
def test_coefficients(size, make, mode):
    plan = make()
    design = plan.design(FLOAT32)
    arrays = {name: tf.constant(array) for name, array in design.arrays.items()}
    cascade = functools.partial(scattering, plan, design, mode, arrays)
    if plan.stacked:
        # Of volumes the layer puts powers in front, and parts paths from degrees.
        outputs = plan.outputs[0] if len(size) < 3 else (3 * 2, 3)
        assert shapes(cascade, (1, *size)) == [(B, *outputs)]
        return
    groups = [(B, len(rows), *plan.outputs[rows[0]]) for rows in design.rows]
    assert shapes(cascade, (1, *size)) == groups
    apart = shapes(lambda x: separate(design, cascade(x)), (1, *size))
    assert apart == [(B, *output) for output in plan.outputs]
    assert math.prod(plan.meta["order"].shape) == len(apart)
