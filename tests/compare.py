"""How far scattering coefficients are from those expected: as a whole, and path by path."""

from typing import NamedTuple

import numpy as np


class Tolerance(NamedTuple):
    """Of l2 norms: of all paths together, of each path, and of a path next to the whole."""

    whole: float
    path: float
    floor: float  # rounding of the whole: what may be wrong with a path that has hardly any energy


TOLERANCES = {"float64": Tolerance(1e-10, 1e-9, 1e-13), "float32": Tolerance(1e-5, 1e-5, 1e-7)}


def split_paths(outputs):
    """One array a path: of a list of them, or of one array with the paths last."""
    if isinstance(outputs, list):
        return [np.asarray(y) for y in outputs]
    return list(np.moveaxis(np.asarray(outputs), -1, 0))


def assert_close(actual, expected, tolerance):
    """Both are lists of paths, or arrays with the paths last."""
    actual, expected = split_paths(actual), split_paths(expected)
    assert [y.shape for y in actual] == [y.shape for y in expected]
    error = np.array([np.linalg.norm(a - e) for a, e in zip(actual, expected, strict=True)])
    norm = np.array([np.linalg.norm(e) for e in expected])
    whole = np.linalg.norm(norm)
    assert np.linalg.norm(error) <= tolerance.whole * whole
    excess = error - tolerance.path * norm - tolerance.floor * whole
    worst = int(np.argmax(excess))
    assert excess[worst] <= 0, (
        f"Path {worst} is off by {error[worst]:.2e}; its norm is {norm[worst]:.2e}, "
        f"that of all paths {whole:.2e}"
    )
