"""The operations that suit a signal's domain and the place where it is computed."""

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
    """The only place that asks for both the domain and the mode."""
    if domain is Domain.SOLID:
        return Solid(arrays)
    if mode.matrix:
        return MatrixLattice(arrays)
    if mode.xla:
        return CompiledLattice(arrays)
    if domain is Domain.PLANE and mode.one_thread:
        return GradientPlane(arrays) if mode.gradient else PiecewisePlane(arrays)
    return Lattice(arrays)
