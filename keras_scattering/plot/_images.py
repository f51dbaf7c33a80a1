"""Pictures of the coefficients of images."""

from typing import Any

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.patches import Wedge

from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.layers.scattering2d import Scattering2D
from keras_scattering.plot._shared import HEAT, axes_or_new, degrees, need, of_one_signal


def discs(
    layer: ScatteringLayer,
    coefficients: Any,
    position: tuple[int, int] | None = None,
    axes: Any = None,
) -> Any:
    """Draw the coefficients of an image at one position as discs: first and second order.

    A disc is the plane of spatial frequencies. Rings are scales, with the finest scale outside.
    Sectors are angles. Each angle has sectors on two opposite sides, since the two have the same
    coefficients for a real image. In the second order, each first-order sector is divided into
    rings by the second scale, and into sectors by the second angle. The angle is the direction in
    which a wavelet oscillates, so an edge lights the sectors across it.

    Args:
        layer: A built `Scattering2D`, of order 2 for two discs.
        coefficients: The layer's output for one image without channels, without the batch axis:
            `(height', width', K)`, `(K, height', width')` with channels first, or `(K,)` for
            `T="global"` or `"signal"`.
        position: Row and column of the output; None for the middle.
        axes: A sequence with one axes per order; None for a new figure.

    Returns:
        An array with one axes per order.

    Raises:
        ValueError: For a layer of another kind or not built, coefficients of another shape, a
            position outside of them, or the wrong number of axes.

    Example:

    >>> import numpy as np
    >>> import keras_scattering
    >>> layer = keras_scattering.Scattering2D(J=3, L=6)
    >>> (y,) = layer(np.random.default_rng(0).standard_normal((1, 32, 32)))
    >>> axes = keras_scattering.plot.discs(layer, y, position=(1, 2))
    >>> [ax.get_title() for ax in axes]
    ['first order', 'second order']

    Source: J. Bruna and S. Mallat, "Invariant Scattering Convolution Networks", 2013.
    """
    need(layer, "discs", (Scattering2D,))
    y = of_one_signal(layer, coefficients)
    size = y.shape[:-1]
    place = tuple(n // 2 for n in size) if position is None else tuple(position)
    if len(place) != len(size) or not all(0 <= i < n for i, n in zip(place, size, strict=True)):
        raise ValueError(
            f"Argument `position` must lie within outputs of shape {size}. "
            f"Received: position={position!r}"
        )
    values, meta = y[place], layer.meta()
    axes = axes_or_new(axes, layer.max_order)
    for order, ax in enumerate(axes, start=1):
        paths = np.flatnonzero(meta["order"] == order)
        # The wedges on both sides have the path's value.
        wedges = [wedge for path in paths for wedge in _wedges(layer, meta, int(path))]
        disc = PatchCollection(wedges, cmap=HEAT, edgecolor="face", linewidth=0.2)
        disc.set_array(np.repeat(values[paths], 2))
        ax.add_collection(disc)
        ax.figure.colorbar(disc, ax=ax, label="coefficient", shrink=0.8)
        for angle in np.unique(meta["angle1"][paths]):
            place = 1.12 * np.sin(angle), 1.12 * np.cos(angle)
            ax.text(*place, degrees(angle), ha="center", va="center", fontsize="small")
        ax.spines[:].set_visible(False)
        ax.set(
            title=("first order", "second order")[order - 1],
            xlim=(-1.2, 1.2),
            ylim=(1.2, -1.2),
            aspect="equal",
            xticks=1 - (np.arange(layer.J) + 0.5) / layer.J,
            xticklabels=[f"{2**j}" for j in range(layer.J)],
            yticks=[],
            xlabel=f"scale of the {'first ' * (order - 1)}wavelet, samples",
        )
    return axes


def _wedges(layer: Scattering2D, meta: dict[str, np.ndarray], path: int) -> list[Wedge]:
    """The two wedges of a path, on opposite sides of a disc of radius 1."""
    ring, turn = 1 / layer.J, 180 / layer.L
    j1, j2, theta2 = (int(meta[name][path]) for name in ("j1", "j2", "theta2"))
    # Angles of wavelets run from the vertical axis, which points down, to the horizontal axis.
    outer, low, width = 1 - j1 * ring, 90 - np.degrees(meta["angle1"][path]) - turn / 2, ring
    if j2 >= 0:
        width, turn = ring / (layer.J - 1 - j1), turn / layer.L
        outer, low = outer - (j2 - j1 - 1) * width, low + theta2 * turn
    return [Wedge((0, 0), outer, start, start + turn, width=width) for start in (low, low + 180)]
