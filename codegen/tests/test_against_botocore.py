# SPDX-License-Identifier: Apache-2.0
"""Every tested operation in every protocol of its service: what botocore's serializers write, the
codec must read, and what the codec writes, botocore's parsers must read. Values are random and
seeded."""
import base64
import json
import zlib

import botocore.parsers
import botocore.serialize
import pytest
from botocore.awsrequest import HeadersDict

from conftest import Values, is_stream, plain, service_model, listed_operations, to_wire

ROUNDS = 12


def protocols_of(service):
    metadata = service_model(service).metadata
    return metadata.get("protocols", [metadata["protocol"]])


CASES = [(s, o, p) for s, o in listed_operations() for p in protocols_of(s)]
# The driver calls it by the short name.
OURS = {"smithy-rpc-v2-cbor": "rpc-v2-cbor"}


def ident(case):
    return "-".join(case)


def close(left, right):
    """Equal, floats as 32 bits may carry them."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(close(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(close, left, right))
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return left == right or abs(left - right) <= 1e-6 * max(abs(left), abs(right))
    return left == right


def said(value):
    """Without empty structures, which the query protocols cannot say."""
    if isinstance(value, dict):
        pruned = {k: said(v) for k, v in value.items()}
        return {k: v for k, v in pruned.items() if v != {}}
    return [said(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", CASES, ids=ident)
def test_requests_that_botocore_writes_are_read(driver, case):
    service, name, protocol = case
    model = service_model(service)
    operation = model.operation_model(name)
    serializer = botocore.serialize.create_serializer(protocol, False)
    for round_ in range(ROUNDS):
        shape = operation.input_shape
        params = {} if shape is None else Values(
            zlib.crc32(f"{case}{round_}".encode()), fill=(0.2, 0.6, 1.0)[round_ % 3]).of(shape)
        request = to_wire(serializer.serialize_to_request(params, operation))
        answer = driver(do="decode", service=service, operation=name,
                        protocol=OURS.get(protocol, protocol), request=request)
        assert "error" not in answer, (answer, params)
        expected = {} if shape is None else plain(shape, params)
        # The HTTP client sets that header by itself.
        expected.pop("ContentLength", None), answer["input"].pop("ContentLength", None)
        if protocol in ("query", "ec2"):
            expected = said(expected)
        assert close(answer["input"], json.loads(json.dumps(expected))), (answer["input"], expected)


@pytest.mark.parametrize("case", CASES, ids=ident)
def test_responses_are_read_by_botocore(driver, case):
    service, name, protocol = case
    operation = service_model(service).operation_model(name)
    shape = operation.output_shape
    if shape is None or any(m.serialization.get("eventstream") for m in shape.members.values()):
        pytest.skip("no output to read")
    parser = botocore.parsers.create_parser(protocol)
    for round_ in range(ROUNDS):
        value = Values(zlib.crc32(f"{case}{round_}out".encode()),
                       fill=(0.2, 0.6, 1.0)[round_ % 3]).of(shape)
        for member, ref in shape.members.items():
            if ref.serialization.get("location") == "statusCode":
                value[member] = 200
        answer = driver(do="encode", service=service, operation=name,
                        protocol=OURS.get(protocol, protocol), output=plain(shape, value))
        assert "error" not in answer, (answer, value)
        headers = HeadersDict()
        for key, text in answer["headers"]:
            headers[key] = text
        body = base64.b64decode(answer["body"])
        if answer["streams"]:
            continue
        blob_payload = shape.serialization.get("payload") and shape.members[
            shape.serialization["payload"]].type_name == "blob"
        if blob_payload and not is_stream(shape.members[shape.serialization["payload"]]):
            expected_body = value.get(shape.serialization["payload"], b"")
            assert body == expected_body
            continue  # botocore's parser takes this body for text
        parsed = parser.parse({"body": body, "headers": headers,
                               "status_code": answer["status"]}, shape)
        assert parsed.pop("ResponseMetadata")["RequestId"] == "request-1"
        parsed.pop("ChecksumAlgorithm", None)
        expected = {k: v for k, v in value.items() if not is_stream(shape.members[k])}
        parsed = {k: v for k, v in parsed.items() if not is_stream(shape.members[k])}
        if service == "s3" and name == "GetBucketLocation":
            # botocore reads the root's text in a handler of its own.
            constraint = expected.get("LocationConstraint")
            assert constraint is None or constraint.encode() in body
            continue
        # A map of prefixed headers is always there.
        for member, ref in shape.members.items():
            if ref.serialization.get("location") == "headers":
                if ref.serialization.get("name", "") == "":
                    expected.pop(member, None), parsed.pop(member, None)
                elif member not in expected and parsed.get(member) == {}:
                    del parsed[member]
        if "ContentType" not in expected:
            parsed.pop("ContentType", None)  # there is a default
        payload = shape.serialization.get("payload")
        if payload and payload not in expected:
            parsed.pop(payload, None)  # no body is an empty one for botocore
        assert close(json.loads(json.dumps(plain(shape, parsed))),
                     json.loads(json.dumps(plain(shape, expected)))), (parsed, expected, body)


@pytest.mark.parametrize("case", CASES, ids=ident)
def test_errors_are_read_by_botocore(driver, case):
    service, name, protocol = case
    parser = botocore.parsers.create_parser(protocol)
    answer = driver(do="error", service=service, operation=name,
                    protocol=OURS.get(protocol, protocol), code="Some.Code", shape="SomeCode",
                    message="What <went> wrong & \"why\"")
    headers = HeadersDict()
    for key, text in answer["headers"]:
        headers[key] = text
    parsed = parser.parse({"body": base64.b64decode(answer["body"]), "headers": headers,
                           "status_code": answer["status"]}, None)
    assert parsed["Error"]["Message"] == "What <went> wrong & \"why\""
    xml = protocol in ("query", "ec2", "rest-xml")
    compatible = "awsQueryCompatible" in service_model(service).metadata and not xml
    assert parsed["Error"]["Code"] == ("Some.Code" if xml or compatible else "SomeCode")
    assert parsed["ResponseMetadata"]["RequestId"] == "request-1"
