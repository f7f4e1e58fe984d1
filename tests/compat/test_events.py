# SPDX-License-Identifier: Apache-2.0
"""EventBridge as boto3 sees it, with queues, topics, log groups and state machines as targets."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from support.server import until


@pytest.fixture
def events(tarn):
    return tarn.client("events")


@pytest.fixture
def sqs(tarn):
    return tarn.client("sqs")


@pytest.fixture
def inbox(sqs, unique):
    """inbox() → (URL, ARN) of a queue to which EventBridge may send."""
    def make(allowed=True):
        url = sqs.create_queue(QueueName=unique("inbox"))["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"]
                                       )["Attributes"]["QueueArn"]
        if allowed:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({
                "Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sqs:SendMessage", "Resource": arn}]})})
        return url, arn

    return make


@pytest.fixture
def rule(events, unique):
    """rule(pattern, target…) → the rule's name; removed afterwards."""
    names = []

    def make(pattern=None, *targets, **arguments):
        name = unique("rule")
        if pattern is not None:
            arguments["EventPattern"] = json.dumps(pattern)
        events.put_rule(Name=name, **arguments)
        names.append((name, arguments.get("EventBusName", "default")))
        if targets:
            out = events.put_targets(Rule=name, Targets=list(targets),
                                     EventBusName=arguments.get("EventBusName", "default"))
            assert out["FailedEntryCount"] == 0
        return name

    yield make
    for name, bus in names:
        try:
            ids = [t["Id"] for t in events.list_targets_by_rule(
                Rule=name, EventBusName=bus)["Targets"]]
        except ClientError:
            continue
        if ids:
            events.remove_targets(Rule=name, Ids=ids, EventBusName=bus)
        events.delete_rule(Name=name, EventBusName=bus)


def take(sqs, url, wait=10):
    found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=wait, MaxNumberOfMessages=10,
                                MessageAttributeNames=["All"]).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def put(events, source, detail, detail_type="Test", **more):
    out = events.put_events(Entries=[{"Source": source, "DetailType": detail_type,
                                      "Detail": json.dumps(detail), **more}])
    assert out["FailedEntryCount"] == 0
    return out["Entries"][0]["EventId"]


def test_an_event_reaches_the_targets_of_the_rules_that_want_it(events, sqs, inbox, rule, unique):
    url, arn = inbox()
    source = unique("source")
    name = rule({"source": [source], "detail": {"size": [{"numeric": [">", 10]}]}},
                {"Id": "q", "Arn": arn})
    put(events, source, {"size": 5})
    wanted = put(events, source, {"size": 11}, Resources=["arn:aws:s3:::b"])
    [message] = take(sqs, url)
    event = json.loads(message["Body"])
    assert event["id"] == wanted
    assert event["version"] == "0"
    assert event["source"] == source
    assert event["detail-type"] == "Test"
    assert event["detail"] == {"size": 11}
    assert event["resources"] == ["arn:aws:s3:::b"]
    events.disable_rule(Name=name)
    assert events.describe_rule(Name=name)["State"] == "DISABLED"
    put(events, source, {"size": 12})
    assert take(sqs, url, 1) == []
    events.enable_rule(Name=name)
    put(events, source, {"size": 13})
    assert len(take(sqs, url)) == 1


def test_targets_get_a_constant_a_part_or_a_filled_template(events, sqs, inbox, rule, unique):
    constant, path, template = inbox(), inbox(), inbox()
    source = unique("source")
    rule({"source": [source]},
         {"Id": "constant", "Arn": constant[1], "Input": '{"fixed": true}'},
         {"Id": "path", "Arn": path[1], "InputPath": "$.detail.object"},
         {"Id": "template", "Arn": template[1], "InputTransformer": {
             "InputPathsMap": {"key": "$.detail.object.key", "all": "$.detail"},
             "InputTemplate": '{"key": <key>, "text": "got <key>", "all": <all>, '
                              '"rule": <aws.events.rule-name>}'}})
    detail = {"object": {"key": "a/b.xlsx", "size": 3}}
    put(events, source, detail)
    assert take(sqs, constant[0])[0]["Body"] == '{"fixed": true}'
    assert json.loads(take(sqs, path[0])[0]["Body"]) == detail["object"]
    filled = json.loads(take(sqs, template[0])[0]["Body"])
    assert filled["key"] == "a/b.xlsx"
    assert filled["text"] == "got a/b.xlsx"
    assert filled["all"] == detail
    assert filled["rule"].startswith("rule-")


def test_bad_entries_are_refused_one_by_one(events):
    out = events.put_events(Entries=[
        {"Source": "x", "DetailType": "t", "Detail": "{}"},
        {"Source": "x", "DetailType": "t", "Detail": "no json"},
        {"DetailType": "t", "Detail": "{}"},
        {"Source": "aws.ec2", "DetailType": "t", "Detail": "{}"}])
    assert out["FailedEntryCount"] == 3
    codes = [entry.get("ErrorCode") for entry in out["Entries"]]
    assert codes == [None, "MalformedDetail", "InvalidArgument", "NotAuthorizedForSourceException"]


def test_rules_are_described_listed_and_deleted(events, rule, inbox, unique):
    _, arn = inbox()
    name = rule({"source": ["x"]}, {"Id": "q", "Arn": arn}, Description="why")
    shown = events.describe_rule(Name=name)
    assert shown["Description"] == "why"
    assert json.loads(shown["EventPattern"]) == {"source": ["x"]}
    assert shown["Arn"].endswith(f":rule/{name}")
    assert [r["Name"] for r in events.list_rules(NamePrefix=name)["Rules"]] == [name]
    assert events.list_rule_names_by_target(TargetArn=arn)["RuleNames"] == [name]
    assert events.list_targets_by_rule(Rule=name)["Targets"] == [{"Id": "q", "Arn": arn}]
    with pytest.raises(ClientError) as error:
        events.delete_rule(Name=name)
    assert "since it has targets" in error.value.response["Error"]["Message"]
    out = events.remove_targets(Rule=name, Ids=["q", "none"])
    assert [e["TargetId"] for e in out["FailedEntries"]] == ["none"]
    events.delete_rule(Name=name)
    with pytest.raises(events.exceptions.ResourceNotFoundException):
        events.describe_rule(Name=name)


def test_nonsense_is_refused_in_awss_words(events, unique):
    with pytest.raises(events.exceptions.InvalidEventPatternException) as error:
        events.put_rule(Name=unique("rule"), EventPattern='{"source": "x"}')
    assert error.value.response["Error"]["Message"].startswith("Event pattern is not valid.")
    for arguments in ({}, {"ScheduleExpression": "rate(5 minute)"},
                      {"ScheduleExpression": "cron(* * * * * *)"}):
        with pytest.raises(ClientError) as error:
            events.put_rule(Name=unique("rule"), **arguments)
        assert error.value.response["Error"]["Code"] == "ValidationException"
    name = unique("rule")
    events.put_rule(Name=name, EventPattern='{"source": ["x"]}')
    with pytest.raises(ClientError) as error:
        events.put_targets(Rule=name, Targets=[{"Id": "k", "Arn":
                           "arn:aws:kinesis:us-east-1:000000000000:stream/s"}])
    assert "kinesis" in error.value.response["Error"]["Message"]
    events.delete_rule(Name=name)


@pytest.mark.parametrize("expression", [
    "rate(10 seconds)", "rate(1 minutes)", "rate(10 minute)", "rate()", "rate(0 minutes)",
    "rate(10 MINUTES)", "rate( 10 minutes )", " rate(10 minutes)", "cron(0 1 * * * *)",
    "cron(7 20 * * NOT *)", "cron(INVALID)", "cron(71 8 1 * ? *)", "at(2027-01-01T00:00:00)"])
def test_schedules_that_aws_refuses_are_refused(events, unique, expression):
    with pytest.raises(ClientError) as error:
        events.put_rule(Name=unique("rule"), ScheduleExpression=expression)
    assert error.value.response["Error"]["Message"] == "Parameter ScheduleExpression is not valid."


def test_a_template_names_only_what_is_defined(events, inbox, rule):
    _, arn = inbox()
    name = rule({"source": ["x"]})
    with pytest.raises(ClientError) as error:
        events.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": arn, "InputTransformer": {
            "InputPathsMap": {"a": "$.detail.a"}, "InputTemplate": '{"a": <a>, "b": "<b>"}'}}])
    assert error.value.response["Error"]["Message"] == (
        "InputTemplate for target t contains invalid placeholder b.")


def test_targets_are_listed_in_pages(events, inbox, rule):
    _, arn = inbox()
    name = rule({"source": ["x"]}, *({"Id": f"t{i}", "Arn": arn} for i in range(5)))
    pages = events.get_paginator("list_targets_by_rule").paginate(
        Rule=name, PaginationConfig={"PageSize": 3})
    assert [[t["Id"] for t in page["Targets"]] for page in pages] == [["t0", "t1", "t2"],
                                                                      ["t3", "t4"]]


def test_patterns_can_be_tried(events):
    event = {"id": "1", "account": "1", "source": "s", "time": "2026-11-21T08:00:00Z",
             "region": "us-east-1", "resources": [], "detail-type": "t",
             "detail": {"key": "in/a.xlsx", "ip": "10.0.0.7"}}

    def matches(pattern):
        return events.test_event_pattern(EventPattern=json.dumps(pattern),
                                         Event=json.dumps(event))["Result"]

    assert matches({"detail": {"key": [{"suffix": ".xlsx"}]}})
    assert matches({"detail": {"key": [{"wildcard": "in/*.xlsx"}], "ip": [{"cidr": "10.0.0.0/8"}]}})
    assert matches({"$or": [{"source": ["other"]}, {"detail": {"none": [{"exists": False}]}}]})
    assert not matches({"detail": {"key": [{"anything-but": {"prefix": "in/"}}]}})
    assert matches({"detail.key": ["in/a.xlsx"]})
    with pytest.raises(ClientError):
        events.test_event_pattern(EventPattern='{"source": ["s"]}', Event="{}")


def test_own_buses_are_apart_and_can_be_chained(events, sqs, inbox, rule, unique):
    bus = unique("bus")
    arn = events.create_event_bus(Name=bus, Tags=[{"Key": "k", "Value": "v"}])["EventBusArn"]
    with pytest.raises(events.exceptions.ResourceAlreadyExistsException):
        events.create_event_bus(Name=bus)
    source = unique("source")
    url, queue = inbox()
    rule({"source": [source]}, {"Id": "q", "Arn": queue}, EventBusName=bus)
    put(events, source, {"on": "default"})
    assert take(sqs, url, 1) == []
    put(events, source, {"on": "own"}, EventBusName=bus)
    assert json.loads(take(sqs, url)[0]["Body"])["detail"] == {"on": "own"}
    rule({"source": [source]}, {"Id": "bus", "Arn": arn})
    sent = put(events, source, {"on": "both"})
    assert json.loads(take(sqs, url)[0]["Body"])["id"] == sent
    assert bus in [b["Name"] for b in events.list_event_buses()["EventBuses"]]
    assert events.describe_event_bus(Name=bus)["Arn"] == arn
    assert events.describe_event_bus()["Name"] == "default"
    events.update_event_bus(Name=bus, Description="mine")
    assert events.describe_event_bus(Name=bus)["Description"] == "mine"
    events.put_permission(EventBusName=bus, StatementId="other", Principal="111111111111",
                          Action="events:PutEvents")
    assert "111111111111" in events.describe_event_bus(Name=bus)["Policy"]
    events.remove_permission(EventBusName=bus, StatementId="other")
    assert "Policy" not in events.describe_event_bus(Name=bus)
    events.delete_event_bus(Name=bus)
    with pytest.raises(events.exceptions.ResourceNotFoundException):
        events.describe_event_bus(Name=bus)


def test_an_event_for_a_bus_that_does_not_exist_is_taken_and_dropped(events, sqs, inbox, rule,
                                                                     unique):
    url, arn = inbox()
    source = unique("source")
    rule({"source": [source]}, {"Id": "q", "Arn": arn})
    out = events.put_events(Entries=[
        {"Source": source, "DetailType": "t", "Detail": "{}", "EventBusName": unique("none")},
        {"Source": source, "DetailType": "t", "Detail": "{}"}])
    assert out["FailedEntryCount"] == 0 and all("EventId" in e for e in out["Entries"])
    assert [json.loads(m["Body"])["id"] for m in take(sqs, url)] == [out["Entries"][1]["EventId"]]
    assert take(sqs, url, 1) == []


def test_what_a_target_refuses_goes_to_its_dead_letter_queue(events, sqs, inbox, rule, unique):
    _, refusing = inbox(allowed=False)
    dead, dead_arn = inbox()
    source = unique("source")
    name = rule({"source": [source]}, {"Id": "q", "Arn": refusing,
                                       "DeadLetterConfig": {"Arn": dead_arn},
                                       "RetryPolicy": {"MaximumRetryAttempts": 2,
                                                       "MaximumEventAgeInSeconds": 60}})
    sent = put(events, source, {})
    [message] = take(sqs, dead)
    assert json.loads(message["Body"])["id"] == sent
    attributes = {k: v["StringValue"] for k, v in message["MessageAttributes"].items()}
    assert attributes["TARGET_ARN"] == refusing
    assert attributes["RULE_ARN"].endswith(name)
    assert attributes["ERROR_CODE"] == "NO_PERMISSIONS"
    assert attributes["RETRY_ATTEMPTS"] == "0"
    assert "EXHAUSTED_RETRY_CONDITION" not in attributes  # nothing was worth another try


def test_a_target_that_is_gone_is_named_in_the_dead_letter_queue(events, sqs, inbox, rule, unique):
    bus = unique("bus")
    gone = events.create_event_bus(Name=bus)["EventBusArn"]
    dead, dead_arn = inbox()
    source = unique("source")
    rule({"source": [source]},
         {"Id": "b", "Arn": gone, "DeadLetterConfig": {"Arn": dead_arn}})
    events.delete_event_bus(Name=bus)
    put(events, source, {})
    [message] = take(sqs, dead)
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"


def test_log_groups_and_topics_are_targets(events, sqs, tarn, inbox, rule, unique):
    logs, sns = tarn.client("logs"), tarn.client("sns")
    group = "/aws/events/" + unique("group")
    logs.create_log_group(logGroupName=group)
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sns:Publish", "Resource": topic}]}))
    url, queue = inbox()
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": queue}]})})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue,
                  Attributes={"RawMessageDelivery": "true"})
    source = unique("source")
    rule({"source": [source]},
         {"Id": "topic", "Arn": topic},
         {"Id": "log", "Arn": f"arn:aws:logs:{tarn.region}:000000000000:log-group:{group}"})
    sent = put(events, source, {})
    assert json.loads(take(sqs, url)[0]["Body"])["id"] == sent
    [entry] = until(lambda: logs.filter_log_events(logGroupName=group)["events"])
    assert json.loads(entry["message"])["id"] == sent


def test_a_state_machine_is_started_once_with_the_targets_role(events, tarn, rule, unique):
    iam, states = tarn.client("iam"), tarn.client("stepfunctions")

    def role(service, action):
        name = unique("role")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": service},
                "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}))
        return arn

    machine = states.create_state_machine(
        name=unique("machine"), roleArn=role("states.amazonaws.com", "sqs:*"),
        definition=json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    )["stateMachineArn"]
    source = unique("source")
    rule({"source": [source]},
         {"Id": "m", "Arn": machine, "InputPath": "$.detail",
          "RoleArn": role("events.amazonaws.com", "states:StartExecution")})
    sent = put(events, source, {"n": 7})
    [execution] = until(lambda: states.list_executions(stateMachineArn=machine)["executions"])
    assert execution["name"].startswith(sent)
    described = states.describe_execution(executionArn=execution["executionArn"])
    assert json.loads(described["input"]) == {"n": 7}


def test_a_schedule_fires_its_targets(events, sqs, inbox, rule):
    import datetime

    url, queue = inbox()
    # The next full minute but one, so that it cannot pass before the rule stands.
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=70)
    name = rule(None, {"Id": "q", "Arn": queue},
                ScheduleExpression=f"cron({when.minute} {when.hour} * * ? *)")
    got = []
    until(lambda: got.extend(take(sqs, url, 5)) or got, seconds=150)
    event = json.loads(got[0]["Body"])
    assert event["detail-type"] == "Scheduled Event"
    assert event["source"] == "aws.events"
    assert event["resources"][0].endswith("rule/" + name)
    assert event["time"] == when.strftime("%Y-%m-%dT%H:%M:00Z")


def test_tags(events, rule):
    name = rule({"source": ["x"]}, Tags=[{"Key": "a", "Value": "1"}])
    arn = events.describe_rule(Name=name)["Arn"]
    events.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}])
    events.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "b", "Value": "2"}]


def test_cloudformation_makes_changes_and_removes_rules(tarn, unique, events, sqs):
    cfn = tarn.client("cloudformation")
    stack, source = unique("stack"), unique("source")
    template = {"Resources": {
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": unique("bus")}},
        "Queue": {"Type": "AWS::SQS::Queue"},
        "QueuePolicy": {"Type": "AWS::SQS::QueuePolicy", "Properties": {
            "Queues": [{"Ref": "Queue"}], "PolicyDocument": {
                "Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": ["Queue", "Arn"]}}]}}},
        "Rule": {"Type": "AWS::Events::Rule", "Properties": {
            "EventBusName": {"Ref": "Bus"}, "EventPattern": {"source": [source]},
            "Targets": [{"Id": "q", "Arn": {"Fn::GetAtt": ["Queue", "Arn"]},
                         "InputPath": "$.detail"}]}}},
        "Outputs": {"Url": {"Value": {"Ref": "Queue"}}, "Bus": {"Value": {"Ref": "Bus"}}}}
    cfn.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    cfn.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    outputs = {o["OutputKey"]: o["OutputValue"]
               for o in cfn.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]}
    put(events, source, {"n": 1}, EventBusName=outputs["Bus"])
    assert take(sqs, outputs["Url"])[0]["Body"] == '{"n":1}'
    target = template["Resources"]["Rule"]["Properties"]["Targets"][0]
    del target["InputPath"]
    target.update(Id="other", Input='{"changed":1}')
    template["Resources"]["Bus"]["Properties"]["Description"] = "changed"
    cfn.update_stack(StackName=stack, TemplateBody=json.dumps(template))
    cfn.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    put(events, source, {"n": 2}, EventBusName=outputs["Bus"])
    assert [m["Body"] for m in take(sqs, outputs["Url"])] == ['{"changed":1}']
    assert events.describe_event_bus(Name=outputs["Bus"])["Description"] == "changed"
    cfn.delete_stack(StackName=stack)
    cfn.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    assert outputs["Bus"] not in [b["Name"] for b in events.list_event_buses()["EventBuses"]]
