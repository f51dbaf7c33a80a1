"""The plan of the two-dimensional scattering transform (Bruna & Mallat 2013)."""

from keras_scattering.filters import MorletBank2D
from keras_scattering.plans.image import ImagePlane
from keras_scattering.plans.plan import Domain, Plan
from keras_scattering.plans.wavelet import plan_wavelet


def plan_scattering2d(
    shape: tuple[int, int],
    J: int,
    L: int,
    T: str | int | None,
    stride: int | None,
    max_order: int,
    padding: str,
) -> Plan:
    """The plan of `Scattering2D` for images of `shape`."""
    plane = ImagePlane(shape, J, T, stride, padding)
    bank = MorletBank2D(plane.padded, J, L)
    return plan_wavelet(Domain.PLANE, lambda _: (plane, (bank, bank)), max_order)
