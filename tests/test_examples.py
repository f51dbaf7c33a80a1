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
