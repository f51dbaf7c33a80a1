"""What a process keeps of its memory from call to call."""

import platform
import subprocess
import sys

import pytest

CALLS = 10
PROGRAM = f"""
import resource

import tensorflow as tf

from keras_scattering import Scattering2D

layer = Scattering2D(J=2)
function = tf.function(lambda x: layer(x), autograph=False)
x = tf.zeros((128, 32, 32))
for _ in range(5):
    function(x)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({CALLS}):
    function(x)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a rule of glibc's")
def test_freed_memory_serves_the_next_call():
    """Else ten or twenty thousand pages of each call are new ones, a third of its time."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert int(run.stdout) / CALLS < 4000
