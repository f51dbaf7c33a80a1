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
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
import zlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

SERVING = Path(__file__).parents[1] / "examples" / "serving"
HAS_API = importlib.util.find_spec("tensorflow_serving") is not None
pytestmark = pytest.mark.slow  # they train and export models first
needs_api = pytest.mark.needs("tensorflow_serving")


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


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(height, width, rows=None, before=b""):
    """A black picture of one bit a pixel, or with these bytes for its rows; what is before it."""
    if rows is None:
        rows = zlib.compress(bytes(height * (1 + -(-width // 8))), 9)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    data = chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + before + header + data


def jpeg(height, width):
    """A picture of 8 × 8 whose header says that it is of another size."""
    content = tf.io.encode_jpeg(np.zeros((8, 8, 1), "uint8")).numpy()
    start = content.index(b"\xff\xc0") + 5
    return content[:start] + struct.pack(">HH", height, width) + content[start + 4 :]


def wav(frames, rate=8000, channels=1, coding=1, bits=16):
    """A sound of these bytes, and a header that says this of them."""
    frame = channels * bits // 8
    header = struct.pack("<HHIIHH", coding, channels, rate, rate * frame, frame, bits)
    body = b"WAVEfmt \x10\0\0\0" + header + b"data" + struct.pack("<I", len(frames)) + frames
    return b"RIFF" + struct.pack("<I", len(body)) + body


def assert_read(signature, content):
    assert np.isfinite(signature(content=tf.constant([content]))["scores"]).all()


def assert_refused(signature, content, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        signature(content=tf.constant([content]))


def test_what_is_no_image_is_refused(served):
    image = png(8, 8)
    for content in (b"no image", b"", image[:8], b"GIF89a" + bytes(20), b"BM" + bytes(99)):
        assert_refused(served["digits"], content, "Images must be PNG or JPEG files")
    for length in (16, 20, 24, len(image) // 2):
        assert_refused(served["digits"], image[:length], "Invalid PNG")
    assert_refused(served["digits"], b"\xff\xd8\xff\xe0", "Invalid JPEG")


def test_what_is_no_sound_is_refused(served):
    for content in (b"", b"no sound", wav(bytes(64))[:60]):
        assert_refused(served["sounds"], content, "Header mismatch|Data too short")
    # Floating point, the one coding that could bring NaN.
    nan = np.full(export.SAMPLES, np.nan, "<f4").tobytes()
    assert_refused(served["sounds"], wav(nan, coding=3, bits=32), "Bad audio format")


def test_files_beyond_the_limit_are_refused(served):
    samples = bytes(export.BYTES - len(wav(b"")))
    assert_read(served["sounds"], wav(samples))
    content = wav(samples + bytes(2))
    message = rf"Files must have at most {export.BYTES} bytes. Received:\D*{len(content)}\b"
    for signature in served.values():
        assert_refused(signature, content, message)


@pytest.mark.parametrize(
    ("height", "width"),
    [(export.SIDE + 1, 1), (1, export.SIDE + 1), (export.SIDE + 1, export.SIDE + 1)],
)
def test_images_beyond_the_limit_are_refused(served, height, width):
    """However small the file: these are images that TensorFlow reads."""
    content = png(height, width)
    assert len(content) < 2000
    assert tf.io.decode_png(content, 1).shape == (height, width, 1)
    message = f"Images must be at most {export.SIDE} pixels high and wide"
    assert_refused(served["digits"], content, rf"{message}. Received:\D*{height}\D+{width}\b")
    assert_read(served["digits"], png(min(height, export.SIDE), min(width, export.SIDE)))


def test_images_beyond_the_limit_are_not_decoded(served):
    """Else it would be the decoder that refused these, whose headers alone are whole."""
    message = f"Images must be at most {export.SIDE} pixels high and wide"
    for size in ((2**16, 1), (1, 2**16), (2**16, 2**16), (2**31 - 1, 2**31 - 1)):
        assert_refused(served["digits"], png(*size, rows=b""), message)
    for size in ((2**15, 8), (8, 2**15), (2**15, 2**15)):
        assert_refused(served["digits"], jpeg(*size), message)
    # As signed numbers these are negative. The decoder refuses them by the header.
    assert_refused(served["digits"], png(2**32 - 1, 2**32 - 1, rows=b""), "Invalid PNG")


def test_a_header_that_comes_late_is_refused(served):
    """A chunk before it would be read in its place, and TensorFlow passes over such chunks."""
    small = struct.pack(">IIBBBBB", 1, 1, 1, 0, 0, 0, 0)
    content = png(export.SIDE + 1, 1, before=chunk(b"fiLl", small))
    assert tf.io.decode_png(content, 1).shape == (export.SIDE + 1, 1, 1)
    assert_refused(served["digits"], content, "Images must be PNG or JPEG files")


@pytest.mark.parametrize("rate", [0, 1, 7999, 44100, 2**31 - 1])
def test_sounds_of_another_rate_are_refused(served, rate):
    message = rf"Sounds must have {export.RATE} samples per second. Received:\D*{rate}\b"
    assert_refused(served["sounds"], wav(bytes(64), rate), message)


@pytest.mark.parametrize("channels", [1, 2**15 - 1])
def test_sounds_without_samples_are_refused(served, channels):
    message = "Sounds must have at least one sample"
    assert_refused(served["sounds"], wav(b"", channels=channels), message)


def test_sounds_of_many_channels_take_no_more_than_what_is_in_them(written):
    """Filling up each channel of one frame would take 268 MB, for a file of 64 kB."""
    sound = export.read_sound(wav(b"\xff\x7f" * (2**15 - 1), channels=2**15 - 1))
    assert sound.shape == (export.SAMPLES,)
    np.testing.assert_allclose(sound, np.eye(1, export.SAMPLES)[0], atol=1e-4)


def test_monotony_is_read(served):
    """Black, white, silence, and the loudest: nothing that a file holds gives NaN."""
    for grey in (0, 255):
        assert_read(served["digits"], tf.io.encode_png(np.full((9, 9, 1), grey, "uint8")).numpy())
    for sample in (b"\0\0", b"\xff\x7f", b"\0\x80"):
        assert_read(served["sounds"], wav(sample * export.SAMPLES))


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
        assert request.get("signature_name", "serving_default") == "serving_default"
        content = [base64.b64decode(row["b64"], validate=True) for row in request["instances"]]
        outputs = self.server.served[name](content=tf.constant(content))
        columns = {key: y.numpy().tolist() for key, y in outputs.items()}
        columns["label"] = [label.decode() for label in columns["label"]]
        rows = zip(*columns.values(), strict=True)
        return {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def in_threads(handler):
    """The address of a server that answers by this handler."""
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield server, f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def rest_server(served):
    with in_threads(RestHandler) as (server, address):
        server.served = served
        yield address


@pytest.mark.parametrize("model", ["digits", "sounds"])
def test_rest_client(rest_server, requests, model):
    contents, expected = requests[model]
    answers = load("client_rest").predict(rest_server, model, contents)
    assert_answers([a["label"] for a in answers], [a["scores"] for a in answers], expected)


def test_rest_client_says_what_the_server_says(rest_server):
    predict = load("client_rest").predict
    with pytest.raises(RuntimeError, match="PNG or JPEG files"):
        predict(rest_server, "digits", [b"no image"])
    with pytest.raises(RuntimeError, match="Servable not found"):
        predict(rest_server, "letters", [b""])


def gives_up(client, model, *arguments):
    """What the command of a client ends in: a line on standard error, and 1 for its status."""
    with pytest.raises(SystemExit) as end:
        load(f"client_{client}").main([model, *map(str, arguments)])
    assert isinstance(end.value.code, str)
    assert len(end.value.code.splitlines()) == 1
    return end.value.code


CLIENTS = ["rest", pytest.param("grpc", marks=needs_api)]


def test_a_command_that_gives_up_shows_no_traceback(tmp_path):
    command = [sys.executable, SERVING / "client_rest.py", "digits", tmp_path / "missing.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{tmp_path / 'missing.png'} cannot be read: No such file or directory\n"


@pytest.mark.parametrize("client", CLIENTS)
def test_clients_say_that_a_file_cannot_be_read(client, tmp_path):
    missing = tmp_path / "missing.png"
    said = gives_up(client, "digits", missing)
    assert said == f"{missing} cannot be read: No such file or directory"
    assert gives_up(client, "digits", tmp_path).startswith(f"{tmp_path} cannot be read: ")


@pytest.fixture
def file(tmp_path):
    """An empty one."""
    (tmp_path / "file").touch()
    return tmp_path / "file"


@pytest.mark.parametrize("client", CLIENTS)
def test_clients_say_that_nobody_answers(client, file):
    nobody = {"rest": "http://", "grpc": ""}[client] + f"localhost:{free_port()}"
    said = gives_up(client, "digits", file, "--server", nobody)
    assert re.match(f"{nobody} does not answer: .*refused", said)


def answering(answer):
    """A server that gives this answer, bytes, to every request."""

    class Handler(RestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(answer)

    return in_threads(Handler)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, b'{"error": "No\\n\\tsuch file"}', "HTTP Error 400: Bad. No such file"),
        (400, b'{"error": "caf\xe9"}', "HTTP Error 400: Bad. caf\ufffd"),
        (502, b"<p>\nBad\xff gateway\n</p>", "HTTP Error 502: Bad. <p> Bad\ufffd gateway </p>"),
        (503, b"", "HTTP Error 503: Bad. "),
        (500, b"no" * 1000, "HTTP Error 500: Bad. " + "no" * 250),
    ],
)
def test_rest_client_says_what_is_wrong_in_a_line(status, body, said, file):
    with answering(b"HTTP/1.0 %d Bad\r\n\r\n" % status + body) as (_, address):
        assert gives_up("rest", "digits", file, "--server", address) == f"{address} says: {said}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<p>Hello</p>",
        b"\xff\xfe",
        b"[" * 100_000,
        b'"predictions"',
        b'{"outputs": []}',
        b'{"predictions": 1}',
        b'{"predictions": []}',
    ],
)
def test_rest_client_says_that_it_speaks_to_another_kind_of_server(body, file):
    with answering(b"HTTP/1.0 200 OK\r\n\r\n" + body) as (_, address):
        said = gives_up("rest", "digits", file, "--server", address)
    assert said.startswith(f"{address} does not answer as a model server does: ")


@pytest.mark.parametrize(
    "answer", [b"", b"Hello\r\n", b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n{}"]
)
def test_rest_client_says_that_an_answer_breaks_off(answer, file):
    with answering(answer) as (_, address):
        said = gives_up("rest", "digits", file, "--server", address)
    assert said.startswith(f"{address} does not answer: ")


@pytest.mark.parametrize("server", ["localhost", "localhost:8501", "http://", "http://a b"])
def test_rest_client_says_that_an_address_is_none(server, file):
    said = gives_up("rest", "digits", file, "--server", server)
    assert said.startswith(f"{server} does not answer: ")


@pytest.mark.parametrize("row", [[0.5], {"scores": [1]}, {"label": "1", "scores": []}], ids=str)
def test_rest_client_says_that_a_model_is_of_another_kind(row, file):
    body = json.dumps({"predictions": [row]}).encode()
    with answering(b"HTTP/1.0 200 OK\r\n\r\n" + body) as (_, address):
        said = gives_up("rest", "digits", file, "--server", address)
    assert said == "digits gives no label with scores for each file."


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
    import grpc
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
def test_grpc_client_says_what_is_wrong(grpc_server):
    with pytest.raises(RuntimeError, match=f"^{grpc_server} says: .*PNG or JPEG files"):
        load("client_grpc").predict(grpc_server, "digits", [b"no image"])


@needs_api
def test_grpc_client_says_that_it_speaks_to_another_kind_of_server(rest_server, file):
    server = rest_server.removeprefix("http://")
    said = gives_up("grpc", "digits", file, "--server", server)
    assert said.startswith(f"{server} does not answer: ")


@needs_api
def test_grpc_client_says_that_a_model_is_of_another_kind(grpc_server, file):
    said = gives_up("grpc", "large", file, "--server", grpc_server)
    assert said == "large gives no label with scores for each file."


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


@pytest.mark.needs("kserve")
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


@pytest.mark.needs("tensorflow_model_server")
@pytest.mark.parametrize("model", ["digits", "sounds"])
def test_tensorflow_serving_itself(written, requests, model):
    folder, _ = written
    rest, grpc = free_port(), free_port()
    command = ["tensorflow_model_server", f"--rest_api_port={rest}", f"--port={grpc}"]
    command += [f"--model_name={model}"]
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


# The page

ROOT = SERVING.parents[1]
PAGE = (ROOT / "docs" / "serving.md").read_text("utf8")
COMMANDS = re.findall(r"^(?:python|curl) (?:.*\\\n)*.*", PAGE, re.MULTILINE)


def test_the_pages_digit_is_one_of_the_bundled(served):
    content = (SERVING / "digit.png").read_bytes()
    with np.load(export.DIGITS) as data:
        image = tf.io.decode_png(content).numpy()[..., 0]
        (same,) = np.nonzero((data["images"] == image).all((1, 2)))
        assert data["labels"][same] == [4]
    assert_read(served["digits"], content)


def test_the_pages_files_are_there():
    paths = set(re.findall(r"examples/serving/[\w.]+", PAGE)) - {"examples/serving/models"}
    assert len(paths) > 4
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_the_pages_limits_are_those_of_the_graph():
    assert f"{export.SIDE:,} pixels" in PAGE
    assert f"2^{export.BYTES.bit_length() - 1} bytes" in PAGE
    assert f"{export.RATE:,} samples per second" in PAGE


@pytest.mark.parametrize("client", CLIENTS)
def test_the_pages_clients_run(client, request, monkeypatch, capsys):
    (command,) = [line for line in COMMANDS if f"client_{client}.py" in line]
    _, script, *arguments = shlex.split(command, comments=True)
    monkeypatch.chdir(ROOT)
    server = request.getfixturevalue(f"{client}_server")
    load(Path(script).stem).main([*arguments, "--server", server])
    assert re.fullmatch(r"examples/serving/digit.png: \d \(\d+\.\d%\)\n", capsys.readouterr().out)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on the PATH")
def test_the_pages_curl_runs(rest_server):
    (command,) = [line for line in COMMANDS if line.startswith("curl")]
    assert "localhost:8501/" in command
    command = command.replace("localhost:8501", rest_server.removeprefix("http://"))
    done = subprocess.run(command, shell=True, capture_output=True, check=True, cwd=ROOT)
    (prediction,) = json.loads(done.stdout)["predictions"]
    assert prediction["label"] in list("0123456789")
