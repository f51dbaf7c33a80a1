"""The project's files agree with one another."""

import ast
import importlib
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from conftest import EXTRAS

import keras_scattering
from keras_scattering._extras import REQUIREMENTS

ROOT = Path(__file__).parents[1]
tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
VERSION = keras_scattering.__version__
MODULES = sorted((ROOT / "keras_scattering").rglob("*.py"))
TESTS = sorted((ROOT / "tests").glob("test_*.py"))
relative = {"ids": lambda path: path.relative_to(ROOT).as_posix()}


def read(name):
    return (ROOT / name).read_text("utf8")


# Versions


def test_every_file_names_the_version_of_the_package():
    assert re.findall(r"^version: (.+)$", read("CITATION.cff"), re.MULTILINE) == [VERSION]
    assert re.findall(r"^ *version *= \{(.+)\}", read("README.md"), re.MULTILINE) == [VERSION]
    assert PROJECT["dynamic"] == ["version"]


def test_the_changelog_begins_with_the_version_or_what_comes_after_it():
    entries = re.findall(r"^## (.+)$", read("CHANGELOG.md"), re.MULTILINE)
    dated = [entry for entry in entries if entry != "Unreleased"]
    assert entries in (dated, ["Unreleased", *dated])
    assert dated[0].split(" - ")[0] == VERSION
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", entry) for entry in dated)
    assert dated == sorted(dated, key=lambda e: [int(n) for n in e.split()[0].split(".")])[::-1]


def test_the_hosted_workflow_runs_on_every_python_that_is_promised():
    promised = [
        line.split(" :: ")[-1]
        for line in PROJECT["classifiers"]
        if line.startswith("Programming Language :: Python :: 3.")
    ]
    listed = re.search(r"python: \[(.+)\]", read(".github/workflows/checks.yml"))[1]
    assert re.findall(r'"(.+?)"', listed) == promised
    assert "bash .ci/run" in read(".github/workflows/checks.yml")
    low, high = re.fullmatch(r">=(.+),<(.+)", PROJECT["requires-python"]).groups()
    assert promised[0] == low
    assert promised[-1] == f"3.{int(high.split('.')[1]) - 1}"


# Extras


def resolved(extra):
    """The requirements of an extra, through the other extras that it names."""
    for requirement in PROJECT["optional-dependencies"][extra]:
        if names := re.fullmatch(r"keras-scattering\[(.+)\]", requirement):
            for name in names[1].split(","):
                yield from resolved(name)
        else:
            yield requirement


def test_the_command_in_an_error_installs_what_the_extra_does():
    for extra, requirement in REQUIREMENTS.items():
        assert PROJECT["optional-dependencies"][extra][-1] == requirement


def test_every_bound_stands_once():
    listed = [r for extra in PROJECT["optional-dependencies"].values() for r in extra]
    names = Counter(re.match(r"[\w.-]+(\[.+\])?", requirement)[0] for requirement in listed)
    twice = {name for name, count in names.items() if count > 1 and "scattering" not in name}
    assert twice == {"ruff"}  # to lint, in one version, and to set signatures, in any


@pytest.mark.parametrize("path", MODULES, **relative)
def test_the_package_takes_nothing_private_from_others(path):
    private = [
        name.name
        for node in ast.walk(ast.parse(path.read_text("utf8")))
        if isinstance(node, ast.ImportFrom) and not node.module.startswith("keras_scattering")
        for name in node.names
        if re.search(r"(^|\.)_[^_]", f"{node.module}.{name.name}")
    ]
    assert private == []


@pytest.mark.parametrize("path", MODULES, **relative)
def test_one_helper_says_what_is_not_installed(path):
    """So that all errors name a command that works."""
    text = path.read_text("utf8")
    alone = path.stem in ("_extras", "tensorflow_internals")
    assert alone or "except ImportError" not in text
    assert alone or "pip install" not in text


# Tests


@pytest.mark.parametrize("path", TESTS, **relative)
def test_what_needs_more_than_the_extra_test_is_marked(path):
    """Or `-m needs` would forget it."""
    tree = ast.parse(path.read_text("utf8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    called = [ast.unparse(call.func) for call in calls]
    assert "pytest.importorskip" not in called
    named = {
        argument.value
        for call in calls
        if ast.unparse(call.func) == "pytest.mark.needs"
        for argument in call.args
        if isinstance(argument, ast.Constant)
    }
    assert named <= EXTRAS.keys()


def test_the_extras_of_those_marks_come_with_integration_and_dev():
    there = {*resolved("integration"), *resolved("dev")}
    for extra in set(EXTRAS.values()) - {None}:
        assert set(resolved(extra)) <= there
