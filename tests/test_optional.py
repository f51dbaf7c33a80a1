"""What is optional is not imported, nor missed, before it is used."""

import subprocess
import sys

import pytest

import keras_scattering

SCRIPT = """
import importlib.abc, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("matplotlib", "pyarrow", "sklearn"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import keras_scattering

keras_scattering.Scattering1D(J=2)
for module in ("features", "plot", "sklearn"):
    assert f"keras_scattering.{module}" not in sys.modules
    try:
        getattr(keras_scattering, module)
    except ImportError as error:
        assert f"the extra `{module}`: pip install " in str(error), error
        assert "Received: No module named" in str(error), error
    else:
        raise AssertionError(module)
"""


@pytest.mark.slow
def test_the_package_works_without_what_is_optional():
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_optional_modules_are_attributes():
    assert keras_scattering.features.__name__ == "keras_scattering.features"
    assert keras_scattering.plot.__name__ == "keras_scattering.plot"
    assert keras_scattering.sklearn.__name__ == "keras_scattering.sklearn"
    with pytest.raises(AttributeError, match="'keras_scattering' has no attribute 'plots'"):
        _ = keras_scattering.plots
