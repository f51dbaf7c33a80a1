"""The choice of operations by the domain of signals and by the mode of computation."""

from collections.abc import Mapping

import tensorflow as tf

from keras_scattering.engine.lattice import (
    CompiledLattice,
    GradientPlane,
    Lattice,
    MatrixLattice,
    PiecewisePlane,
)
from keras_scattering.engine.solids import Solid
from keras_scattering.plans.plan import Domain
from keras_scattering.runtime.mode import Mode


def operations(domain: Domain, mode: Mode, arrays: Mapping[str, tf.Tensor]) -> Lattice:
    """The operations for a domain and a mode; no other place asks for both."""
    if domain is Domain.SOLID:
        return Solid(arrays)
    if mode.matrix:
        return MatrixLattice(arrays)
    if mode.xla:
        return CompiledLattice(arrays)
    if domain is Domain.PLANE and mode.one_thread:
        return GradientPlane(arrays) if mode.gradient else PiecewisePlane(arrays)
    return Lattice(arrays)
