"""The serving example: its models read files, its clients speak the server's protocols.

The models run behind servers of the test's own that speak what TensorFlow Serving speaks, and
behind TensorFlow Serving itself where `tensorflow_model_server` is installed.
"""

import base64
import concurrent.futures
import contextlib
import http.server
import importlib.util
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

SERVING = Path(__file__).parents[1] / "examples" / "serving"
MODEL_SERVER = shutil.which("tensorflow_model_server")
HAS_API = importlib.util.find_spec("tensorflow_serving") is not None
needs_api = pytest.mark.skipif(
    not HAS_API, reason='tensorflow-serving-api is not installed: pip install -e ".[serving]"'
)


def load(name):
    spec = importlib.util.spec_from_file_location(f"serving_{name}", SERVING / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


export = load("export")


def free_port():
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder of the models, and the Keras models that they were made of."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "sounds" / "6").mkdir(parents=True)  # an earlier version
    arguments = ["--output-dir", str(folder), "--train", "300", "--epochs", "3"]
    return folder, export.main([*arguments, *([] if HAS_API else ["--no-warm-up"])])


@pytest.fixture(scope="module")
def served(written):
    """What a server has of each model: its signature, and nothing else."""
    folder, _ = written
    return {
        name: tf.saved_model.load(folder / name / "7").signatures["serving_default"]
        for name in ("digits", "sounds")
    }


@pytest.fixture(scope="module")
def requests(written):
    """For each model the contents of files, and what the Keras model says of what is in them."""
    _, models = written
    images, _ = export.digits(5, np.random.default_rng(1))
    sounds, _ = export.sounds(4, np.random.default_rng(1))
    sounds = np.round(sounds * 2**15) / 2**15  # as a wav file holds it
    pixels = np.round(images[..., None] * 255).astype("uint8")
    contents = {
        "digits": [tf.io.encode_png(image).numpy() for image in pixels],
        "sounds": [tf.audio.encode_wav(x[:, None], export.RATE).numpy() for x in sounds],
    }
    inputs = {"digits": images, "sounds": sounds}
    return {name: (contents[name], np.asarray(models[name](inputs[name]))) for name in models}


def assert_answers(labels, scores, expected):
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    names = ["falls", "rises"] if expected.shape[1] == 2 else list("0123456789")
    assert list(labels) == [names[i] for i in expected.argmax(1)]


# The models


def test_versions_follow_each_other_and_none_is_written_over(written, capsys):
    folder, _ = written
    names = {path.relative_to(folder).as_posix() for path in folder.glob("*/*")}
    assert names == {"digits/7", "sounds/6", "sounds/7"}  # no part is left
    with pytest.raises(SystemExit):
        export.main(["--output-dir", str(folder), "--version", "7"])
    assert "has a version 7" in capsys.readouterr().err


def test_a_jpeg_a_colour_picture_and_another_size_are_read(served, requests):
    (content, *_), expected = requests["digits"]
    pixels = tf.io.decode_png(content)
    large = tf.cast(tf.image.resize(pixels, (84, 84), "nearest"), tf.uint8)
    files = [
        tf.io.encode_jpeg(pixels, quality=100),
        tf.io.encode_png(tf.image.grayscale_to_rgb(pixels)),
        tf.io.encode_png(large),
    ]
    scores = served["digits"](content=tf.stack(files))["scores"]
    np.testing.assert_allclose(scores, np.repeat(expected[:1], 3, 0), atol=0.05)


def test_a_short_sound_a_long_one_and_stereo_are_read(served, requests):
    (content, *_), expected = requests["sounds"]
    sound, _ = tf.audio.decode_wav(content)
    files = [
        tf.audio.encode_wav(tf.repeat(sound, 2, 1), export.RATE),
        tf.audio.encode_wav(tf.concat([sound, 0 * sound], 0), export.RATE),
    ]
    scores = served["sounds"](content=tf.stack(files))["scores"]
    np.testing.assert_allclose(scores, np.repeat(expected[:1], 2, 0), atol=1e-5)
    short = tf.audio.encode_wav(sound[: export.SAMPLES // 2], export.RATE)
    assert np.isfinite(served["sounds"](content=short[None])["scores"]).all()


def test_what_cannot_be_read_is_refused(served):
    with pytest.raises(tf.errors.InvalidArgumentError, match="Unknown image file format"):
        served["digits"](content=tf.constant(["no image"]))
    wrong_rate = tf.audio.encode_wav(np.zeros((9, 1), "float32"), 44100)
    with pytest.raises(tf.errors.InvalidArgumentError, match="8000 samples a second"):
        served["sounds"](content=wrong_rate[None])


@needs_api
def test_warm_up_requests_are_answered(written, served):
    from tensorflow_serving.apis import prediction_log_pb2

    folder, _ = written
    for name, signature in served.items():
        path = folder / name / "7" / "assets.extra" / "tf_serving_warmup_requests"
        batches = []
        for record in tf.data.TFRecordDataset(str(path)):
            log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
            request = log.predict_log.request
            assert request.model_spec.name == name
            assert request.model_spec.signature_name == "serving_default"
            content = tf.make_ndarray(request.inputs["content"])
            assert np.isfinite(signature(content=tf.constant(content))["scores"]).all()
            batches.append(len(content))
        assert tuple(batches) == export.WARM_UP


# REST


class RestHandler(http.server.BaseHTTPRequestHandler):
    """The part of TensorFlow Serving's REST protocol that is about predictions, in rows."""

    def do_POST(self):
        try:
            status, answer = 200, self.predict()
        except tf.errors.InvalidArgumentError as error:
            status, answer = 400, {"error": error.message}
        except KeyError as error:
            status, answer = 404, {"error": f"Servable not found: {error}"}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def predict(self):
        (name,) = re.fullmatch(r"/v1/models/(\w+):predict", self.path).groups()
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert request["signature_name"] == "serving_default"
        content = [base64.b64decode(row["b64"], validate=True) for row in request["instances"]]
        outputs = self.server.served[name](content=tf.constant(content))
        columns = {key: y.numpy().tolist() for key, y in outputs.items()}
        columns["label"] = [label.decode() for label in columns["label"]]
        rows = zip(*columns.values(), strict=True)
        return {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def rest_server(served):
    with http.server.ThreadingHTTPServer(("localhost", 0), RestHandler) as server:
        server.served = served
        threading.Thread(target=server.serve_forever).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("model", ["digits", "sounds"])
def test_rest_client(rest_server, requests, model):
    contents, expected = requests[model]
    answers = load("client_rest").predict(rest_server, model, contents)
    assert_answers([a["label"] for a in answers], [a["scores"] for a in answers], expected)


def test_rest_client_says_what_the_server_says(rest_server):
    predict = load("client_rest").predict
    with pytest.raises(RuntimeError, match="Unknown image file format"):
        predict(rest_server, "digits", [b"no image"])
    with pytest.raises(RuntimeError, match="Servable not found"):
        predict(rest_server, "letters", [b""])


def test_rest_client_says_that_nobody_answers(tmp_path):
    file = tmp_path / "file"
    file.touch()
    nobody = f"http://localhost:{free_port()}"
    with pytest.raises(SystemExit, match=f"^{nobody} does not answer: .*refused"):
        load("client_rest").main(["digits", str(file), "--server", nobody])


def test_rest_client_prints_a_line_a_file(rest_server, requests, tmp_path, capsys):
    (content, *_), expected = requests["digits"]
    file = tmp_path / "digit.png"
    file.write_bytes(content)
    load("client_rest").main(["digits", str(file), "--server", rest_server])
    wanted = f"{file}: {expected[0].argmax()} ({expected[0].max():.1%})\n"
    assert capsys.readouterr().out == wanted


# gRPC


@pytest.fixture(scope="module")
def grpc_server(served):
    """The service of TensorFlow Serving with its own messages. `large` answers with 5 MB."""
    grpc = pytest.importorskip("grpc")
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            response = predict_pb2.PredictResponse()
            response.model_spec.CopyFrom(request.model_spec)
            content = tf.constant(tf.make_ndarray(request.inputs["content"]))
            if request.model_spec.name == "large":
                outputs = {"echo": tf.fill((5 * 2**18,), 1.0)}
            else:
                outputs = served[request.model_spec.name](content=content)
            for key, y in outputs.items():
                response.outputs[key].CopyFrom(tf.make_tensor_proto(y.numpy()))
            return response

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield f"localhost:{port}"
    server.stop(None).wait()


@needs_api
@pytest.mark.parametrize("model", ["digits", "sounds"])
def test_grpc_client(grpc_server, requests, model):
    contents, expected = requests[model]
    answers = load("client_grpc").predict(grpc_server, model, contents)
    assert_answers([label.decode() for label in answers["label"]], answers["scores"], expected)


@needs_api
def test_grpc_client_takes_answers_above_4_mb(grpc_server):
    answers = load("client_grpc").predict(grpc_server, "large", [b""])
    assert answers["echo"].nbytes > 4 * 2**20
    assert (answers["echo"] == 1).all()


@needs_api
def test_grpc_client_says_what_is_wrong(grpc_server, tmp_path):
    with pytest.raises(RuntimeError, match=f"(?s)^{grpc_server} says: .*Unknown image file format"):
        load("client_grpc").predict(grpc_server, "digits", [b"no image"])
    file = tmp_path / "file"
    file.touch()
    nobody = f"localhost:{free_port()}"
    with pytest.raises(SystemExit, match=f"^{nobody} says: UNAVAILABLE, "):
        load("client_grpc").main(["digits", str(file), "--server", nobody])


@needs_api
def test_grpc_client_prints_a_line_a_file(grpc_server, requests, tmp_path, capsys):
    (content, *_), expected = requests["sounds"]
    file = tmp_path / "sound.wav"
    file.write_bytes(content)
    load("client_grpc").main(["sounds", str(file), "--server", grpc_server])
    label = ["falls", "rises"][expected[0].argmax()]
    assert capsys.readouterr().out == f"{file}: {label} ({expected[0].max():.1%})\n"


# KServe, a server of the same REST protocol


def until_it_answers(server, url, wanted):
    """Wait for a process that serves to say of itself what it says when it is ready."""
    for _ in range(240):
        assert server.poll() is None
        with contextlib.suppress(OSError), urllib.request.urlopen(url) as response:
            if wanted in response.read():
                return
        time.sleep(0.5)
    raise AssertionError(f"No {wanted} from {url} in two minutes.")


@pytest.mark.skipif(
    importlib.util.find_spec("kserve") is None, reason="kserve is not installed: pip install kserve"
)
def test_kserve(written, requests):
    folder, _ = written
    port = free_port()
    script = Path(__file__).with_name("serve_kserve.py")
    command = [sys.executable, script, str(port)]
    command += [folder / name / "7" for name in ("digits", "sounds")]
    predict, url = load("client_rest").predict, f"http://localhost:{port}"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            until_it_answers(server, f"{url}/v1/models", b"sounds")
            for name, (contents, expected) in requests.items():
                answers = predict(url, name, contents)
                assert_answers(
                    [a["label"] for a in answers], [a["scores"] for a in answers], expected
                )
            with pytest.raises(RuntimeError, match="letters"):
                predict(url, "letters", [b""])
        finally:
            server.terminate()


# The server's own settings


@needs_api
def test_the_server_is_told_of_both_models():
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    config = text_format.Parse(
        (SERVING / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    paths = {model.name: model.base_path for model in config.model_config_list.config}
    assert paths == {"digits": "/models/digits", "sounds": "/models/sounds"}


def test_the_server_batches_what_is_warmed_up():
    (largest,) = re.findall(
        r"max_batch_size \{ value: (\d+) \}", (SERVING / "batching.config").read_text()
    )
    assert int(largest) == max(export.WARM_UP)


@pytest.mark.skipif(
    MODEL_SERVER is None, reason="TensorFlow Serving's tensorflow_model_server is not on the PATH"
)
@pytest.mark.parametrize("model", ["digits", "sounds"])
def test_tensorflow_serving_itself(written, requests, model):
    folder, _ = written
    rest, grpc = free_port(), free_port()
    command = [MODEL_SERVER, f"--rest_api_port={rest}", f"--port={grpc}", f"--model_name={model}"]
    command += [f"--model_base_path={folder / model}", "--enable_batching=true"]
    command += [f"--batching_parameters_file={SERVING / 'batching.config'}"]
    contents, expected = requests[model]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            until_it_answers(server, f"http://localhost:{rest}/v1/models/{model}", b"AVAILABLE")
            answers = load("client_rest").predict(f"http://localhost:{rest}", model, contents)
            assert_answers([a["label"] for a in answers], [a["scores"] for a in answers], expected)
            if HAS_API:
                answers = load("client_grpc").predict(f"localhost:{grpc}", model, contents)
                labels = [label.decode() for label in answers["label"]]
                assert_answers(labels, answers["scores"], expected)
        finally:
            server.terminate()
