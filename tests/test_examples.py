"""The examples run, in a reduced form, and reach what they promise."""

import importlib.util
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_digits(tmp_path):
    arguments = ["--train", "1000", "--epochs", "3", "--output-dir", str(tmp_path)]
    assert load("digits").main(arguments) > 0.9
    assert {path.name for path in tmp_path.iterdir()} == {"digits", "digits.keras", "digits.png"}


def test_molecules(tmp_path):
    arguments = ["--limit", "40", "--repeats", "1", "--output-dir", str(tmp_path)]
    errors = load("molecules").main(arguments)
    assert errors["scattering"] < errors["atom counts"]


def test_chirps(tmp_path):
    accuracies = load("chirps").main(["--count", "60", "--output-dir", str(tmp_path)])["chirps"]
    assert accuracies["joint scattering"] > 0.9
    assert accuracies["time scattering"] < 0.75
