"""Items that no features can be right for are bad, each by itself, and cost little."""

import os
import socket
import sys

import keras
import numpy as np
import pytest
from extracted import RATE, N, assert_stored, bad_ones, make_layer, save_npy, signals, stored
from scipy.io import wavfile

from keras_scattering.features import extract


@pytest.fixture(scope="module")
def layer():
    return make_layer()


# Names


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no file has such a name")
def test_a_name_that_is_no_text_is_bad_and_the_others_are_done(layer, tmp_path):
    good = save_npy(tmp_path, signals(2))
    name = os.fsdecode(b"\xff\xfe.npy")
    os.rename(good[1], tmp_path / name)
    bad = bad_ones(f"{tmp_path}/*.npy", layer, tmp_path / "features")
    assert bad == {name: "ValueError: the name is not valid UTF-8"}
    assert_stored(tmp_path / "features", {good[0]: layer(signals(1))[0]}, atol=1e-6)


def test_a_file_is_listed_once(layer, tmp_path):
    (tmp_path / "sounds").mkdir()
    files = save_npy(tmp_path / "sounds", signals(3))
    with pytest.raises(ValueError, match=r"an id of its own\. Received: '.*01\.npy' 2 times"):
        extract([*files, files[1]], layer, tmp_path / "features", verbose=False)
    (tmp_path / "link").symlink_to(tmp_path / "sounds")
    others = [f"{tmp_path}/sounds/./00.npy", f"{tmp_path}/link/01.npy"]
    with pytest.warns(UserWarning, match=r"2 of the files.*two names.*00\.npy and .*\./00\.npy"):
        result = extract([*files, *others], layer, tmp_path / "features", verbose=False)
    assert result.done == 5


@pytest.mark.slow
def test_a_file_of_the_folder_by_another_name_is_refused(layer, tmp_path, monkeypatch):
    """It would have a second row."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sounds").mkdir()
    (tmp_path / "link").symlink_to("sounds")
    save_npy("sounds", signals(3))
    assert extract("sounds/*.npy", layer, "features", verbose=False).done == 3
    save_npy("sounds", signals(4))  # and a new one
    for source in ("./sounds/*.npy", f"{tmp_path}/sounds/*.npy", "link/*.npy"):
        message = r"as before.*Received: 3 such files; '.*/00\.npy' is 'sounds/00\.npy' in"
        with pytest.raises(ValueError, match=message):
            extract(source, layer, "features", verbose=False)
    assert extract("sounds/*.npy", layer, "features", verbose=False) == (1, 3, {})
    # Files that the source itself names twice were warned of, and a new run may complete them.
    twice = ["sounds/00.npy", "sounds/01.npy", "link/00.npy"]
    with pytest.warns(UserWarning, match="1 of the files.*two names"):
        assert extract(twice, layer, "features", verbose=False) == (1, 2, {})


LOOPS = {
    "itself": {"a/loop": "a"},
    "above": {"a/b/loop": "."},
    "twice": {"a/one": "a", "a/two": "a"},
    "each other": {"a/b/link": "c", "c/link": "a"},
}


@pytest.mark.slow
@pytest.mark.parametrize("links", LOOPS.values(), ids=LOOPS)
def test_links_in_circles_are_refused(layer, tmp_path, links):
    for folder in ("a/b", "c", "fine"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "fine/link").symlink_to(tmp_path / "a/b")
    save_npy(tmp_path / "a/b", signals(1))
    source = f"{tmp_path}/*/**/*.npy"
    with pytest.warns(UserWarning, match="1 of the files.*two names"):
        assert extract(source, layer, tmp_path / "features", verbose=False).done == 2
    for link, target in links.items():
        (tmp_path / link).symlink_to(tmp_path / target)
    with pytest.raises(ValueError, match=r"`source` must not lead in circles.*Received: .*link"):
        extract(source, layer, tmp_path / "features", verbose=False)
    again = extract(f"{tmp_path}/a/b/*.npy", layer, tmp_path / "features", verbose=False)
    assert again == (0, 1, {})


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such files")
def test_only_regular_files_are_opened(layer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # sockets have short names
    os.mkfifo("fifo.npy")
    os.mkdir("folder.wav")
    os.symlink("/dev/zero", "device.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.npy")
        bad = bad_ones("*.*", layer, "features")
    assert bad == {
        "fifo.npy": "ValueError: it is a pipe, not a regular file",
        "folder.wav": "ValueError: it is a folder, not a regular file",
        "device.png": "ValueError: it is a device, not a regular file",
        "socket.npy": "ValueError: it is a socket, not a regular file",
    }


# Numbers


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("own", [False, True])
def test_nan_and_infinity_are_bad(layer, tmp_path, broken, own):
    x = signals(3)
    x[1, 5] = broken
    files = save_npy(tmp_path, x)
    wavfile.write(tmp_path / "03.wav", RATE, x[1])
    arguments = {"read": np.load} if own else {}
    source = files if own else [*files, f"{tmp_path}/03.wav"]
    bad = bad_ones(source, layer, tmp_path / "features", **arguments)
    assert list(bad) == (["01.npy"] if own else ["01.npy", "03.wav"])
    assert set(bad.values()) == {"ValueError: it holds NaN or infinity"}
    expected = {name: layer(x)[i] for i, name in enumerate(files) if i != 1}
    assert_stored(tmp_path / "features", expected, atol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "large"), [("float16", 1e5), ("bfloat16", 1e39), ("float32", 1e39)]
)
def test_numbers_that_become_infinite_are_bad(tmp_path, dtype, large):
    inputs = keras.Input((N,), dtype=dtype)
    model = keras.Model(inputs, keras.ops.mean(keras.ops.cast(inputs, "float32"), 1))
    x = signals(2).astype("float64")
    x[1, 5] = -large
    bad = bad_ones(save_npy(tmp_path, x), model, tmp_path / "features")
    assert bad == {"01.npy": f"ValueError: the model takes {dtype}, of which values are infinite"}


def test_masked_values_are_no_numbers(layer, tmp_path):
    files = save_npy(tmp_path, signals(2))

    def read(path):
        return np.ma.masked_array(np.load(path), [path == files[1]] + [False] * (N - 1))

    bad = bad_ones(files, layer, tmp_path / "features", read=read)
    assert bad == {"01.npy": "ValueError: some of its values are masked"}


def test_truth_values_are_no_other_numbers(tmp_path):
    inputs = keras.Input((2,), dtype="bool")
    model = keras.Model(inputs, keras.ops.cast(inputs, "float32"))
    bad = bad_ones(save_npy(tmp_path, [[0, 1], [0, 2]]), model, tmp_path / "features")
    assert list(bad) == ["01.npy"]


def test_answers_that_are_no_numbers_are_bad(tmp_path):
    inputs = keras.Input((N,))
    total = keras.ops.sum(inputs, 1)
    model = keras.Model(
        inputs, {"count": keras.ops.cast(total, "int32"), "log": keras.ops.log(total)}
    )
    x = np.abs(signals(4))
    x[2] *= -1  # NaN
    x[3] = 0  # minus infinity
    files = save_npy(tmp_path, x)
    bad = bad_ones(files, model, tmp_path / "features", batch_size=3)
    assert bad == dict.fromkeys(["02.npy", "03.npy"], "the model's answer holds NaN or infinity")
    ids, logs = stored(tmp_path / "features", "log")
    assert ids == files[:2]
    np.testing.assert_allclose(logs, np.log(x[:2].sum(1)), rtol=1e-5)
