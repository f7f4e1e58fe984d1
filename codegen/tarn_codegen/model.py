# SPDX-License-Identifier: Apache-2.0
"""Reads a botocore service model and our patches to it, and answers what the writer asks."""
import gzip
import json
import os

PATCHES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                       "models", "patches")

# How a protocol's services word a broken constraint, unless a patch says otherwise: the code of an
# invalid value, of a missing member, and of a body that cannot be read.
_CHECKS = {
    "json": ("coral", "ValidationException", "ValidationException", "SerializationException"),
    "rest-json": ("coral", "ValidationException", "ValidationException", "SerializationException"),
    "smithy-rpc-v2-cbor": ("coral", "ValidationException", "ValidationException",
                           "SerializationException"),
    "query": ("coral", "ValidationError", "ValidationError", "MalformedInput"),
    "ec2": ("request_parameter", "InvalidParameterValue", "MissingParameter",
            "InvalidParameterValue"),
    "rest-xml": ("coral", "InvalidArgument", "InvalidArgument", "MalformedXML"),
}

PROTOCOLS = {
    "json": "json",
    "query": "query",
    "ec2": "ec2",
    "rest-json": "rest_json",
    "rest-xml": "rest_xml",
    "smithy-rpc-v2-cbor": "rpc_v2_cbor",
}


class ModelError(Exception):
    pass


def services(data):
    """Names of all services in a botocore data folder that have a model."""
    found = []
    for name in sorted(os.listdir(data)):
        if os.path.isdir(os.path.join(data, name)) and model_path(data, name):
            found.append(name)
    return found


def model_path(data, service):
    folder = os.path.join(data, service)
    if not os.path.isdir(folder):
        return None
    for version in sorted(os.listdir(folder), reverse=True):
        for file in ("service-2.json.gz", "service-2.json"):
            path = os.path.join(folder, version, file)
            if os.path.exists(path):
                return path
    return None


def patch_path(service):
    path = os.path.join(PATCHES, service + ".json")
    return path if os.path.exists(path) else None


def load(data, service):
    path = model_path(data, service)
    if not path:
        raise ModelError(f"botocore has no service '{service}' in {data}")
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        raw = json.load(file)
    raw["tarn"] = {}
    patch = patch_path(service)
    if patch:
        with open(patch, encoding="utf-8") as file:
            apply_patch(raw, json.load(file), patch)
    return Model(service, raw)


def apply_patch(raw, edits, origin):
    """Each edit is {"set": "a.b.c", "to": value, "why": …} or {"remove": "a.b.c", "why": …}."""
    for edit in edits:
        path = edit.get("set") or edit.get("remove")
        if not path or not edit.get("why"):
            raise ModelError(f"{origin}: an edit needs 'set' or 'remove', and 'why': {edit}")
        node = raw
        *parents, last = path.split("/")
        for key in parents:
            if key not in node:
                if "remove" in edit:
                    raise ModelError(f"{origin}: nothing to remove at {path}")
                node[key] = {}
            node = node[key]
        if "remove" in edit:
            if last not in node:
                raise ModelError(f"{origin}: nothing to remove at {path}")
            del node[last]
        else:
            node[last] = edit["to"]


class Ref:
    """A reference to a shape (a structure's member, a list's element, …) with merged traits."""

    def __init__(self, model, raw):
        self.raw = raw
        self.shape_name = raw["shape"]
        self.shape = model.raw["shapes"][raw["shape"]]

    def trait(self, name, default=None):
        return self.raw.get(name, self.shape.get(name, default))

    @property
    def type(self):
        return self.shape["type"]

    def own(self, name, default=None):
        return self.raw.get(name, default)


class Model:
    def __init__(self, service, raw):
        self.service = service
        self.raw = raw
        self.metadata = raw["metadata"]
        self.shapes = raw["shapes"]
        self.operations = raw["operations"]
        self.tarn = raw["tarn"]

    @property
    def protocols(self):
        listed = self.tarn.get("protocols") or self.metadata.get("protocols")
        return [p for p in (listed or [self.metadata["protocol"]])]

    @property
    def signing_name(self):
        return self.metadata.get("signingName", self.metadata["endpointPrefix"])

    @property
    def checks(self):
        style, invalid, missing, unreadable = _CHECKS[self.metadata["protocol"]]
        own = self.tarn.get("checks", {})
        return (own.get("style", style), own.get("invalid", invalid),
                own.get("missing", own.get("invalid", missing)),
                own.get("unreadable", unreadable))

    def ref(self, raw):
        return Ref(self, raw)

    def members(self, shape_name):
        shape = self.shapes[shape_name]
        return [(name, Ref(self, raw)) for name, raw in shape.get("members", {}).items()]

    def errors(self):
        return [n for n, s in self.shapes.items() if s.get("exception") or "error" in s]

    def operation(self, name):
        if name not in self.operations:
            import difflib
            near = difflib.get_close_matches(name, self.operations, 3)
            hint = f"; near: {', '.join(near)}" if near else ""
            raise ModelError(f"{self.service}: the model has no operation '{name}'{hint}")
        return self.operations[name]

    def is_stream(self, ref):
        return bool(ref.shape.get("eventstream")) or (
            ref.type == "blob" and bool(ref.trait("streaming")))
