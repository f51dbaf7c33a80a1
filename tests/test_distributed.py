"""Training on two devices comes to what training on one does."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


def assert_close(actual, wanted, name):
    # Keras averages losses in float32.
    atol = (1e-6 if name == "losses" else 1e-8) * np.abs(wanted).max()
    np.testing.assert_allclose(actual, wanted, rtol=0, atol=atol, err_msg=name)


@pytest.mark.slow
def test_two_devices_learn_what_one_does(tmp_path):
    # In a process of its own: logical devices are settled before TensorFlow does anything.
    script = Path(__file__).with_name("mirrored.py")
    command = [sys.executable, script, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "results.npz") as results:
        one = {name[4:]: results[name] for name in results if name.startswith("one_")}
        assert one["losses"][1] < one["losses"][0]
        for name, wanted in one.items():
            assert_close(results[f"two_{name}"], wanted, name)
        for name in ("saved", "exported"):
            assert_close(results[name], results["two_predictions"], name)
