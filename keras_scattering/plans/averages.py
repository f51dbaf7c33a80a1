"""Rules for the averages at the end of paths."""

import dataclasses

from keras_scattering.plans.banks import Bank, Box


@dataclasses.dataclass(frozen=True)
class LowPass:
    """An average by real matrices, one per axis, which give the kept output samples.

    `matrices[a]` names an array (inputs, outputs). In one dimension the signal may be cut into
    several frames. An array (inputs, 3 * outputs) then maps each frame to three contributions: to
    the outputs of the frame before, of the frame itself, and of the frame after. `keep` is the
    interval of their sum that remains.
    """

    matrices: tuple[str, ...]
    frames: int = 1
    keep: tuple[int, int] = (0, 0)


@dataclasses.dataclass(frozen=True)
class SpectralLowPass:
    """An average by multiplication in Fourier, for output steps far below the support."""

    bank: Bank
    keep: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Mean:
    """The mean over a part of the grid, [start, stop) per axis."""

    keep: Box


@dataclasses.dataclass(frozen=True)
class Variance:
    """The variance over a part of the grid, [start, stop) per axis, or the mean of squares."""

    keep: Box
    centred: bool


@dataclasses.dataclass(frozen=True)
class Inner:
    """The sum over the grid of a signal times the array of this name, of the grid's size."""

    weights: str


@dataclasses.dataclass(frozen=True)
class Crop:
    """No average, only the samples of the unpadded signal, [start, stop) per axis."""

    keep: Box


@dataclasses.dataclass(frozen=True)
class Powers:
    """Sums over the grid of powers of a signal, which its filters have made of unit size.

    Small filters would make signals whose squares vanish. So filters are divided by their peaks,
    and the sums are those of `gain` times the signal.
    """

    exponents: tuple[float, ...]
    gain: float = 1.0


@dataclasses.dataclass(frozen=True)
class OfMagnitude:
    """The average of |u|, by another rule."""

    rule: "Average"


Average = LowPass | SpectralLowPass | Mean | Variance | Inner | Crop | Powers | OfMagnitude
