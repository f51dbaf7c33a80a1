"""Features of many files: right, whole, and each once, whatever happens."""

import logging
import os
import signal
import sys
import threading
import time

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from extracted import RATE, N, assert_stored, make_layer, save_npy, signals, stored
from scipy.io import wavfile

from keras_scattering import HarmonicScattering3D, Scattering1D, Scattering2D
from keras_scattering.features import Extracted, extract, read_meta
from keras_scattering.features.folder import taken
from keras_scattering.features.items import Reader
from keras_scattering.features.models import load
from keras_scattering.features.parts import Extractor, Job
from keras_scattering.features.schemas import schema


@pytest.fixture(scope="module")
def layer():
    return make_layer()


def test_sounds_and_arrays(layer, tmp_path, capsys):
    (x,) = signals(1)
    x = np.round(x * 128) / 128  # as 8 bits hold it
    sounds = {
        "float.wav": x,
        "bits8.wav": (x * 128 + 128).astype("uint8"),
        "bits16.WAV": (x * 2**15).astype("int16"),
        "bits32.wav": (x.astype("float64") * 2**31).astype("int32"),
        "mono.wav": x[:, None],
    }
    for name, samples in sounds.items():
        wavfile.write(tmp_path / name, RATE, samples)
    np.save(tmp_path / "row.npy", x[None].astype("float64"))
    result = extract(
        f"{tmp_path}/**/*.*", layer, tmp_path / "features", batch_size=4, sampling_rate=RATE
    )
    assert result == Extracted(done=6, skipped=0, bad={})
    assert "6/6" in capsys.readouterr().out  # the progress bar
    expected = layer(x[None])[0]
    files = {str(tmp_path / name): expected for name in (*sounds, "row.npy")}
    assert_stored(tmp_path / "features", files, atol=1e-6)
    meta = pd.DataFrame(read_meta(tmp_path / "features"))
    pd.testing.assert_frame_equal(meta, pd.DataFrame(layer.meta(RATE)))


def test_images(tmp_path):
    gray = np.add.outer(16 * np.arange(8), 12 * np.arange(9)).astype("uint8")[..., None]
    rgb = np.repeat(gray, 3, 2)
    contents = {
        "gray.png": tf.io.encode_png(gray),
        "rgb.PNG": tf.io.encode_png(rgb),
        "gray.jpeg": tf.io.encode_jpeg(gray),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content.numpy())
    files = [str(tmp_path / name) for name in contents]
    jpeg = tf.io.decode_jpeg(contents["gray.jpeg"]).numpy()  # which has lost a little
    for channels, images in (
        ((), [gray[..., 0], gray[..., 0], jpeg[..., 0]]),
        ((3,), [rgb, rgb, np.repeat(jpeg, 3, 2)]),
    ):
        layer = Scattering2D(J=1, L=2)
        layer.build((None, 8, 9, *channels))
        folder = tmp_path / f"features {channels}"
        assert extract(files, layer, folder, verbose=False) == Extracted(3, 0, {})
        expected = dict(zip(files, layer(np.stack(images)), strict=True))
        assert_stored(folder, expected, atol=1.0)  # a step of grey


def test_bad_files_are_named_and_the_others_done(layer, tmp_path):
    good = save_npy(tmp_path, signals(3))
    x = signals(1)[0]
    wavfile.write(tmp_path / "cut.wav", RATE, np.tile(x, 2))
    # The header promises more than there is, which is as much as the layer takes.
    content = (tmp_path / "cut.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[: -4 * N])
    wavfile.write(tmp_path / "rate.wav", RATE // 2, x)
    wavfile.write(tmp_path / "stereo.wav", RATE, np.stack([x, x], 1))
    np.save(tmp_path / "short.npy", x[1:])
    np.save(tmp_path / "rank.npy", x.reshape(8, 8))
    np.save(tmp_path / "complex.npy", x.astype("complex64"))
    np.save(tmp_path / "pickle.npy", np.array([{}], object), allow_pickle=True)
    (tmp_path / "half.npy").write_bytes((tmp_path / "short.npy").read_bytes()[:-9])
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "notes.txt").touch()
    fit = "a function `read` can crop, pad or resize it"
    reasons = {
        "cut.wav": "ValueError: it ends early: chunk 'data' should have 512 bytes",
        "rate.wav": "4000 samples per second, not 8000",
        "stereo.wav": f"the model takes shape (64,), not (64, 2); {fit}",
        "short.npy": f"the model takes shape (64,), not (63,); {fit}",
        "rank.npy": f"the model takes shape (64,), not (8, 8); {fit}",
        "complex.npy": "not complex64",
        "pickle.npy": "allow_pickle",
        "half.npy": "ValueError",
        "text.png": "ValueError: it is no BMP, GIF, JPEG or PNG image",
        "empty.wav": "ValueError",
        "notes.txt": "must end in .npy, .wav",
        "missing.npy": "FileNotFoundError",
    }
    names = [str(tmp_path / name) for name in reasons]
    source = [*names[:6], *good, *names[6:]]
    with pytest.warns(UserWarning, match=r"12 of the items could not be read.*cut\.wav \(Val"):
        result = extract(
            source, layer, tmp_path / "features", batch_size=2, sampling_rate=RATE, verbose=False
        )
    assert result.done == 3
    assert list(result.bad) == names
    for name, reason in reasons.items():
        assert reason in result.bad[str(tmp_path / name)]
    expected = dict(zip(good, layer(signals(3)), strict=True))
    assert_stored(tmp_path / "features", expected, atol=1e-6)
    # A repaired file is missing, and nothing else.
    wavfile.write(tmp_path / "cut.wav", RATE, x)
    again = extract([*good, names[0]], layer, tmp_path / "features", verbose=False)
    assert again == Extracted(done=1, skipped=3, bad={})
    assert_stored(tmp_path / "features", {**expected, names[0]: layer(x[None])[0]}, atol=1e-6)


def test_a_second_run_does_what_is_missing(layer, tmp_path):
    files = save_npy(tmp_path, signals(11))
    expected = dict(zip(files, layer(signals(11)), strict=True))
    seen = []

    def read(path):
        seen.append(path)
        if len(seen) == 8:
            raise KeyboardInterrupt
        return np.load(path)

    def run():
        return extract(files, layer, folder, read=read, batch_size=1, part_size=3, verbose=False)

    folder = tmp_path / "features"
    with pytest.raises(KeyboardInterrupt):
        run()
    (folder / ".part-killed.parquet.0").touch()  # what a killed process leaves behind
    assert_stored(folder, {name: expected[name] for name in files[:6]}, atol=1e-6)
    assert run() == Extracted(done=5, skipped=6, bad={})
    assert sorted(seen[8:]) == files[6:]
    assert_stored(folder, expected, atol=1e-6)
    assert all(path.match("part-*.parquet") for path in folder.iterdir())
    assert run() == Extracted(done=0, skipped=11, bad={})
    assert len(seen) == 8 + 5


def test_a_block_done_twice_is_there_once(layer, tmp_path):
    items = list(zip(save_npy(tmp_path, signals(3)), signals(3), strict=True))
    loaded = load(layer)
    reader = Reader(loaded.shape, loaded.dtype)
    folder = tmp_path / "features"
    with taken(folder) as scratch:
        job = Job(layer, reader, schema(loaded, None), folder, scratch, 2)
        extractor = Extractor(job, loaded)
        assert extractor.write(items) == extractor.write(items) == (3, {})
    expected = dict(zip([name for name, _ in items], layer(signals(3)), strict=True))
    assert_stored(folder, expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"id of its own\. Received: 'b' 2 times"):
        extractor.write([("a", signals(1)), ("b", signals(1)), ("b", signals(1))])


@pytest.mark.slow
def test_all_forms_of_a_model_give_the_same(layer, tmp_path):
    files = save_npy(tmp_path, signals(5))
    inputs = keras.Input((N,))
    model = keras.Model(inputs, Scattering1D(J=3, Q=2)(inputs))
    model.save(tmp_path / "model.keras")
    model.export(tmp_path / "exported", format="tf_saved_model", verbose=False)
    expected = dict(zip(files, layer(signals(5)), strict=True))
    for number, form in enumerate((model, tmp_path / "model.keras", str(tmp_path / "exported"))):
        folder = tmp_path / str(number)
        extract(files, form, folder, batch_size=2, verbose=False)
        assert_stored(folder, expected, atol=1e-6)
        # The folder knows the layer by what it answers.
        assert extract(files, layer, folder, verbose=False) == Extracted(0, 5, {})
    assert read_meta(tmp_path / "2") == {}  # a SavedModel says nothing of paths
    extract(files, tmp_path / "exported", tmp_path / "3", meta=layer.meta(), verbose=False)
    assert read_meta(tmp_path / "3").keys() == layer.meta().keys()


@pytest.mark.slow
def test_features_made_otherwise_are_refused_with_what_differs(layer, tmp_path):
    files = save_npy(tmp_path, signals(1))
    folder = tmp_path / "features"
    extract(files, layer, folder, sampling_rate=8000, verbose=False)

    def assert_refused(differs, model=layer, **arguments):
        message = rf"`folder` must not have features made otherwise.*, with part-.*: {differs}$"
        with pytest.raises(ValueError, match=message):
            extract(files, model, folder, verbose=False, **arguments)

    other = Scattering1D(J=3, Q=2, padding="zero")  # of the same shapes and paths
    other.build((None, N))
    assert_refused("it is of another model, or of other settings", other)
    rate = "its sampling rate is 8000 and not 4000"
    assert_refused(rate, sampling_rate=4000)
    assert_refused(
        f"it is of another model, or of other settings; {rate}", other, sampling_rate=4000
    )
    numbers = layer.meta()
    numbers["order"][-1] = 7
    assert_refused("its metadata have other values in 'order'", meta=numbers)
    assert_refused(
        "its metadata have other values in 'j1', 'order'", meta={"order": [7], "j1": [1]}
    )
    double = Scattering1D(J=3, Q=2, dtype="float64")
    double.build((None, N))
    assert_refused(r"its columns are coefficients \(8, 12\) float32 and not .* float64", double)
    several = Scattering1D(J=1, T=0)
    several.build((None, N))
    assert_refused("its columns are coefficients .* and not coefficients_0 .*, coeff.*", several)
    # With no metadata, or none of the rate, the features are the same.
    assert extract(files, layer, folder, verbose=False) == Extracted(0, 1, {})


def test_models_that_saturate_are_told_apart(tmp_path):
    files = save_npy(tmp_path, signals(1))
    for seed in range(5):
        keras.utils.set_random_seed(seed)
        model = keras.Sequential([keras.Input((N,)), keras.layers.Dense(1, "tanh")])
        if seed == 0:
            extract(files, model, tmp_path / "features", verbose=False)
            continue
        with pytest.raises(ValueError, match="it is of another model, or of other settings"):
            extract(files, model, tmp_path / "features", verbose=False)


def test_a_folder_of_something_else_is_refused(layer, tmp_path):
    files = save_npy(tmp_path, signals(1))
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "part-0.parquet")
    with pytest.raises(ValueError, match="Parquet files of something else"):
        extract(files, layer, tmp_path, verbose=False)


def test_numbers_that_are_no_integers_are_bad_for_models_of_integers(tmp_path):
    files = save_npy(tmp_path, np.array([[1, 2], [-1.5, 300]]))
    model = keras.Sequential([keras.Input((2,), dtype="uint8"), keras.layers.Rescaling(1.0)])
    with pytest.warns(UserWarning, match="no such integers"):
        result = extract(files, model, tmp_path / "features", verbose=False)
    assert (result.done, list(result.bad)) == (1, files[1:])


def test_several_outputs_and_other_types(tmp_path):
    (name,) = save_npy(tmp_path, signals(1))
    layer = Scattering1D(J=1, T=0, dtype="float64")
    layer.build((None, N))
    extract([name], layer, tmp_path / "list", verbose=False)
    outputs = layer(signals(1))
    for i, y in enumerate(outputs):
        _, (stored_y,) = stored(tmp_path / "list", f"coefficients_{i}")
        assert stored_y.dtype == np.float64
        np.testing.assert_allclose(stored_y, y[0], atol=1e-12)
    inputs = keras.Input((N,))
    half = Scattering1D(J=2, T="global", dtype="mixed_bfloat16")(inputs)
    outputs = {"mean": keras.ops.mean(half, 1), "paths": half}  # one number, and some
    extract([name], keras.Model(inputs, outputs), tmp_path / "dict", verbose=False)
    _, mean = stored(tmp_path / "dict", "mean")
    _, paths = stored(tmp_path / "dict", "paths")
    assert mean.shape == (1,)
    assert paths.dtype == np.float32
    np.testing.assert_allclose(paths.mean(1), mean, rtol=0.02)


def test_metadata_with_missing_values_comes_back(tmp_path):
    layer = HarmonicScattering3D(J=1, L=1)
    layer.build((None, 4, 4, 4))
    files = save_npy(tmp_path, np.zeros((1, 4, 4, 4)))
    table = {**layer.meta(), "label": ["a"] * len(layer.meta()["order"]), "x": np.nan}
    table = pd.DataFrame(table)
    extract(files, layer, tmp_path / "features", meta=table, verbose=False)
    back = pd.DataFrame(read_meta(tmp_path / "features"))
    pd.testing.assert_frame_equal(back, table, check_dtype=False)
    assert back["order"].dtype == table["order"].dtype


def test_metadata_are_those_of_the_columns(layer, tmp_path):
    """A model that drops paths, or mixes them, has none of its layer's."""
    files = save_npy(tmp_path, signals(1))
    inputs = keras.Input((N,))
    y = layer(inputs)
    rows = len(layer.meta()["order"])
    models = {
        "kept": (keras.layers.GlobalAveragePooling1D()(keras.ops.log(y + 1)), rows),
        "dropped": (y[..., 1:], 0),
        "mixed": (keras.layers.Dense(3)(keras.layers.Flatten()(y)), 0),
    }
    for name, (outputs, count) in models.items():
        folder = tmp_path / name
        extract(files, keras.Model(inputs, outputs), folder, verbose=False)
        assert len(read_meta(folder).get("order", [])) == count


def test_errors(layer, tmp_path):
    for meta in ([1], {"a": [1, 2], "b": [1]}):
        with pytest.raises(ValueError, match="`meta` must be a dictionary of columns"):
            extract(["a.npy"], layer, tmp_path / "features", meta=meta)
    with pytest.raises(ValueError, match="`read` must be a function"):
        extract(["a.npy"], layer, tmp_path / "features", read="a")
    with pytest.raises(ValueError, match="`source` must be a glob"):
        extract([np.zeros(N)], layer, tmp_path / "features")
    with pytest.raises(ValueError, match="`path` must be of extracted features"):
        read_meta(tmp_path / "nothing")
    files = save_npy(tmp_path, signals(1))

    def refused(match, source=files, model=layer, **arguments):
        with pytest.raises(ValueError, match=match) as error:
            extract(source, model, tmp_path / "features", verbose=False, **arguments)
        assert "Received: " in str(error.value)

    refused("`source` must name some files", f"{tmp_path}/*.wav")
    refused("`source` must name some files", [])
    refused("`source` must be a glob", 3)
    refused("`batch_size`", batch_size=0)
    refused("`part_size`", part_size=0)
    refused("`actors`", actors=0)
    refused("`sampling_rate`", sampling_rate=-1)
    refused("needs a built layer", model=Scattering1D(J=3))
    refused("`model` must be a built scattering layer", model=keras.layers.Dense(3))
    inputs = keras.Input((None, 1))
    average = keras.layers.GlobalAveragePooling1D()(inputs)
    refused("of one known size", model=keras.Model(inputs, average))
    inputs = keras.Input(batch_shape=(2, N))
    refused("batches of any length", model=keras.Model(inputs, Scattering1D(J=2)(inputs)))
    with pytest.raises(ValueError, match="`path` must be of extracted features"):
        read_meta(tmp_path)  # which has none


def test_without_ray_it_says_what_to_install(layer, tmp_path, monkeypatch):
    files = save_npy(tmp_path, signals(1))
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(ImportError, match=r'`actors` .* extra `ray`: pip install "ray\[data\]>='):
        extract(files, layer, tmp_path / "features", actors=1, verbose=False)


@pytest.mark.slow
@pytest.mark.needs("ray")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own, of its settings
def test_on_ray_a_killed_actor_loses_and_duplicates_nothing(layer, tmp_path, monkeypatch):
    import ray.data

    files = save_npy(tmp_path, signals(41))
    np.save(files[7], signals(1)[0, 1:])  # bad, and stays so
    with pytest.warns(UserWarning, match="1 of the items could not be read"):
        alone = extract(files, layer, tmp_path / "alone", verbose=False)
    folder, pid, victim = tmp_path / "features", tmp_path / "pid", files[21]

    def read(path):
        if path == victim and not pid.exists():
            pid.with_suffix(".new").write_text(str(os.getpid()))
            os.rename(pid.with_suffix(".new"), pid)
            time.sleep(600)  # until it is killed
        return np.load(path)

    def kill():
        while not pid.exists():
            time.sleep(0.05)
        os.kill(int(pid.read_text()), signal.SIGKILL)

    for name, value in {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}.items():
        monkeypatch.setenv(name, value)
    threading.Thread(target=kill, daemon=True).start()
    with ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
    ):
        # In batches of one, so that the actor has begun to write when it dies.
        with pytest.warns(UserWarning, match="1 of the items could not be read"):
            result = extract(
                files,
                layer,
                folder,
                read=read,
                batch_size=1,
                part_size=4,
                actors=2,
                verbose=False,
            )
        assert pid.exists()
        assert result == alone == Extracted(40, 0, {files[7]: alone.bad[files[7]]})
        expected = dict(zip(*stored(tmp_path / "alone"), strict=True))
        assert len(expected) == 40
        assert_stored(folder, expected, atol=1e-6)
        assert all(path.match("part-*.parquet") for path in folder.iterdir())

        # A second run, of a dataset that has all of these, three more, and a bad one.
        more = [f"more {i}" for i in range(3)]
        rows = [{"id": name, "signal": x} for name, x in zip(files, signals(41), strict=True)]
        rows += [{"id": name, "signal": x} for name, x in zip(more, signals(3), strict=True)]
        rows += [{"id": "short", "signal": signals(1)[0, :5]}]
        with pytest.warns(UserWarning, match="1 of the items could not be read.*short"):
            result = extract(ray.data.from_items(rows), layer, folder, verbose=False)
        assert result.done == 4  # with the one whose file was bad
        assert result.skipped == 40
        new = dict(zip([files[7], *more], layer(signals(41)).numpy()[[7, 0, 1, 2]], strict=True))
        assert_stored(folder, {**expected, **new}, atol=1e-6)
