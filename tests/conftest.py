"""Tests of what is optional are marked, and skipped without it.

pytest                     # all that is installed
pytest -m "not slow"       # in minutes
pytest -m needs --complete # what needs more than the extra `test`, and it must be there
"""

import importlib.util
import shutil

import pytest

# What `@pytest.mark.needs` may name, a module or a program, and the extra that brings it.
EXTRAS = {
    "ai_edge_litert": "mobile",
    "arch": "programs",
    "ase": "programs",
    "hatchling": "dev",
    "jupytext": "notebooks",
    "kserve": None,
    "onnxruntime": "mobile",
    "pyright": "dev",
    "ray": "ray",
    "skimage": "programs",
    "tensorflow_model_server": None,
    "tensorflow_serving": "serving",
    "tf2onnx": "mobile",
}


PROGRAMS = {"tensorflow_model_server"}  # all others are modules; systems have a program `arch`


def is_missing(name):
    found = shutil.which(name) if name in PROGRAMS else importlib.util.find_spec(name)
    return found is None


def pytest_addoption(parser):
    parser.addoption(
        "--complete", action="store_true", help="refuse to run without all optional modules"
    )


def pytest_configure(config):
    if config.getoption("complete"):
        missing = sorted({extra for name, extra in EXTRAS.items() if extra and is_missing(name)})
        if missing:
            raise pytest.UsageError(f"--complete needs the extras {missing}")


def pytest_collection_modifyitems(items):
    for item in items:
        for name in (name for mark in item.iter_markers("needs") for name in mark.args):
            if is_missing(name):
                extra = EXTRAS[name]
                how = f': pip install -e ".[{extra}]"' if extra else ""
                item.add_marker(pytest.mark.skip(reason=f"{name} is not installed{how}"))
