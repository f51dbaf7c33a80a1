"""The examples in docstrings run, and print what they say."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import keras_scattering

MODULES = [
    info.name for info in pkgutil.walk_packages(keras_scattering.__path__, "keras_scattering.")
]
PUBLIC = [
    *(getattr(keras_scattering, name) for name in keras_scattering.__all__),
    *(getattr(keras_scattering.plot, name) for name in keras_scattering.plot.__all__),
    keras_scattering.features.extract,
    keras_scattering.features.read_meta,
    keras_scattering.sklearn.ScatteringTransformer,
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_public_names_have_an_example_and_say_what_they_raise(public):
    text = inspect.getdoc(public)
    assert ">>>" in text
    assert "Raises:" in text
    assert "Args:" in text
