# SPDX-License-Identifier: Apache-2.0
"""Lambda with boto3 and the aws CLI: functions really run."""

from __future__ import annotations

import base64
import concurrent.futures
import hashlib
import io
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.request
import zipfile

import pytest
from botocore.exceptions import ClientError, WaiterError

TRUST = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole"}]}


RULE = "arn:aws:events:us-east-1:000000000000:rule/r"


def zip_of(files: dict[str, str], modes: dict[str, int] | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (modes or {}).get(name, 0o644) << 16
            archive.writestr(info, text)
    return out.getvalue()


def error_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]


@pytest.fixture
def role(tarn, unique):
    iam, name = tarn.client("iam"), unique("role")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["logs:*", "s3:*", "sqs:*"], "Resource": "*"}]}))
    return arn


@pytest.fixture
def lam(tarn):
    return tarn.client("lambda")


@pytest.fixture
def make(lam, role, unique):
    def make(code="def handler(event, context):\n    return event\n", **more):
        name = more.pop("FunctionName", unique("fn"))
        files = code if isinstance(code, dict) else {"app.py": code}
        arguments = {"Runtime": "python3.11", "Role": role, "Handler": "app.handler",
                     "Code": {"ZipFile": zip_of(files)}} | more
        lam.create_function(FunctionName=name, **arguments)
        return name
    return make


def call(lam, name, event=None, **more):
    out = lam.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail", **more)
    return (json.loads(out["Payload"].read()), out.get("FunctionError"),
            base64.b64decode(out["LogResult"]).decode())


def messages(tarn, group, wanted, seconds=10):
    """All messages of a group once `wanted` is among them."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            events = tarn.client("logs").filter_log_events(logGroupName=group)["events"]
        except ClientError:
            events = []
        text = [event["message"] for event in events]
        if any(wanted in line for line in text) or time.monotonic() > deadline:
            return text
        time.sleep(0.05)


def test_a_function_runs_and_answers(tarn, lam, make):
    name = make("""
import os, sys
def handler(event, context):
    print("hello from", context.function_name)
    print("an error line", file=sys.stderr)
    return {"got": event, "memory": context.memory_limit_in_mb, "arn": context.invoked_function_arn,
            "left": context.get_remaining_time_in_millis() > 1000,
            "env": os.environ["COLOUR"], "user": os.getuid(), "cwd": os.getcwd()}
""", Environment={"Variables": {"COLOUR": "blue"}}, MemorySize=256, Timeout=10)
    result, error, tail = call(lam, name, {"n": 1})
    assert error is None
    assert result["got"] == {"n": 1} and result["memory"] == "256" and result["env"] == "blue"
    assert result["left"] and result["cwd"] == "/var/task" and result["user"] != 0
    assert result["arn"].endswith(f":function:{name}")
    lines = tail.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("START RequestId: "))
    assert f"hello from {name}" in lines[start:] and "an error line" in lines[start:]
    assert lines[-2].startswith("END RequestId: ")
    assert lines[-1].startswith("REPORT RequestId: ") and "Memory Size: 256 MB" in lines[-1]
    assert "Init Duration" in lines[-1]
    stored = messages(tarn, f"/aws/lambda/{name}", "REPORT")
    assert any(m.startswith("START") for m in stored) and f"hello from {name}\n" in stored


def test_environments_stay_warm_and_are_not_shared_by_functions(lam, make):
    code = "n = 0\ndef handler(event, context):\n    global n\n    n += 1\n    return n\n"
    name, other = make(code), make(code)
    assert [call(lam, name)[0] for _ in range(3)] == [1, 2, 3]
    assert call(lam, other)[0] == 1
    assert "Init Duration" not in call(lam, name)[2]
    lam.update_function_configuration(FunctionName=name, Description="changed")
    assert call(lam, name)[0] == 1


def test_warm_invocations_are_fast(lam, make):
    name = make()
    call(lam, name)
    times = []
    for _ in range(30):
        begin = time.perf_counter()
        lam.invoke(FunctionName=name, Payload=b"{}")
        times.append(time.perf_counter() - begin)
    assert sorted(times)[15] < 0.1


def test_invocations_run_side_by_side(lam, make):
    name = make("import time, os\ndef handler(event, context):\n    time.sleep(0.5)\n"
                "    return os.getpid()\n", Timeout=20)
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(error is None for _, error, _ in pool.map(lambda _: call(lam, name), range(4)))
    assert time.monotonic() - begin < 8


def test_errors_have_the_shape_that_clients_know(tarn, lam, make):
    name = make({"app.py": "from inner import fail\n"
                           "def handler(event, context):\n    fail(event)\n",
                 "inner.py": "class Odd(Exception):\n    pass\n\ndef fail(event):\n"
                             "    raise Odd(f'bad {event}')\n"})
    result, error, tail = call(lam, name, 7)
    assert error == "Unhandled"
    assert result["errorType"] == "Odd" and result["errorMessage"] == "bad 7"
    assert result["requestId"] and result["stackTrace"][0] == (
        '  File "/var/task/app.py", line 3, in handler\n    fail(event)\n')
    assert "[ERROR] Odd: bad 7" in tail and "Traceback" in tail


@pytest.mark.parametrize("code, handler, kind, text", [
    ("import nothing_there\n", "app.handler", "Runtime.ImportModuleError",
     "Unable to import module 'app': No module named 'nothing_there'"),
    ("x = 1\n", "app.handler", "Runtime.HandlerNotFound",
     "Handler 'handler' missing on module 'app'"),
    ("def handler(:\n", "app.handler", "Runtime.UserCodeSyntaxError",
     "Syntax error in module 'app'"),
    ("def handler(e, c):\n    return {1, 2}\n", "app.handler", "Runtime.MarshalError",
     "Unable to marshal response: Object of type set is not JSON serializable"),
    ("import os\ndef handler(e, c):\n    os._exit(3)\n", "app.handler", "Runtime.ExitError",
     "Runtime exited with error: exit status 3"),
])
def test_broken_functions_say_what_is_wrong(lam, make, code, handler, kind, text):
    name = make(code, Handler=handler, Timeout=20)
    for _ in range(2):  # the second time as well
        result, error, _ = call(lam, name)
        assert error == "Unhandled" and result["errorType"] == kind
        assert text in result["errorMessage"]


def test_time_outs_end_the_environment(lam, make):
    name = make("import time\nn = 0\ndef handler(event, context):\n    global n\n    n += 1\n"
                "    print('working')\n    time.sleep(event)\n    return n\n", Timeout=1)
    begin = time.monotonic()
    result, error, tail = call(lam, name, 30)
    assert time.monotonic() - begin < 15
    assert error == "Unhandled" and "Task timed out after 1.00 seconds" in result["errorMessage"]
    assert "working" in tail and "Task timed out after 1.00 seconds" in tail
    assert "Status: timeout" in tail
    assert call(lam, name, 0)[0] == 1


def test_the_memory_limit_ends_the_function(lam, make):
    name = make("def handler(event, context):\n    return len(bytearray(400 * 1024 * 1024))\n",
                MemorySize=128, Timeout=30)
    result, error, _ = call(lam, name)
    if error is None and not pathlib.Path("/sys/fs/cgroup").is_mount():
        pytest.skip("no control groups on this machine")
    assert error == "Unhandled"
    assert result["errorType"] in ("Runtime.OutOfMemory", "Runtime.ExitError", "MemoryError")


def test_boto3_works_inside_with_the_role_and_nothing_else_is_reachable(tarn, lam, make, unique):
    bucket = unique("bucket")
    tarn.client("s3").create_bucket(Bucket=bucket)
    name = make("""
import boto3, socket
def handler(event, context):
    boto3.client("s3").put_object(Bucket=event, Key="k", Body=b"from inside")
    identity = boto3.client("sts").get_caller_identity()["Arn"]
    try:
        boto3.client("iam").list_users()
        denied = False
    except Exception as error:
        denied = "AccessDenied" in str(error)
    try:
        socket.create_connection(("192.0.2.1", 80), 1)
        outside = True
    except OSError:
        outside = False
    return {"identity": identity, "denied": denied, "outside": outside}
""", Timeout=60, MemorySize=512)
    result, error, tail = call(lam, name, bucket)
    assert error is None, result
    assert ":assumed-role/" in result["identity"] and result["denied"] and not result["outside"]
    assert tarn.client("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == b"from inside"


def test_packages_and_nested_handlers(lam, make):
    name = make({"portfolio/__init__.py": "", "portfolio/validate.py":
                 "from . import rules\ndef handler(event, context):\n    return rules.X\n",
                 "portfolio/rules.py": "X = 42\n"}, Handler="portfolio.validate.handler")
    assert call(lam, name)[0] == 42


def test_code_from_s3_and_updates(tarn, lam, role, unique):
    s3, bucket, name = tarn.client("s3"), unique("code"), unique("fn")
    s3.create_bucket(Bucket=bucket)
    body = zip_of({"app.py": "def handler(e, c):\n    return 'one'\n"})
    s3.put_object(Bucket=bucket, Key="a.zip", Body=body)
    made = lam.create_function(FunctionName=name, Runtime="python3.11", Role=role,
                               Handler="app.handler", Code={"S3Bucket": bucket, "S3Key": "a.zip"})
    assert made["CodeSha256"] == base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert made["CodeSize"] == len(body) and made["State"] == "Active"
    lam.get_waiter("function_active_v2").wait(FunctionName=name)
    assert call(lam, name)[0] == "one"
    lam.update_function_code(FunctionName=name,
                             ZipFile=zip_of({"app.py": "def handler(e, c):\n    return 'two'\n"}))
    assert call(lam, name)[0] == "two"
    missing = error_of(lam.update_function_code, FunctionName=name, S3Bucket=bucket, S3Key="none")
    assert missing["Code"] == "InvalidParameterValueException" and "NoSuchKey" in missing["Message"]
    location = lam.get_function(FunctionName=name)["Code"]["Location"]
    with urllib.request.urlopen(location) as response:
        assert zipfile.ZipFile(io.BytesIO(response.read())).namelist() == ["app.py"]


def test_what_is_refused(lam, make, role, unique):
    name = make()
    again = error_of(lam.create_function, FunctionName=name, Runtime="python3.11", Role=role,
                     Handler="a.b", Code={"ZipFile": zip_of({"a": "b"})})
    assert again["Code"] == "ResourceConflictException"
    assert again["Message"] == f"Function already exist: {name}"
    bad = dict(FunctionName=unique("fn"), Role=role, Handler="a.b",
               Code={"ZipFile": b"this is no zip"})
    assert error_of(lam.create_function, Runtime="python3.11", **bad)["Message"] == (
        "Could not unzip uploaded file. Please check your file, then try to upload again.")
    bad["Code"] = {"ZipFile": zip_of({"../evil": "x"})}
    assert error_of(lam.create_function, Runtime="python3.11", **bad)["Code"] == (
        "InvalidParameterValueException")
    bad["Code"] = {"ZipFile": zip_of({"a": "x"})}
    assert "nodejs20.x" in error_of(lam.create_function, Runtime="nodejs20.x", **bad)["Message"]
    bad["Role"] = "arn:aws:iam::000000000000:role/nobody"
    assert error_of(lam.create_function, Runtime="python3.11", **bad)["Message"] == (
        "The role defined for the function cannot be assumed by Lambda.")
    gone = error_of(lam.invoke, FunctionName="missing")
    assert gone["Code"] == "ResourceNotFoundException"
    assert gone["Message"].startswith("Function not found: arn:aws:lambda:")
    assert error_of(lam.invoke, FunctionName=name, Payload=b"{nope")["Code"] == (
        "InvalidRequestContentException")


def test_configuration_is_read_back(lam, make):
    name = make(Timeout=5, MemorySize=256, Description="d", Tags={"a": "b"})
    lam.update_function_configuration(FunctionName=name, Timeout=9,
                                      Environment={"Variables": {"NUMBER": "1"}})
    shown = lam.get_function(FunctionName=name)
    assert shown["Configuration"]["Timeout"] == 9 and shown["Configuration"]["MemorySize"] == 256
    assert shown["Configuration"]["Environment"] == {"Variables": {"NUMBER": "1"}}
    assert shown["Tags"] == {"a": "b"}
    assert lam.get_function_configuration(FunctionName=name)["Version"] == "$LATEST"
    arn = shown["Configuration"]["FunctionArn"]
    lam.tag_resource(Resource=arn, Tags={"c": "d"})
    lam.untag_resource(Resource=arn, TagKeys=["a"])
    assert lam.list_tags(Resource=arn)["Tags"] == {"c": "d"}
    pages = lam.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1})
    assert name in [f["FunctionName"] for page in pages for f in page["Functions"]]
    lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    assert lam.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 0
    assert error_of(lam.invoke, FunctionName=name)["Code"] == "TooManyRequestsException"
    lam.delete_function_concurrency(FunctionName=name)
    assert lam.get_account_settings()["AccountUsage"]["FunctionCount"] >= 1
    assert lam.get_runtime_management_config(FunctionName=name)["UpdateRuntimeOn"] == "Auto"
    assert not lam.get_function_code_signing_config(FunctionName=name).get("CodeSigningConfigArn")
    lam.delete_function(FunctionName=name)
    assert error_of(lam.get_function, FunctionName=name)["Code"] == "ResourceNotFoundException"


def test_versions_and_aliases(lam, make):
    name = make("def handler(e, c):\n    return ['one', c.function_version]\n")
    first = lam.publish_version(FunctionName=name)
    assert first["Version"] == "1" and lam.publish_version(FunctionName=name)["Version"] == "1"
    lam.update_function_code(FunctionName=name, ZipFile=zip_of(
        {"app.py": "def handler(e, c):\n    return ['two', c.function_version]\n"}))
    lam.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert call(lam, name, Qualifier="live")[0] == ["one", "1"]
    assert call(lam, name)[0] == ["two", "$LATEST"]
    lam.publish_version(FunctionName=name)
    lam.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert call(lam, name + ":live")[0] == ["two", "2"]
    assert lam.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "2"
    assert [a["Name"] for a in lam.list_aliases(FunctionName=name)["Aliases"]] == ["live"]
    versions = [v["Version"] for v in lam.list_versions_by_function(FunctionName=name)["Versions"]]
    assert versions == ["$LATEST", "1", "2"]
    lam.delete_alias(FunctionName=name, Name="live")
    assert error_of(lam.get_alias, FunctionName=name, Name="live")["Code"] == (
        "ResourceNotFoundException")


def test_short_lists_come_in_pages_too(lam, make, unique):
    def pages(operation, member, key, **arguments):
        pages = lam.get_paginator(operation).paginate(**arguments, PaginationConfig={"PageSize": 2})
        lists = [page[member] for page in pages]
        assert [len(page) for page in lists] == [2, 1]
        return [entry[key] for page in lists for entry in page]

    name, layer = make(), unique("layer")
    lam.publish_version(FunctionName=name)
    for alias in ("c", "a", "b"):
        lam.create_alias(FunctionName=name, Name=alias, FunctionVersion="1")
        lam.publish_layer_version(LayerName=layer, Content={"ZipFile": zip_of({alias: alias})})
        arn = lam.put_function_event_invoke_config(FunctionName=name, Qualifier=alias,
                                                   MaximumRetryAttempts=0)["FunctionArn"]
    assert pages("list_aliases", "Aliases", "Name", FunctionName=name) == ["a", "b", "c"]
    assert pages("list_layer_versions", "LayerVersions", "Version", LayerName=layer) == [3, 2, 1]
    assert pages("list_function_event_invoke_configs", "FunctionEventInvokeConfigs", "FunctionArn",
                 FunctionName=name) == [f"{arn[:-1]}{alias}" for alias in "abc"]
    one = lam.list_layers(MaxItems=1)
    assert len(one["Layers"]) == 1
    names = [entry["LayerName"] for page in lam.get_paginator("list_layers").paginate(
        PaginationConfig={"PageSize": 1}) for entry in page["Layers"]]
    assert names == sorted(set(names)) and layer in names


def test_layers_are_mounted_in_order(lam, make, unique):
    arns = []
    for text in ("low", "high"):
        layer = unique("layer")
        made = lam.publish_layer_version(
            LayerName=layer, CompatibleRuntimes=["python3.11"],
            Content={"ZipFile": zip_of({"python/shared.py": f"X = '{text}'\n",
                                        f"only_{text}": text})})
        assert made["Version"] == 1
        arns.append(made["LayerVersionArn"])
        assert lam.get_layer_version(LayerName=layer,
                                     VersionNumber=1)["LayerVersionArn"] == arns[-1]
        assert lam.get_layer_version_by_arn(Arn=arns[-1])["Version"] == 1
        assert lam.list_layer_versions(LayerName=layer)["LayerVersions"][0]["Version"] == 1
        assert layer in [entry["LayerName"] for entry in lam.list_layers()["Layers"]]
    name = make("import os, shared\n"
                "def handler(e, c):\n    return [shared.X, sorted(os.listdir('/opt'))]\n",
                Layers=arns)
    assert call(lam, name)[0] == ["high", ["only_high", "only_low", "python"]]
    shown = lam.get_function_configuration(FunctionName=name)["Layers"]
    assert [layer["Arn"] for layer in shown] == arns and all(l["CodeSize"] > 0 for l in shown)
    lam.delete_layer_version(LayerName=arns[0].split(":")[6], VersionNumber=1)
    assert error_of(lam.get_layer_version_by_arn,
                    Arn=arns[0])["Code"] == "ResourceNotFoundException"


def test_a_custom_runtime_speaks_the_runtime_api(lam, make):
    bootstrap = """#!/bin/bash
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
request() {  # request METHOD PATH BODY: one HTTP exchange over bash's own sockets
  exec 3<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API/:/\\/}"
  printf '%s %s HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n' \\
    "$1" "/2018-06-01/runtime$2" >&3
  printf 'Content-Length: %d\\r\\n\\r\\n%s' "${#3}" "$3" >&3
  cat <&3
  exec 3>&-
}
while true; do
  answer="$(request GET /invocation/next '')"
  id="$(printf '%s' "$answer" | tr -d '\\r' | grep -i '^lambda-runtime-aws-request-id: ')"
  id="${id#*: }"
  echo "handling"
  request POST "/invocation/$id/response" "{\\"handler\\": \\"$_HANDLER\\"}" >/dev/null
done
"""
    name = make({}, Runtime="provided.al2023", Handler="whatever",
                Code={"ZipFile": zip_of({"bootstrap": bootstrap}, {"bootstrap": 0o755})})
    result, error, tail = call(lam, name, {"a": 1})
    assert (result, error) == ({"handler": "whatever"}, None)
    assert "handling" in tail


def test_a_custom_runtime_without_bootstrap_says_so(lam, make):
    name = make({}, Runtime="provided.al2023", Handler="x",
                Code={"ZipFile": zip_of({"other": "x"})})
    result, error, _ = call(lam, name)
    assert error == "Unhandled" and result["errorType"] == "Runtime.InvalidEntrypoint"


def test_asynchronous_invocations_run_later(tarn, lam, make):
    name = make("def handler(event, context):\n    print('async', event['n'])\n")
    assert lam.invoke(FunctionName=name, InvocationType="Event",
                      Payload=b'{"n": 5}')["StatusCode"] == 202
    assert "async 5\n" in messages(tarn, f"/aws/lambda/{name}", "async 5")
    assert lam.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204


def test_failed_asynchronous_invocations_reach_their_destination(tarn, lam, make, unique):
    sqs = tarn.client("sqs")
    url = sqs.create_queue(QueueName=unique("failed"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url,
                                   AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    name = make("def handler(event, context):\n    raise ValueError('no')\n",
                DeadLetterConfig={"TargetArn": arn})
    shown = lam.put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arn}})
    assert shown["MaximumRetryAttempts"] == 0
    assert lam.get_function_event_invoke_config(FunctionName=name)["MaximumRetryAttempts"] == 0
    lam.update_function_event_invoke_config(FunctionName=name, MaximumEventAgeInSeconds=600)
    assert len(lam.list_function_event_invoke_configs(
        FunctionName=name)["FunctionEventInvokeConfigs"]) == 1
    lam.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"n": 6}')
    bodies = []
    deadline = time.monotonic() + 20
    while len(bodies) < 2 and time.monotonic() < deadline:
        got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2, MaxNumberOfMessages=10)
        bodies += [json.loads(m["Body"]) for m in got.get("Messages", [])]
    assert {"n": 6} in bodies  # the dead letter
    record = next(b for b in bodies if "requestContext" in b)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestPayload"] == {"n": 6}
    assert record["responsePayload"]["errorType"] == "ValueError"
    lam.delete_function_event_invoke_config(FunctionName=name)
    assert error_of(lam.get_function_event_invoke_config, FunctionName=name)["Code"] == (
        "ResourceNotFoundException")


def test_queues_feed_functions(tarn, lam, make, unique):
    sqs = tarn.client("sqs")
    url = sqs.create_queue(QueueName=unique("source"),
                           Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url,
                                   AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    name = make("def handler(event, context):\n    for r in event['Records']:\n"
                "        print('record', r['body'], r['eventSource'])\n")
    mapping = lam.create_event_source_mapping(EventSourceArn=arn, FunctionName=name, BatchSize=5)
    for i in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=f"m{i}")
    stored = messages(tarn, f"/aws/lambda/{name}", "record m2")
    for i in range(3):
        assert f"record m{i} aws:sqs\n" in messages(tarn, f"/aws/lambda/{name}",
                                                    f"record m{i}"), stored
    uuid = mapping["UUID"]
    assert lam.get_event_source_mapping(UUID=uuid)["State"] == "Enabled"
    assert len(lam.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]) == 1
    assert lam.update_event_source_mapping(UUID=uuid, Enabled=False)["State"] == "Disabled"
    assert lam.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"
    deadline = time.monotonic() + 10
    left = "?"
    while left != "0" and time.monotonic() < deadline:
        left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[
            "ApproximateNumberOfMessagesNotVisible"])["Attributes"][
                "ApproximateNumberOfMessagesNotVisible"]
    assert left == "0"


def test_permissions_are_a_policy(lam, make):
    name = make()
    added = lam.add_permission(FunctionName=name, StatementId="s1", Action="lambda:InvokeFunction",
                               Principal="events.amazonaws.com", SourceArn=RULE)
    statement = json.loads(added["Statement"])
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": RULE}}
    assert json.loads(lam.get_policy(FunctionName=name)["Policy"])["Statement"] == [statement]
    assert error_of(lam.add_permission, FunctionName=name, StatementId="s1",
                    Action="lambda:InvokeFunction",
                    Principal="*")["Code"] == "ResourceConflictException"
    lam.remove_permission(FunctionName=name, StatementId="s1")
    assert error_of(lam.get_policy, FunctionName=name)["Code"] == "ResourceNotFoundException"


def test_functions_survive_a_kill(fresh_tarn):
    iam, lam = fresh_tarn.client("iam"), fresh_tarn.client("lambda")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    lam.create_function(FunctionName="f", Runtime="python3.11", Role=role, Handler="app.handler",
                        Code={"ZipFile": zip_of(
                            {"app.py": "def handler(e, c):\n    return 'alive'\n"})})
    assert call(lam, "f")[0] == "alive"
    fresh_tarn.restart(kill=True)
    time.sleep(0.5)
    assert subprocess.run(["pgrep", "-f", "^/usr/bin/python3.11 /var/runtime/bootstrap.py"],
                          capture_output=True).stdout.count(b"\n") <= 40  # others' tests may run
    assert call(fresh_tarn.client("lambda"), "f")[0] == "alive"


def test_the_cli_invokes(tarn, make, tmp_path):
    name = make()
    out = tmp_path / "out.json"
    tarn.aws("lambda", "invoke", "--function-name", name, "--payload", '{"a": 1}', str(out))
    assert json.loads(out.read_text()) == {"a": 1}


def test_resource_types(tarn, lam, unique):
    cfn, stack = tarn.client("cloudformation"), unique("stack")
    template = {"Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {
            "AssumeRolePolicyDocument": TRUST, "Policies": [{
                "PolicyName": "queues", "PolicyDocument": {
                    "Version": "2012-10-17", "Statement": [
                        {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}}]}},
        "Fn": {"Type": "AWS::Lambda::Function", "Properties": {
            "Runtime": "python3.11", "Handler": "index.handler", "Timeout": 7,
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Environment": {"Variables": {"NUMBER": 1}},
            "Code": {"ZipFile": "import os, cfnresponse\n"
                                "def handler(e, c):\n    return os.environ['NUMBER']\n"}}},
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Fn"}}},
        "Alias": {"Type": "AWS::Lambda::Alias", "Properties": {
            "FunctionName": {"Ref": "Fn"}, "Name": "live",
            "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]}}},
        "Source": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {
            "FunctionName": {"Ref": "Fn"}, "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
            "Enabled": False}},
        "Permission": {"Type": "AWS::Lambda::Permission", "Properties": {
            "FunctionName": {"Ref": "Fn"}, "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com"}}},
        "Outputs": {"Name": {"Value": {"Ref": "Fn"}}, "Arn": {"Value": {"Fn::GetAtt": ["Fn",
                "Arn"]}},
                    "Alias": {"Value": {"Ref": "Alias"}}}}
    wait = {"Delay": 0.2, "MaxAttempts": 150}
    cfn.create_stack(StackName=stack, TemplateBody=json.dumps(template),
                     Capabilities=["CAPABILITY_IAM"])
    try:
        cfn.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig=wait)
    except WaiterError:
        pytest.fail(str([e.get("ResourceStatusReason") for e in
                         cfn.describe_stack_events(StackName=stack)["StackEvents"]]))
    outputs = {o["OutputKey"]: o["OutputValue"]
               for o in cfn.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]}
    name = outputs["Name"]
    assert outputs["Alias"] == outputs["Arn"] + ":live"
    assert call(lam, name)[0] == "1"
    assert call(lam, outputs["Alias"])[0] == "1"
    assert lam.get_function_configuration(FunctionName=name)["Timeout"] == 7
    assert len(json.loads(lam.get_policy(FunctionName=name)["Policy"])["Statement"]) == 1
    template["Resources"]["Fn"]["Properties"]["Environment"]["Variables"]["NUMBER"] = "two"
    del template["Resources"]["Fn"]["Properties"]["Timeout"]
    cfn.update_stack(StackName=stack, TemplateBody=json.dumps(template),
                     Capabilities=["CAPABILITY_IAM"])
    cfn.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig=wait)
    assert call(lam, name)[0] == "two"
    assert lam.get_function_configuration(FunctionName=name)["Timeout"] == 3
    cfn.delete_stack(StackName=stack)
    cfn.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig=wait)
    assert error_of(lam.get_function, FunctionName=name)["Code"] == "ResourceNotFoundException"


def queue_of(tarn, unique, **attributes):
    sqs = tarn.client("sqs")
    url = sqs.create_queue(QueueName=unique("q"), Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(
        QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def logs_only_role(tarn, unique):
    iam, name = tarn.client("iam"), unique("role")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}))
    return name, arn


def until_empty(sqs, url, seconds=30):
    deadline = time.monotonic() + seconds
    while True:
        shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        left = [shown["ApproximateNumberOfMessages"],
                shown["ApproximateNumberOfMessagesNotVisible"]]
        if left == ["0", "0"]:
            return
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_a_destination_that_cannot_be_reached_does_not_run_the_function_again(
        tarn, lam, make, unique):
    iam = tarn.client("iam")
    url, arn = queue_of(tarn, unique)
    name, role = logs_only_role(tarn, unique)
    allow = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="s", PolicyDocument=json.dumps(allow))
    function = make("def handler(event, context):\n    print('ran')\n    raise ValueError('no')\n",
                    Role=role, DeadLetterConfig={"TargetArn": arn})
    lam.put_function_event_invoke_config(
        FunctionName=function, MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arn}})
    iam.delete_role_policy(RoleName=name, PolicyName="s")
    lam.invoke(FunctionName=function, InvocationType="Event", Payload=b"{}")
    group = f"/aws/lambda/{function}"
    assert "ran\n" in messages(tarn, group, "REPORT")
    # A second event behind the first one: nothing of the first is left to do.
    lam.update_function_event_invoke_config(
        FunctionName=function, DestinationConfig={"OnFailure": {}})
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        assert messages(tarn, group, "ran").count("ran\n") == 1
        time.sleep(0.1)


def test_destinations_must_be_allowed_to_the_role(tarn, lam, make, unique):
    _, arn = queue_of(tarn, unique)
    name, role = logs_only_role(tarn, unique)
    function = make(Role=role)
    assert error_of(lam.update_function_configuration, FunctionName=function,
                    DeadLetterConfig={"TargetArn": arn}) == {
        "Code": "InvalidParameterValueException", "Message":
        "The provided execution role does not have permissions to call SendMessage on SQS"}
    assert error_of(lam.put_function_event_invoke_config, FunctionName=function,
                    DestinationConfig={"OnFailure": {"Destination": arn}})["Message"] == (
        f"The function's execution role does not have permissions to call SendMessage on {arn}")


def test_throttled_events_wait_for_their_turn(tarn, lam, make):
    name = make("import time\ndef handler(event, context):\n    print('event', event)\n"
                "    time.sleep(0.2)\n", Timeout=20)
    lam.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    for i in range(6):
        lam.invoke(FunctionName=name, InvocationType="Event", Payload=str(i))
    for i in range(6):
        assert f"event {i}\n" in messages(tarn, f"/aws/lambda/{name}", f"event {i}\n", 60)


def test_functions_keep_layers_that_were_deleted(lam, make, unique):
    layer = lam.publish_layer_version(LayerName=unique("layer"), Content={
        "ZipFile": zip_of({"python/shared.py": "X = 5\n"})})
    name = make("import shared\ndef handler(e, c):\n    return shared.X\n",
                Layers=[layer["LayerVersionArn"]])
    lam.delete_layer_version(LayerName=layer["LayerArn"], VersionNumber=1)
    assert lam.list_layer_versions(LayerName=layer["LayerArn"])["LayerVersions"] == []
    assert call(lam, name)[:2] == (5, None)
    lam.update_function_configuration(FunctionName=name, Timeout=9)
    assert call(lam, name)[:2] == (5, None)
    assert "does not exist" in error_of(
        lam.update_function_configuration, FunctionName=name,
        Layers=[layer["LayerVersionArn"]])["Message"]


def test_answers_that_are_too_large_are_errors(lam, make):
    name = make("def handler(event, context):\n    return 'x' * event\n", Timeout=20,
                MemorySize=512)
    for size in (7_000_000, 30_000_000):
        result, error, _ = call(lam, name, size)
        assert error == "Unhandled" and result == {
            "errorType": "Function.ResponseSizeTooLarge", "errorMessage":
            "Response payload size exceeded maximum allowed payload size (6291556 bytes)."}
    assert call(lam, name, 3)[:2] == ("xxx", None)


def test_the_tail_tells_why_the_code_could_not_be_loaded(lam, make):
    name = make("import nothing_there\n")
    for _ in range(2):
        tail = call(lam, name)[2]
        assert "[ERROR] Runtime.ImportModuleError: Unable to import module 'app'" in tail


def test_an_end_without_an_error_has_no_reason(lam, make):
    name = make("import sys\ndef handler(event, context):\n    sys.exit(event)\n", Timeout=20)
    result, error, tail = call(lam, name, 0)
    assert error == "Unhandled" and result["errorType"] == "Runtime.ExitError"
    assert result["errorMessage"].endswith("Error: Runtime exited without providing a reason")
    assert call(lam, name, 4)[0]["errorMessage"].endswith("exited with error: exit status 4")


def test_logs_go_on_when_their_group_was_deleted(tarn, lam, make):
    name = make("def handler(event, context):\n    print('event', event)\n")
    call(lam, name, 1)
    assert "event 1\n" in messages(tarn, f"/aws/lambda/{name}", "event 1")
    tarn.client("logs").delete_log_group(logGroupName=f"/aws/lambda/{name}")
    call(lam, name, 2)
    assert "event 2\n" in messages(tarn, f"/aws/lambda/{name}", "event 2")


def test_limits_and_versions_in_use(lam, make):
    name = make()
    assert error_of(lam.update_function_configuration, FunctionName=name, Timeout=901)[
        "Message"].endswith("Member must have value less than or equal to 900")
    version = lam.publish_version(FunctionName=name)["Version"]
    lam.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    assert error_of(lam.delete_function, FunctionName=name, Qualifier=version) == {
        "Code": "ResourceConflictException", "Message":
        "Unable to delete version because the following aliases reference it: [live]"}
    lam.delete_alias(FunctionName=name, Name="live")
    lam.delete_function(FunctionName=name, Qualifier=version)


def test_mappings_that_cannot_work_are_refused(tarn, lam, make, unique):
    url, arn = queue_of(tarn, unique, VisibilityTimeout="5")
    _, role = logs_only_role(tarn, unique)
    create = lambda **more: error_of(lam.create_event_source_mapping, **more)["Message"]
    assert create(EventSourceArn=arn + "x", FunctionName=make()).startswith(
        "Error occurred while ReceiveMessage. SQS Error Code: "
        "AWS.SimpleQueueService.NonExistentQueue.")
    assert create(EventSourceArn=arn, FunctionName=make(Role=role)) == (
        "The provided execution role does not have permissions to call ReceiveMessage on SQS")
    assert create(EventSourceArn=arn, FunctionName=make(Timeout=10)) == (
        "Queue visibility timeout: 5 seconds is less than Function timeout: 10 seconds")
    assert create(EventSourceArn=arn, FunctionName=make(), BatchSize=100) == (
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater "
        "than 10")
    assert create(EventSourceArn=arn, FunctionName=make(), FilterCriteria={
        "Filters": [{"Pattern": "{"}]}) == "Invalid filter pattern definition."


def test_batches_are_gathered_for_the_length_of_the_window(tarn, lam, make, unique):
    sqs = tarn.client("sqs")
    url, arn = queue_of(tarn, unique)
    name = make("def handler(event, context):\n    print('batch', len(event['Records']))\n")
    for start in range(0, 30, 10):
        sqs.send_message_batch(QueueUrl=url, Entries=[
            {"Id": str(i), "MessageBody": str(i)} for i in range(start, start + 10)])
    mapping = lam.create_event_source_mapping(EventSourceArn=arn, FunctionName=name,
                                              BatchSize=30, MaximumBatchingWindowInSeconds=5)
    assert "batch 30\n" in messages(tarn, f"/aws/lambda/{name}", "batch", 20)
    until_empty(sqs, url)
    lam.delete_event_source_mapping(UUID=mapping["UUID"])


def test_filters_drop_what_no_pattern_wants(tarn, lam, make, unique):
    sqs = tarn.client("sqs")
    url, arn = queue_of(tarn, unique)
    name = make("def handler(event, context):\n    for r in event['Records']:\n"
                "        print('got', r['body'])\n")
    pattern = json.dumps({"body": {"kind": ["trade"]}})
    mapping = lam.create_event_source_mapping(
        EventSourceArn=arn, FunctionName=name, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    assert mapping["FilterCriteria"] == {"Filters": [{"Pattern": pattern}]}
    for body in ('{"kind": "quote"}', "no JSON", '{"kind": "trade"}'):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    stored = messages(tarn, f"/aws/lambda/{name}", "got", 20)
    until_empty(sqs, url)
    assert [m for m in messages(tarn, f"/aws/lambda/{name}", "got") if m.startswith("got")] == [
        'got {"kind": "trade"}\n'], stored
    lam.delete_event_source_mapping(UUID=mapping["UUID"])


def test_a_full_queue_is_worked_on_side_by_side(tarn, lam, make, unique):
    sqs = tarn.client("sqs")
    url, arn = queue_of(tarn, unique)
    name = make("import time\ndef handler(event, context):\n    begin = time.time()\n"
                "    time.sleep(1)\n    print('from', begin, 'to', time.time())\n", Timeout=20)
    for start in range(0, 50, 10):
        sqs.send_message_batch(QueueUrl=url, Entries=[
            {"Id": str(i), "MessageBody": "x"} for i in range(start, start + 10)])
    mapping = lam.create_event_source_mapping(EventSourceArn=arn, FunctionName=name, BatchSize=10)
    until_empty(sqs, url)
    lam.delete_event_source_mapping(UUID=mapping["UUID"])
    spans = [tuple(float(word) for word in m.split()[1::2])
             for m in messages(tarn, f"/aws/lambda/{name}", "from") if m.startswith("from")]
    assert any(a != b and a[0] < b[1] and b[0] < a[1] for a in spans for b in spans)


def test_mappings_are_listed_in_pages(tarn, lam, make, unique):
    _, arn = queue_of(tarn, unique)
    uuids = {lam.create_event_source_mapping(EventSourceArn=arn, FunctionName=make(),
                                             Enabled=False)["UUID"] for _ in range(3)}
    pages = list(lam.get_paginator("list_event_source_mappings").paginate(
        EventSourceArn=arn, PaginationConfig={"PageSize": 2}))
    assert [len(page["EventSourceMappings"]) for page in pages] == [2, 1]
    assert {m["UUID"] for page in pages for m in page["EventSourceMappings"]} == uuids


def test_a_batch_in_work_is_finished_when_its_mapping_ends(tarn, lam, make, unique):
    sqs = tarn.client("sqs")
    url, arn = queue_of(tarn, unique)
    name = make("import time\ndef handler(event, context):\n    print('begins', flush=True)\n"
                "    time.sleep(1.5)\n    print('ends')\n", Timeout=20)
    mapping = lam.create_event_source_mapping(EventSourceArn=arn, FunctionName=name)
    sqs.send_message(QueueUrl=url, MessageBody="x")
    messages(tarn, f"/aws/lambda/{name}", "begins")
    lam.delete_event_source_mapping(UUID=mapping["UUID"])
    assert "ends\n" in messages(tarn, f"/aws/lambda/{name}", "ends")
    until_empty(sqs, url)


def test_a_function_runs_to_its_end_when_its_caller_has_gone(tarn, lam, make):
    name = make("import time\ndef handler(event, context):\n    print('begins', flush=True)\n"
                "    time.sleep(1.5)\n    print('ends')\n", Timeout=20)
    caller = subprocess.Popen(
        [sys.executable, "-c", "import boto3, sys; boto3.client('lambda').invoke("
                               "FunctionName=sys.argv[1])", name], env=os.environ | tarn.env)
    assert "begins\n" in messages(tarn, f"/aws/lambda/{name}", "begins", 20)
    caller.kill()
    caller.wait()
    stored = messages(tarn, f"/aws/lambda/{name}", "REPORT")
    assert "ends\n" in stored and not any("Runtime.ExitError" in line for line in stored)
