# SPDX-License-Identifier: Apache-2.0
"""What every client meets before any service: framing, signatures, unknown operations."""
import concurrent.futures
import datetime
import hashlib
import http.client
import json
import socket
import time

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import pytest


def raw(tarn, data: bytes, answers: int = 1, seconds: float = 10) -> bytes:
    """Sends bytes, reads until that many status lines and the end of their bodies came."""
    with socket.create_connection(("127.0.0.1", tarn.port), timeout=seconds) as connection:
        connection.sendall(data)
        received = b""
        deadline = time.monotonic() + seconds
        while received.count(b"HTTP/1.1 ") < answers and time.monotonic() < deadline:
            piece = connection.recv(65536)
            if not piece:
                break
            received += piece
        return received


def signed(tarn, method, path, body=b"", service="s3", headers=None, access_key=None, secret=None,
           region=None, query_auth=None, token=None):
    """A request signed by botocore, to be changed before it is sent."""
    request = botocore.awsrequest.AWSRequest(
        method, f"http://127.0.0.1:{tarn.port}{path}", data=body, headers=headers or {})
    credentials = botocore.credentials.Credentials(
        access_key or tarn.env["AWS_ACCESS_KEY_ID"],
        secret or tarn.env["AWS_SECRET_ACCESS_KEY"], token)
    if service == "s3":
        signer = botocore.auth.S3SigV4Auth
    else:
        signer = botocore.auth.SigV4Auth
    signer(credentials, service, region or tarn.env["AWS_REGION"]).add_auth(request)
    return request.prepare()


def send(tarn, prepared, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", tarn.port, timeout=10)
    path = prepared.url.split(f":{tarn.port}", 1)[1]
    connection.request(prepared.method, path, body if body is not None else prepared.body,
                       dict(prepared.headers))
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    return response, answer


def test_health_answers_without_credentials(tarn):
    connection = http.client.HTTPConnection("127.0.0.1", tarn.port)
    connection.request("GET", "/_tarn/health")
    response = connection.getresponse()
    assert response.status == 200
    assert json.loads(response.read()) == {"status": "ready"}


def test_one_connection_serves_many_requests(tarn):
    connection = http.client.HTTPConnection("127.0.0.1", tarn.port)
    for _ in range(20):
        connection.request("GET", "/_tarn/health")
        assert connection.getresponse().read()
    connection.close()


def test_pipelined_requests_are_answered_in_order(tarn):
    one = b"GET /_tarn/health HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = raw(tarn, one * 5, answers=5)
    assert answer.count(b"HTTP/1.1 200") == 5


def test_a_request_that_is_no_http_gets_400(tarn):
    assert raw(tarn, b"\x00\x01garbage\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_headers_beyond_the_limit_get_431(tarn):
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX-Big: " + b"a" * 70_000 + b"\r\n\r\n"
    assert raw(tarn, head).startswith(b"HTTP/1.1 431")


def test_the_body_is_asked_for_with_100_continue(tarn, unique):
    bucket = unique("continue")
    tarn.client("s3").create_bucket(Bucket=bucket)
    body = b"waited for"
    prepared = signed(tarn, "PUT", f"/{bucket}/k", body)
    head = f"PUT /{bucket}/k HTTP/1.1\r\nHost: 127.0.0.1:{tarn.port}\r\nExpect: 100-continue\r\n"
    head += f"Content-Length: {len(body)}\r\n"
    head += "".join(f"{k}: {v}\r\n" for k, v in prepared.headers.items()
                    if k.lower() not in ("host", "content-length"))
    with socket.create_connection(("127.0.0.1", tarn.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(body)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    assert tarn.client("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == body


def test_a_wrong_secret_gives_signature_does_not_match(tarn):
    client = tarn.client("sts", secret_key="wrong" * 8)
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        client.get_caller_identity()
    assert caught.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize("service, call, code", [
    ("sts", lambda c: c.get_caller_identity(), "InvalidClientTokenId"),
    ("s3", lambda c: c.list_buckets(), "InvalidAccessKeyId"),
    ("stepfunctions", lambda c: c.list_state_machines(), "UnrecognizedClientException"),
])
def test_an_unknown_key_is_refused_as_the_service_does(tarn, service, call, code):
    client = tarn.client(service, access_key="AKIAUNKNOWNKEY000000")
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(client)
    assert caught.value.response["Error"]["Code"] == code


def test_a_changed_body_is_refused(tarn, unique):
    bucket = unique("changed")
    tarn.client("s3").create_bucket(Bucket=bucket)
    prepared = signed(tarn, "PUT", f"/{bucket}/k", b"what was signed")
    response, answer = send(tarn, prepared, body=b"what was sent!!")
    assert response.status == 400
    assert b"XAmzContentSHA256Mismatch" in answer
    assert "Contents" not in tarn.client("s3").list_objects_v2(Bucket=bucket)


def test_an_old_signature_is_refused(tarn, monkeypatch):
    old = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *a, **k: old.replace(
        tzinfo=None), raising=False)
    if not hasattr(botocore.auth, "get_current_datetime"):
        pytest.skip("this botocore reads the time elsewhere")
    response, answer = send(tarn, signed(tarn, "GET", "/"))
    assert response.status == 403
    assert b"RequestTimeTooSkewed" in answer


def test_a_presigned_url_works_until_it_expires(tarn, unique):
    s3 = tarn.client("s3")
    bucket = unique("presigned")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a b/ü", Body=b"here")
    for version in ("s3v4", "s3"):
        signer = tarn.client(
            "s3", signature_version=version, s3={"addressing_style": "path"})
        url = signer.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": "a b/ü"}, ExpiresIn=60)
        connection = http.client.HTTPConnection("127.0.0.1", tarn.port)
        connection.request("GET", url.split(f":{tarn.port}", 1)[1])
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"here"), version
        expired = signer.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": "a b/ü"}, ExpiresIn=1)
        time.sleep(2.1)
        connection = http.client.HTTPConnection("127.0.0.1", tarn.port)
        connection.request("GET", expired.split(f":{tarn.port}", 1)[1])
        response = connection.getresponse()
        assert response.status == 403 and b"AccessDenied" in response.read(), version


@pytest.mark.parametrize("service, operation, arguments", [
    ("athena", "start_query_execution", {"QueryString": "select 1"}),       # json 1.1
    ("stepfunctions", "describe_map_run", {"mapRunArn": "arn:aws:states:us-east-1:000000000000:x"}),
    ("rds", "describe_db_instances", {}),                                  # query
    ("ec2", "describe_instances", {}),                                     # ec2
    ("glacier", "list_vaults", {"accountId": "-"}),                        # rest-json
    ("s3", "restore_object", {"Bucket": "b", "Key": "k"}),                 # rest-xml
    ("cloudwatch", "describe_anomaly_detectors", {}),                      # rpc-v2-cbor
])
def test_an_operation_that_is_not_implemented_names_itself(tarn, service, operation, arguments):
    client = tarn.client(service)
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        getattr(client, operation)(**arguments)
    error = caught.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert error["Error"]["Code"] == "NotImplemented"
    name = client.meta.method_to_api_mapping[operation]
    assert name in error["Error"]["Message"] and service in error["Error"]["Message"]


def test_many_clients_at_once_are_served(tarn):
    def ask(_):
        return tarn.client("sts").get_caller_identity()["Account"]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(64))) == {"000000000000"}


def test_large_bodies_stream_with_bounded_memory(fresh_tarn):
    s3 = fresh_tarn.client("s3")
    s3.create_bucket(Bucket="large")
    body = bytes(range(256)) * 4096 * 64  # 64 MiB
    s3.put_object(Bucket="large", Key="k", Body=body)
    got = s3.get_object(Bucket="large", Key="k")["Body"].read()
    assert hashlib.md5(got).digest() == hashlib.md5(body).digest()
    with open(f"/proc/{fresh_tarn.process.pid}/status", encoding="ascii") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    assert peak < 200 * 1024, f"{peak} KiB resident for a body of 64 MiB"


def test_a_port_in_use_is_a_clear_error(tarn, start_tarn):
    import subprocess
    import tempfile

    from support.server import binary
    with tempfile.TemporaryDirectory() as data:
        result = subprocess.run([binary(), "up", "--data", data, "--port", str(tarn.port)],
                                capture_output=True, text=True, timeout=30)
    assert result.returncode == 1
    assert str(tarn.port) in result.stderr and "--port" in result.stderr


def test_a_second_server_on_the_same_data_is_refused(tarn):
    import subprocess

    from support.server import binary
    result = subprocess.run(
        [binary(), "up", "--data", str(tarn.data), "--port", "0", "--pg-port", "0"],
        capture_output=True, text=True, timeout=30)
    assert result.returncode == 1
    assert str(tarn.data) in result.stderr
    assert tarn.client("sts").get_caller_identity()["Account"] == "000000000000"
