"""Ask TensorFlow Serving about files over REST; nothing but Python's standard library.

python examples/serving/client_rest.py digits image.png ...
"""

import argparse
import base64
import http.client
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path


def member(text, name):
    """What JSON holds by this name, or nothing where it is no JSON, or has no such name."""
    try:
        return json.loads(text)[name]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def predict(server, model, contents, timeout=60):
    """What a model says of the contents of files: one dictionary a file."""
    instances = [{"b64": base64.b64encode(content).decode()} for content in contents]
    body = json.dumps({"signature_name": "serving_default", "instances": instances}).encode()
    headers = {"Content-Type": "application/json"}
    refusal = None
    try:
        request = urllib.request.Request(f"{server}/v1/models/{model}:predict", body, headers)
        try:
            response = urllib.request.urlopen(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            response = refusal = error  # which can be read like other answers
        with response:
            text = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException, ValueError) as error:  # the last: no address
        raise RuntimeError(f"{server} does not answer: {error}") from error
    said = " ".join(str(member(text, "error") or text).split())[:500]  # in one line
    if refusal:
        raise RuntimeError(f"{server} says: {refusal}. {said}")
    predictions = member(text, "predictions")
    if not isinstance(predictions, list) or len(predictions) != len(contents):
        raise RuntimeError(f"{server} does not answer as a model server does: {said}")
    return predictions


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="digits or sounds")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--server", default="http://localhost:8501")
    args = parser.parse_args(argv)
    try:
        contents = [file.read_bytes() for file in args.files]
    except OSError as error:
        sys.exit(f"{error.filename} cannot be read: {error.strerror}")
    try:
        answers = predict(args.server, args.model, contents)
    except RuntimeError as error:
        sys.exit(str(error))
    try:
        said = [f"{answer['label']} ({max(answer['scores']):.1%})" for answer in answers]
    except (KeyError, TypeError, ValueError):
        sys.exit(f"{args.model} gives no label with scores for each file.")
    for file, text in zip(args.files, said, strict=True):
        print(f"{file}: {text}")


if __name__ == "__main__":
    main()
