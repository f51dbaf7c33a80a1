"""Metadata in Hz and seconds."""

import numpy as np

from keras_scattering.plans.plan import Plan


def in_seconds(plan: Plan, rate: float) -> dict[str, np.ndarray]:
    """Metadata with columns in Hz and seconds next to those in samples.

    Args:
        plan: Of signals in time.
        rate: Samples per second.
    """
    table = {}
    for name, column in plan.meta.items():
        table[name] = column.copy()
        if name in ("j1", "j2"):
            table[f"scale{name[1]}_s"] = np.where(column < 0, np.nan, 2.0**column / rate)
        elif name in ("xi1", "sigma1", "xi2", "sigma2"):
            table[f"{name}_hz"] = column * rate
    table["step_s"] = np.array(plan.steps) / rate
    return table
