"""Metadata in Hz and seconds."""

import re

import numpy as np

from keras_scattering.plans.plan import Plan


def in_seconds(plan: Plan, rate: float) -> dict[str, np.ndarray]:
    """Metadata with columns in Hz and seconds next to those in samples.

    Args:
        plan: A plan for signals in time.
        rate: Samples per second.
    """
    table = {}
    for name, column in plan.meta.items():
        table[name] = column.copy()
        wavelets = re.fullmatch(r"(j|xi|sigma)(\d+b?)", name)  # in time, not along frequency
        if not wavelets:
            continue
        kind, order = wavelets.groups()
        if kind == "j":
            table[f"scale{order}_s"] = np.where(column < 0, np.nan, 2.0**column / rate)
        else:
            table[f"{name}_hz"] = column * rate
    table["step_s"] = np.array(plan.steps) / rate
    return table
