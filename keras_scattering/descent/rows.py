"""What the rows of a layer's output are, and how they count in a loss."""

import dataclasses
from typing import Any

import numpy as np

from keras_scattering.descent.starts import norms
from keras_scattering.filters.morlet1d import resolution, schedule
from keras_scattering.layers.base import ScatteringLayer

# Kinds of rows that carry the signal's power where a column is 0, or is as said.
_POWERS: dict[str, dict[str, int]] = {
    "variance": {},
    "power": {},
    "rectifier_variance": {},
    "low": {"t1": 0, "t2": 0},
    "high": {"t1": 0, "t2": 0},
    "S11": {"n": 0, "tau": 0},
    "L": {"p1": 1, "p2": 1},
}
_LEAST = 1e-6  # least power, next to the largest of its kind, that counts as much as that


@dataclasses.dataclass(frozen=True)
class Rows:
    """The rows of an output, flattened for each signal; K is their number."""

    kinds: tuple[str, ...]
    group: np.ndarray  # (K,): index of each row's kind
    power: np.ndarray  # (K,): whether a row carries the signal's power, so that fine scales are dim
    channel: np.ndarray  # (K,)
    coarsest: int  # the largest j of all filters
    finest: np.ndarray  # (K,): the least j of each row's filters, infinite without any

    def stages(self, schedule: str | None) -> list[np.ndarray]:
        """The rows that count in each stage, (K,): all, or more with each finer scale."""
        if schedule is None:
            return [np.ones(len(self.group), bool)]
        return [self.finest >= j for j in range(self.coarsest, -1, -1)]

    def scales(self, t: np.ndarray, s: np.ndarray, keep: np.ndarray, balanced: bool) -> np.ndarray:
        """What differences of coefficients are divided by; infinite for rows that do not count.

        Args:
            t: The wanted coefficients, (samples, K).
            s: The deviations of signals, (samples, channels).
            keep: The rows that count, (K,).
            balanced: Whether each kind counts as much as others, or each number.
        """
        scales = np.full(t.shape, np.inf)
        if not balanced:
            scales[:, keep] = _divisor(t[:, keep])
            return scales
        for i, kind in enumerate(self.kinds):
            rows = keep & (self.group == i)
            if kind == "mean":
                scales[:, rows] = s[:, self.channel[rows]] * np.sqrt(rows.sum())
            elif rows.any():
                weights = self._weights(t, rows)
                scales[:, rows] = _divisor(weights * t[:, rows]) / weights
        return scales

    def _weights(self, t: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The weights of rows of one kind: powers count by their relative error."""
        weights = np.ones((len(t), rows.sum()))
        power = self.power[rows]
        if power.any():
            sizes = np.abs(t[:, rows & self.power])
            least = _LEAST * sizes.max(1, keepdims=True)
            weights[:, power] = 1 / np.where(least > 0, np.maximum(sizes, least), 1)
        return weights


def _divisor(t: np.ndarray) -> np.ndarray:
    """The norm of each row, or 1 where it is zero."""
    found = norms(t)[:, None]
    return np.where(found > 0, found, 1.0)


def read_rows(layer: ScatteringLayer, shape: tuple[int, ...]) -> Rows:
    """The rows of a built layer for signals of a shape, by its metadata."""
    meta = layer.meta()
    count = len(next(iter(meta.values())))
    outputs = layer.compute_output_shape((1, *shape))[1:]
    if len(outputs) == 1:  # the table again for each channel, or one for the rows of all
        index = np.arange(outputs[0]) % count
        channel = np.arange(outputs[0]) // count
    else:  # (paths, degrees, powers), or with powers first
        axis = 0 if layer.data_format == "channels_last" else 1
        paths = np.arange(count).reshape([-1 if i == axis else 1 for i in range(len(outputs))])
        index = np.broadcast_to(paths, outputs).ravel()
        channel = np.zeros_like(index)
    meta = {name: column[index] for name, column in meta.items()}
    within = np.ones(len(index), bool)
    if "c1" in meta:
        channel = np.where(meta["c1"] >= 0, meta["c1"], channel)
        within = meta["c1"] == meta["c2"]
    names = meta.get("kind", np.full(len(index), "all"))
    kinds = tuple(dict.fromkeys(names.tolist()))
    j = _scales(layer, meta)
    return Rows(
        kinds=kinds,
        group=np.array([kinds.index(name) for name in names]),
        power=within & _powers(names, meta),
        channel=channel,
        coarsest=int(np.where(np.isfinite(j), j, 0).max()),
        finest=j.min(1),
    )


def _powers(names: np.ndarray, meta: dict[str, np.ndarray]) -> np.ndarray:
    """Whether each row carries the signal's power."""
    found = np.zeros(len(names), bool)
    for kind, columns in _POWERS.items():
        there = [meta[name] == value for name, value in columns.items() if name in meta]
        found |= np.all([names == kind, *there], 0)
    return found


def _scales(layer: Any, meta: dict[str, np.ndarray]) -> np.ndarray:
    """The scale j of each filter of each row, (K, filters); infinite where there is none."""
    named = [meta[name] for name in ("j1", "j2", "j3") if name in meta]
    if named:
        return np.where(np.stack(named, 1) >= 0, np.stack(named, 1), np.inf)
    if "xi1" not in meta:
        return np.full((len(meta["kind"]), 1), np.inf)
    # Moments in time name their wavelets by the centres.
    first, second = getattr(layer, "_Q", (layer.Q, layer.Q))
    columns = []
    for name, Q in (("xi1", first), ("xi1b", first), ("xi2", second)):
        if name in meta:
            j = {xi: resolution(xi, sigma) for xi, sigma in schedule(layer.J, Q)}
            columns.append([j.get(xi, np.inf) for xi in meta[name].tolist()])
    return np.array(columns, float).T
