"""Pictures of the coefficients of images."""

from typing import Any

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.patches import Wedge

from keras_scattering.layers.base import ScatteringLayer
from keras_scattering.plot._shared import (
    HEAT,
    ORDERS,
    axes_or_new,
    degrees,
    of_one_signal,
    plan_of,
    refuse,
)

_SIZE = 0.47  # radius of a disc among others, where neighbours are 1 apart


def discs(
    layer: ScatteringLayer,
    coefficients: Any,
    position: tuple[int, int] | str | None = None,
    axes: Any = None,
) -> Any:
    """Draw the coefficients of an image as discs: first and second order.

    A disc is the plane of spatial frequencies. Rings are scales in samples, with the finest scale
    outside. Sectors are angles. Each angle has sectors on two opposite sides, since the two have
    the same coefficients for a real image. In the second order, each first-order sector is divided
    into rings by the second scale, and into sectors by the second angle. The angle is the direction
    in which a wavelet oscillates, so an edge lights the sectors across it.

    Args:
        layer: A built layer of images with oriented wavelets, such as `Scattering2D`; of order 2
            for two discs.
        coefficients: The layer's output for one image without channels, without the batch axis:
            `(height', width', K)`, `(K, height', width')` with channels first, or `(K,)` for
            `T="global"` or `"signal"`.
        position: Row and column of the output; None for the middle. `"all"` draws a disc at each
            place of the output, without labels and colour bars.
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
    plan = plan_of(layer, "discs")
    meta = plan.meta
    if not {"j1", "angle1", "theta1"} <= meta.keys():
        raise refuse(layer, "discs", "of images, with oriented wavelets")
    y = of_one_signal(layer, plan, coefficients)
    size = y.shape[:-1]
    everywhere = isinstance(position, str) and position == "all" and len(size) == 2
    places = list(np.ndindex(size)) if everywhere else [_place(size, position)]
    axes = axes_or_new(axes, int(meta["order"].max()))
    for order, ax in enumerate(axes, start=1):
        paths = np.flatnonzero(meta["order"] == order).tolist()
        circles = [(place[::-1], _SIZE) for place in places] if everywhere else [((0, 0), 1.0)]
        wedges = [w for circle in circles for path in paths for w in _wedges(meta, path, *circle)]
        disc = PatchCollection(wedges, cmap=HEAT, edgecolor="face", linewidth=0.2)
        # The wedges on both sides have the path's value.
        disc.set_array(np.concatenate([np.repeat(y[place][paths], 2) for place in places]))
        ax.add_collection(disc)
        ax.set(title=ORDERS[order], aspect="equal")
        if everywhere:
            rows, columns = size
            ax.set(xlim=(-0.6, columns - 0.4), ylim=(rows - 0.4, -0.6), xticks=[], yticks=[])
            ax.set_facecolor("black")
        else:
            _label(ax, meta, order)
            ax.figure.colorbar(
                disc, ax=ax, label="coefficient", location="bottom", shrink=0.8, pad=0.02
            )
    return axes


def _place(size: tuple[int, ...], position: Any) -> tuple[int, ...]:
    """A position within outputs of some size; None is the middle."""
    place = tuple(n // 2 for n in size) if position is None else tuple(position)
    inside = not isinstance(position, str) and len(place) == len(size)
    if not inside or not all(0 <= i < n for i, n in zip(place, size, strict=True)):
        raise ValueError(
            f"Argument `position` must lie within outputs of shape {size}, or with several be "
            f"'all'. Received: position={position!r}"
        )
    return place


def _label(ax: Any, meta: dict[str, np.ndarray], order: int) -> None:
    """Name the rings and the sectors of one disc."""
    rings = int(meta["j1"].max()) + 1
    for angle in np.unique(meta["angle1"][meta["order"] == order]):
        across, down = np.sin(angle), np.cos(angle)
        side = "center" if abs(across) < 0.1 else "left" if across > 0 else "right"
        place = {"ha": side, "va": "top" if down > 0.5 else "center"}
        ax.text(1.05 * across, 1.05 * down, degrees(angle), fontsize="small", **place)
    ax.text(0, -1.07, "scale:", ha="right", fontsize="small")
    for j in range(rings):
        ax.text(1 - (j + 0.5) / rings, -1.07, f"{2**j}", ha="center", fontsize="small")
    ax.spines[:].set_visible(False)
    ax.set(xlim=(-1.45, 1.45), ylim=(1.25, -1.2), xticks=[], yticks=[])


def _wedges(meta: dict[str, np.ndarray], path: int, centre: Any, radius: float) -> list[Wedge]:
    """The two wedges of a path, on opposite sides of a disc."""
    rings, sectors = (int(meta[name].max()) + 1 for name in ("j1", "theta1"))
    ring, turn = radius / rings, 180 / sectors
    j1, j2, theta2 = (int(meta[name][path]) for name in ("j1", "j2", "theta2"))
    # Angles of wavelets run from the vertical axis, which points down, to the horizontal axis.
    outer, width = radius - j1 * ring, ring
    low = 90 - np.degrees(meta["angle1"][path]) - turn / 2
    if j2 >= 0:
        width, turn = ring / (rings - 1 - j1), turn / sectors
        outer, low = outer - (j2 - j1 - 1) * width, low + theta2 * turn
    return [Wedge(centre, outer, start, start + turn, width=width) for start in (low, low + 180)]
