"""Filters and plans are pure NumPy: they work where TensorFlow and Keras do not exist."""

import importlib.util
import subprocess
import sys

# The package itself imports Keras; a bare module in its place lets its parts be imported alone.
SCRIPT = """
import importlib, importlib.abc, pkgutil, sys, types

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
package = types.ModuleType("keras_scattering")
package.__path__ = sys.argv[1:]
sys.modules["keras_scattering"] = package

for name in ("filters", "plans"):
    part = importlib.import_module(f"keras_scattering.{name}")
    for module in pkgutil.walk_packages(part.__path__, f"{part.__name__}."):
        importlib.import_module(module.name)

import numpy as np
from keras_scattering.plans.scattering1d import plan_scattering1d
from keras_scattering.plans.scattering2d import plan_scattering2d

for plan in (
    plan_scattering1d(64, J=3, Q=(2, 1), T=None, stride=None, max_order=2, padding="reflect"),
    plan_scattering2d((16, 12), J=2, L=3, T=None, stride=None, max_order=2, padding="reflect"),
):
    design = plan.design(np.dtype("float64"))
    assert design.branches
    assert all(array.dtype == np.float64 for array in design.arrays.values())
    assert all(len(column) == len(plan.meta["order"]) for column in plan.meta.values())
"""


def test_filters_and_plans_work_without_tensorflow():
    package = importlib.util.find_spec("keras_scattering").submodule_search_locations
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, *package], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
