"""Write two models for TensorFlow Serving that take what clients have: image and sound files.

    python examples/serving/export.py

`digits` reads PNG or JPEG files, `sounds` wav files and says whether a sound rises or falls. Both
are versioned SavedModels, models/<name>/<version>, with requests to warm them up.
"""

import argparse
import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_scattering import Scattering1D, Scattering2D

HERE = Path(__file__).parent
DIGITS = HERE.parent / "data" / "mnist_5k.npz"
SIZE = (28, 28)  # of an image
RATE, SAMPLES = 8000, 2048  # of a sound
BYTES, SIDE = 2**20, 2048  # of a file, and pixels of an image on a side, at most
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"  # how such a file begins, up to the image's size
HELD_OUT = 500
WARM_UP = (1, 32)  # requests of one file, and of the most that the server puts together


def digits(count, rng):
    """Images in [0, 1], drawn from the bundled digits, and what they show."""
    with np.load(DIGITS) as data:
        chosen = rng.permutation(len(data["images"]))[:count]
        return data["images"][chosen].astype("float32") / 255, data["labels"][chosen]


def sounds(count, rng):
    """Sweeps over an octave or more in noise; every second one (class 1) rises."""
    rises = np.arange(count) % 2
    octaves = rng.uniform(1, 3, count) * np.where(rises, 1, -1)
    t = np.linspace(-0.5, 0.5, SAMPLES)
    frequency = rng.uniform(400, 800, (count, 1)) * 2 ** (octaves[:, None] * t)
    x = np.hanning(SAMPLES) * np.sin(2 * np.pi * np.cumsum(frequency, axis=1) / RATE)
    return (0.5 * x + 0.02 * rng.standard_normal(x.shape)).astype("float32"), rises


def require(condition, message, *received):
    """A context for what is computed where the condition holds, and refused elsewhere."""
    data = [f"{message} Received:" if received else message, *received]
    return tf.control_dependencies([tf.debugging.Assert(condition, data)])


def png_size(content):
    """Height and width of a PNG image: its header has them first, the width before the height."""
    size = tf.strings.substr(content, len(PNG), 8)
    return tf.io.decode_raw(size, tf.int32, little_endian=False, fixed_length=8)[::-1]


def jpeg_size(content):
    """Height and width of a JPEG image, which stand anywhere in its header."""
    return tf.io.extract_jpeg_shape(content)[:2]


def read_image(content):
    """A PNG or JPEG file, resized, as grey values in [0, 1].

    A small file may hold billions of pixels, so its header is asked for their number first.
    """
    is_png = tf.strings.substr(content, 0, len(PNG)) == PNG
    is_jpeg = tf.io.is_jpeg(content)
    with require(is_png | is_jpeg, "Images must be PNG or JPEG files."):
        size = tf.cond(is_png, lambda: png_size(content), lambda: jpeg_size(content))
    message = f"Images must be at most {SIDE} pixels high and wide."
    with require(tf.reduce_max(size) <= SIDE, message, size):
        image = tf.io.decode_image(content, channels=1, expand_animations=False)
    image.set_shape((None, None, 1))
    return tf.image.resize(image, SIZE, antialias=True)[..., 0] / 255


def read_sound(content):
    """A wav file, cut or filled with silence to the samples that the model takes."""
    sound, rate = tf.audio.decode_wav(content)
    with (
        require(rate == RATE, f"Sounds must have {RATE} samples per second.", rate),
        require(tf.shape(sound)[0] > 0, "Sounds must have at least one sample."),
    ):
        sound = tf.reduce_mean(sound, 1)[:SAMPLES]
    return tf.pad(sound, [[0, SAMPLES - tf.shape(sound)[0]]])


def learn(scattering, classes, x, labels, epochs):
    """A linear classifier of the logarithms of scattering coefficients; its held-out accuracy."""
    inputs = keras.Input(x.shape[1:])
    logarithms = keras.ops.log(keras.ops.abs(scattering(inputs)) + 1e-4)
    features = keras.Model(inputs, logarithms)
    head = [keras.layers.Flatten(), keras.layers.BatchNormalization(momentum=0.9)]
    head = keras.Sequential([*head, keras.layers.Dense(classes, activation="softmax")])
    head.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    y = features.predict(x, verbose=0)  # once: there is nothing to learn in it
    head.fit(y[HELD_OUT:], labels[HELD_OUT:], 32, epochs, verbose=0)
    accuracy = np.mean(head.predict(y[:HELD_OUT], verbose=0).argmax(-1) == labels[:HELD_OUT])
    return keras.Model(inputs, head(features(inputs))), accuracy


def export(model, read, labels, folder):
    """A SavedModel that takes files' contents and gives a label and the scores of all."""

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "content")])
    def serve(content):
        length = tf.reduce_max(tf.strings.length(content))
        with require(length <= BYTES, f"Files must have at most {BYTES} bytes.", length):
            # Files are read one by one; what is in them is scattered together.
            x = tf.map_fn(read, content, fn_output_signature=tf.float32, parallel_iterations=8)
        scores = model(tf.ensure_shape(x, model.input_shape))
        return {"label": tf.gather(labels, tf.argmax(scores, -1)), "scores": scores}

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serving_default", serve)
    archive.write_out(folder, verbose=False)


def warm_up(name, content, folder):
    """Requests that the server makes of a model before it announces it."""
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError as error:
        raise SystemExit(
            f'Warm-up requests need tensorflow-serving-api ({error}): pip install -e ".[serving]", '
            "or give --no-warm-up."
        ) from error
    extra = folder / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for batch in WARM_UP:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = "serving_default"
            request.inputs["content"].CopyFrom(tf.make_tensor_proto([content] * batch))
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())


def versions(folder):
    """The versions that any model in a folder has."""
    return {int(path.name) for path in folder.glob("*/*") if path.name.isdecimal()}


def main(argv=None):
    """Write both models, and return them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=HERE / "models")
    parser.add_argument("--version", type=int, help="a number; the next one unless given")
    parser.add_argument("--train", type=int, default=2000, help="digits, and as many sounds")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--no-warm-up", action="store_true")
    args = parser.parse_args(argv)
    taken = versions(args.output_dir)
    version = max(taken, default=0) + 1 if args.version is None else args.version
    if version in taken:
        parser.error(f"{args.output_dir} has a version {version}, which a server may have loaded.")
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)

    png = tf.io.encode_png(np.zeros((*SIZE, 1), np.uint8))
    wav = tf.audio.encode_wav(np.zeros((SAMPLES, 1), np.float32), RATE)
    first = Scattering1D(J=5, Q=4, T=256, max_order=1)
    plans = {
        "digits": (digits, Scattering2D(J=2), read_image, list("0123456789"), png),
        "sounds": (sounds, first, read_sound, ["falls", "rises"], wav),
    }
    models = {}
    for name, (draw, scattering, read, labels, sample) in plans.items():
        folder = args.output_dir / name / str(version)
        part = folder.with_name(f"{version}.part")  # which no server takes for a version
        shutil.rmtree(part, ignore_errors=True)  # of a run that was stopped
        x, y = draw(args.train + HELD_OUT, rng)
        models[name], accuracy = learn(scattering, len(labels), x, y, args.epochs)
        export(models[name], read, tf.constant(labels), part)
        if not args.no_warm_up:
            warm_up(name, sample.numpy(), part)
        part.rename(folder)
        print(f"{name}: {accuracy:.1%} of {HELD_OUT} held out are right. Wrote {folder}")
    return models


if __name__ == "__main__":
    main()
