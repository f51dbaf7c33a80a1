"""The plan of the one-dimensional scattering transform (Andén & Mallat 2014)."""

from keras_scattering.filters import FilterBank, MorletBank1D
from keras_scattering.plans.plan import Domain, Plan
from keras_scattering.plans.time import TimeAxis
from keras_scattering.plans.wavelet import plan_wavelet


def plan_scattering1d(
    N: int,
    J: int,
    Q: tuple[int, int],
    T: float | str | None,
    stride: int | None,
    max_order: int,
    padding: str,
) -> Plan:
    """The plan of `Scattering1D` for signals of `N` samples."""
    time = TimeAxis(N, J, T, stride, padding)

    def wavelets(axis: TimeAxis) -> tuple[FilterBank, ...]:
        return tuple(MorletBank1D(axis.samples, J, q, axis.support) for q in Q)

    def setting(threshold: float) -> tuple[TimeAxis, tuple[FilterBank, ...]]:
        axis = time.working(wavelets(time), threshold)
        return axis, wavelets(axis)

    return plan_wavelet(Domain.LINE, setting, max_order)
