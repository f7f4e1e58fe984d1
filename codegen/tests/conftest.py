# SPDX-License-Identifier: Apache-2.0
"""The codec driver as a fixture, and botocore's models as random values."""
import base64
import json
import os
import random
import string
import subprocess
import urllib.parse

import botocore.loaders
import botocore.model
import pytest
from botocore.awsrequest import create_request_object, prepare_request_dict

DRIVER = os.environ.get("TARN_CODEC_DRIVER", "")
OPERATIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "operations.txt")


class Driver:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, **command):
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the driver ended at {command}"
        answer = json.loads(line)
        assert "crash" not in answer, (answer, command)
        return answer


@pytest.fixture(scope="session")
def driver():
    if not os.path.exists(DRIVER):
        pytest.skip("TARN_CODEC_DRIVER names no program: build the target codec_driver")
    made = Driver(DRIVER)
    yield made
    made.process.stdin.close()
    made.process.wait(timeout=10)


def loader():
    return botocore.loaders.create_loader()


_MODELS = {}


def service_model(name):
    if name not in _MODELS:
        # Not load_service_model: that adds what only a client needs (S3's ExpiresString).
        version = loader().determine_latest_version(name, "service-2")
        raw = loader().load_data(os.path.join(name, version, "service-2"))
        _MODELS[name] = botocore.model.ServiceModel(raw, name)
    return _MODELS[name]


def listed_operations():
    with open(OPERATIONS, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#") or not line.strip():
                continue
            service, *names = line.split()
            for name in names:
                yield service, name


class Values:
    """Random values of a shape, within what every protocol can carry."""

    def __init__(self, seed, fill=0.7):
        self.random = random.Random(seed)
        self.fill = fill

    def text(self, ascii_only=False):
        letters = string.ascii_letters + string.digits + "-_./ :+&=%<>\"'{}[],;"
        if not ascii_only:
            letters += "äßéλ中😀"
        inner = "".join(self.random.choice(letters) for _ in range(self.random.randrange(1, 12)))
        return "x" + inner + "y"

    def word(self):
        return "w" + "".join(self.random.choice(string.ascii_lowercase) for _ in range(6))

    def of(self, shape, depth=0, location=None):
        kind = shape.type_name
        return getattr(self, "_" + kind)(shape, depth, location)

    def _structure(self, shape, depth, location):
        if shape.is_document_type:
            return {"a": [1, 2.5, "x", None, True], "b": {"c": "é"}}
        names = [n for n, m in shape.members.items() if not m.serialization.get("eventstream")]
        if shape.is_tagged_union and names:
            names = [self.random.choice(names)]
            return {n: self.of(shape.members[n], depth + 1) for n in names}
        value = {}
        for name in names:
            member = shape.members[name]
            wanted = name in shape.required_members or member.serialization.get(
                "idempotencyToken") or member.metadata.get("idempotencyToken")
            if not wanted and (depth > 4 or self.random.random() > self.fill):
                continue
            if depth > 6 and not wanted:
                continue
            value[name] = self.of(member, depth + 1, member.serialization.get("location"))
        if 0 < depth < 12 and names and not value:
            # The query protocols cannot say that there is an empty structure.
            name = next((n for n in names if shape.members[n].type_name not in
                         ("structure", "list", "map")), names[0])
            value[name] = self.of(shape.members[name], depth + 1)
        return value

    def _list(self, shape, depth, location):
        count = self.random.randrange(1, 3) if depth < 5 else 1
        return [self.of(shape.member, depth + 1, location) for _ in range(count)]

    def _map(self, shape, depth, location):
        count = self.random.randrange(1, 3) if depth < 5 else 1
        keys = set()
        while len(keys) < count:
            keys.add(self.random.choice(shape.key.enum) if getattr(shape.key, "enum", None)
                     and len(shape.key.enum) > 1 else self.word())
        return {k: self.of(shape.value, depth + 1, location) for k in sorted(keys)}

    def _string(self, shape, depth, location):
        if shape.serialization.get("jsonvalue"):
            return {"k": self.word()}
        if getattr(shape, "enum", None):
            return self.random.choice(shape.enum)
        if location in ("header", "headers"):
            return self.word()
        return self.text()

    _character = _string

    def _blob(self, shape, depth, location):
        return bytes(self.random.randrange(256) for _ in range(self.random.randrange(1, 20)))

    def _integer(self, shape, depth, location):
        return self.random.choice([0, 1, -7, 2**31 - 1, -(2**31), self.random.randrange(10**6)])

    def _long(self, shape, depth, location):
        return self.random.choice([0, 5, 2**62, -(2**53), self.random.randrange(10**12)])

    def _float(self, shape, depth, location):
        return self.random.choice([0.0, 1.5, -2.25, 1024.0])

    def _double(self, shape, depth, location):
        return self.random.choice([0.0, 1.5, 3.141592653589793, -1e-7, 1e21, 12345678.9])

    def _boolean(self, shape, depth, location):
        return self.random.random() < 0.5

    def _timestamp(self, shape, depth, location):
        from datetime import datetime, timezone
        return datetime.fromtimestamp(self.random.randrange(10**9, 2 * 10**9), timezone.utc)


def plain(shape, value):
    """A value as the driver's JSON has it; streams are left out."""
    kind = shape.type_name
    if kind == "structure":
        if shape.is_document_type:
            return value
        return {n: plain(shape.members[n], v) for n, v in value.items()
                if v is not None and n in shape.members and not is_stream(shape.members[n])}
    if kind == "list":
        return [plain(shape.member, v) for v in value]
    if kind == "map":
        return {k: plain(shape.value, v) for k, v in value.items()}
    if kind == "blob":
        return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()
    if kind == "timestamp":
        return value.timestamp()
    if kind == "string" and isinstance(value, dict):
        return json.dumps(value, separators=(",", ":"))
    return value


def is_stream(shape):
    return (shape.type_name == "blob" and bool(shape.serialization.get("streaming"))) or bool(
        shape.serialization.get("eventstream"))


def to_wire(request_dict, endpoint="https://service.us-east-1.amazonaws.com"):
    """What botocore would send, for the driver."""
    request_dict.setdefault("context", {})
    prepare_request_dict(request_dict, endpoint, context={})
    prepared = create_request_object(request_dict).prepare()
    url = urllib.parse.urlsplit(prepared.url)
    body = prepared.body or b""
    if isinstance(body, str):
        body = body.encode()
    if hasattr(body, "read"):
        body = body.read()
    headers = []
    for name, value in prepared.headers.items():
        headers.append([name, value.decode() if isinstance(value, bytes) else str(value)])
    return {"method": prepared.method, "path": url.path or "/", "query": url.query,
            "headers": headers, "body": base64.b64encode(body).decode()}
