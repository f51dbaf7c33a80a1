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


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", keras_scattering.__all__)
def test_public_names_have_an_example_and_say_what_they_raise(name):
    text = inspect.getdoc(getattr(keras_scattering, name))
    assert ">>>" in text
    assert "Raises:" in text
    assert "Args:" in text
