# SPDX-License-Identifier: Apache-2.0
"""CloudWatch Logs with boto3 and the aws CLI."""

from __future__ import annotations

import json
import time

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def logs(tarn):
    return tarn.client("logs")


@pytest.fixture
def group(logs, unique):
    name = "/test/" + unique("group")
    logs.create_log_group(logGroupName=name, tags={"team": "data"})
    return name


def put(logs, group, stream, messages, at=None):
    at = at or int(time.time() * 1000)
    return logs.put_log_events(
        logGroupName=group, logStreamName=stream,
        logEvents=[{"timestamp": at + i, "message": m} for i, m in enumerate(messages)])


def code_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_groups_are_made_listed_and_removed(logs, unique):
    prefix = "/test/" + unique("many")
    for i in range(3):
        logs.create_log_group(logGroupName=f"{prefix}/{i}")
    found = logs.describe_log_groups(logGroupNamePrefix=prefix, limit=2)
    assert [g["logGroupName"] for g in found["logGroups"]] == [f"{prefix}/0", f"{prefix}/1"]
    rest = logs.describe_log_groups(logGroupNamePrefix=prefix, nextToken=found["nextToken"])
    assert [g["logGroupName"] for g in rest["logGroups"]] == [f"{prefix}/2"]
    assert found["logGroups"][0]["arn"].endswith(f":log-group:{prefix}/0:*")
    assert len(logs.describe_log_groups(logGroupNamePattern=prefix[1:])["logGroups"]) == 3
    assert len(logs.list_log_groups(logGroupNamePattern=prefix)["logGroups"]) == 3
    logs.delete_log_group(logGroupName=f"{prefix}/0")
    assert code_of(logs.delete_log_group, logGroupName=f"{prefix}/0") == (
        "ResourceNotFoundException", "The specified log group does not exist.")
    assert code_of(logs.create_log_group, logGroupName=f"{prefix}/1") == (
        "ResourceAlreadyExistsException", "The specified log group already exists")


def test_retention_and_tags(logs, group):
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    shown = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    assert shown["retentionInDays"] == 7
    logs.delete_retention_policy(logGroupName=group)
    shown = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    assert "retentionInDays" not in shown
    assert code_of(logs.put_retention_policy, logGroupName=group, retentionInDays=8)[0] == (
        "InvalidParameterException")
    arn = shown["logGroupArn"]
    logs.tag_resource(resourceArn=arn, tags={"cost": "1"})
    logs.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"cost": "1"}
    logs.tag_log_group(logGroupName=group, tags={"old": "way"})
    logs.untag_log_group(logGroupName=group, tags=["cost"])
    assert logs.list_tags_log_group(logGroupName=group)["tags"] == {"old": "way"}


def test_streams_are_listed_by_name_and_by_time(logs, group):
    for name in ("b", "a", "ab"):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
    now = int(time.time() * 1000)
    put(logs, group, "a", ["x"], now - 5000)
    put(logs, group, "b", ["y"], now)
    names = lambda **kw: [s["logStreamName"] for s in logs.describe_log_streams(
        logGroupName=group, **kw)["logStreams"]]
    assert names() == ["a", "ab", "b"]
    assert names(logStreamNamePrefix="a") == ["a", "ab"]
    assert names(orderBy="LastEventTime", descending=True)[:2] == ["b", "a"]
    assert logs.describe_log_streams(logGroupName=group)["logStreams"][0]["lastEventTimestamp"] == (
        now - 5000)
    logs.delete_log_stream(logGroupName=group, logStreamName="ab")
    assert names() == ["a", "b"]
    assert code_of(logs.delete_log_stream, logGroupName=group, logStreamName="ab") == (
        "ResourceNotFoundException", "The specified log stream does not exist.")


def test_events_of_a_stream_are_read_in_pages_both_ways(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    put(logs, group, "s", [f"m{i}" for i in range(10)])
    get = lambda **kw: logs.get_log_events(logGroupName=group, logStreamName="s", **kw)
    text = lambda page: [e["message"] for e in page["events"]]
    page = get(limit=4)
    assert text(page) == ["m6", "m7", "m8", "m9"]
    earlier = get(limit=4, nextToken=page["nextBackwardToken"])
    assert text(earlier) == ["m2", "m3", "m4", "m5"]
    assert text(get(limit=4, startFromHead=True)) == ["m0", "m1", "m2", "m3"]
    end = get(nextToken=page["nextForwardToken"])
    assert text(end) == [] and end["nextForwardToken"] == page["nextForwardToken"]
    put(logs, group, "s", ["late"], int(time.time() * 1000) + 1000)
    assert text(get(nextToken=end["nextForwardToken"])) == ["late"]


def test_batches_must_be_in_order_and_in_range(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = int(time.time() * 1000)
    assert code_of(logs.put_log_events, logGroupName=group, logStreamName="s", logEvents=[
        {"timestamp": now, "message": "a"}, {"timestamp": now - 1, "message": "b"}]) == (
        "InvalidParameterException",
        "Log events in a single PutLogEvents request must be in chronological order.")
    day = 86_400_000
    assert put(logs, group, "s", ["old"], now - 15 * day)["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 1}
    assert put(logs, group, "s", ["new"], now + 3 * 3_600_000)["rejectedLogEventsInfo"] == {
        "tooNewLogEventStartIndex": 0}
    assert code_of(put, logs=logs, group=group, stream="none", messages=["x"])[1] == (
        "The specified log stream does not exist.")


def test_filtering_finds_terms_phrases_and_json(logs, group):
    for name in ("one", "two"):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
    now = int(time.time() * 1000)
    put(logs, group, "one", ["INFO start", "ERROR disk is full", '{"level":"ERROR","code":503}'],
        now)
    put(logs, group, "two", ["ERROR timeout", '{"level":"INFO","code":200}'], now + 100)

    def found(pattern, **more):
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, filterPattern=pattern, **more)
        return [e["message"] for page in pages for e in page["events"]]

    assert found("ERROR") == ["ERROR disk is full", '{"level":"ERROR","code":503}', "ERROR timeout"]
    assert found('ERROR "is full"') == ["ERROR disk is full"]
    assert found("ERROR -timeout -level") == ["ERROR disk is full"]
    assert found("?start ?timeout") == ["INFO start", "ERROR timeout"]
    assert found("{ $.code >= 500 }") == ['{"level":"ERROR","code":503}']
    assert found("", logStreamNames=["two"]) == ["ERROR timeout", '{"level":"INFO","code":200}']
    assert found("ERROR", logStreamNamePrefix="t") == ["ERROR timeout"]
    assert found("", startTime=now + 100, endTime=now + 100) == ["ERROR timeout"]
    assert found("", PaginationConfig={"PageSize": 2}) == found("")
    assert code_of(logs.filter_log_events, logGroupName=group, filterPattern="{ $.a")[0] == (
        "InvalidParameterException")


def test_a_group_made_again_is_empty(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    put(logs, group, "s", ["secret"])
    logs.delete_log_group(logGroupName=group)
    logs.create_log_group(logGroupName=group)
    assert logs.filter_log_events(logGroupName=group)["events"] == []
    assert logs.describe_log_streams(logGroupName=group)["logStreams"] == []


def test_the_cli_filters(tarn, logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    put(logs, group, "s", ["first", "second"])
    out = tarn.aws("logs", "filter-log-events", "--log-group-name", group, "--filter-pattern",
                   "second", "--query", "events[].message", "--output", "text").stdout
    assert out.strip() == "second"


def test_events_survive_a_kill(fresh_tarn):
    logs = fresh_tarn.client("logs")
    logs.create_log_group(logGroupName="/g")
    logs.create_log_stream(logGroupName="/g", logStreamName="s")
    put(logs, "/g", "s", ["kept"])
    fresh_tarn.restart(kill=True)
    logs = fresh_tarn.client("logs")
    assert [e["message"] for e in logs.filter_log_events(logGroupName="/g")["events"]] == ["kept"]
    put(logs, "/g", "s", ["more"])
    assert [e["message"] for e in logs.get_log_events(
        logGroupName="/g", logStreamName="s")["events"]] == ["kept", "more"]


def test_resource_types(tarn, unique):
    stack, name = unique("stack"), "/cfn/" + unique("group")
    cfn = tarn.client("cloudformation")
    template = {"Resources": {
        "Group": {"Type": "AWS::Logs::LogGroup",
                  "Properties": {"LogGroupName": name, "RetentionInDays": 14,
                                 "Tags": [{"Key": "a", "Value": "b"}]}},
        "Stream": {"Type": "AWS::Logs::LogStream",
                   "Properties": {"LogGroupName": {"Ref": "Group"}, "LogStreamName": "s"}}},
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Group", "Arn"]}}}}
    cfn.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    cfn.get_waiter("stack_create_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 0.2, "MaxAttempts": 100})
    logs = tarn.client("logs")
    group = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]
    assert group["retentionInDays"] == 14
    outputs = cfn.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    assert outputs[0]["OutputValue"] == group["arn"]
    assert logs.describe_log_streams(logGroupName=name)["logStreams"][0]["logStreamName"] == "s"
    del template["Resources"]["Group"]["Properties"]["RetentionInDays"]
    cfn.update_stack(StackName=stack, TemplateBody=json.dumps(template))
    cfn.get_waiter("stack_update_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 0.2, "MaxAttempts": 100})
    group = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]
    assert "retentionInDays" not in group
    cfn.delete_stack(StackName=stack)
    cfn.get_waiter("stack_delete_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 0.2, "MaxAttempts": 100})
    assert logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"] == []


def test_pages_backward_are_bounded_too(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = int(time.time() * 1000)
    for i in range(6):
        put(logs, group, "s", [str(i).rjust(400_000, ".")], now + i)
    found, token, pages = [], None, 0
    while True:
        more = {"nextToken": token} if token else {}
        page = logs.get_log_events(logGroupName=group, logStreamName="s", **more)
        if page["nextBackwardToken"] == token:
            break
        token, pages = page["nextBackwardToken"], pages + 1
        assert sum(len(e["message"]) for e in page["events"]) < 1_200_000
        found = [e["message"].strip(".") for e in page["events"]] + found
    assert found == ["0", "1", "2", "3", "4", "5"] and pages == 3


def test_filtering_finds_fields_between_spaces(logs, group):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    lines = ['10.0.0.1 - ann [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 404 2326',
             '10.0.0.2 - bob [10/Oct/2000:13:55:36 -0700] "GET /b HTTP/1.0" 200 99']
    put(logs, group, "s", lines)
    found = lambda pattern: [e["message"] for e in logs.filter_log_events(
        logGroupName=group, filterPattern=pattern)["events"]]
    assert found("[ip, id, user, time, request, status = 4*, size]") == lines[:1]
    assert found("[..., size > 1000]") == lines[:1]
    assert found("[ip, id, user = bob, ...]") == lines[1:]
    assert found("[a, b]") == []
