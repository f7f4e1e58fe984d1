# SPDX-License-Identifier: Apache-2.0
"""Step Functions with boto3: machines, executions, waits, retries, tokens, activities, restarts."""

from __future__ import annotations

import concurrent.futures
import io
import json
import threading
import time
import zipfile

import botocore.exceptions
import pytest

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"},
     "Action": "sts:AssumeRole"}]})
ALL = json.dumps({"Version": "2012-10-17",
                  "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


def make_role(server, name, policy=ALL):
    iam = server.client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    if policy:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    return arn


@pytest.fixture
def machine(tarn, unique):
    """machine(states, start_at, **more) → ARN of a new state machine."""
    role = make_role(tarn, unique("role"))

    def make(states, start_at=None, role_arn=role, **more):
        definition = {"StartAt": start_at or next(iter(states)), "States": states}
        definition |= more.pop("definition", {})
        return tarn.client("stepfunctions").create_state_machine(
            name=unique("machine"), definition=json.dumps(definition), roleArn=role_arn,
            **more)["stateMachineArn"]

    return make


def finish(client, arn, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        answer = client.describe_execution(executionArn=arn)
        if answer["status"] != "RUNNING":
            return answer
        time.sleep(0.02)
    raise AssertionError(f"{arn} still runs")


def run(client, machine_arn, given=None, **more):
    arn = client.start_execution(stateMachineArn=machine_arn, input=json.dumps(given or {}),
                                 **more)["executionArn"]
    return finish(client, arn)


def kinds(client, arn):
    return [e["type"] for e in client.get_execution_history(executionArn=arn)["events"]]


def kinds_of_all(client, arn):
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=arn, PaginationConfig={"PageSize": 1000})
    return [event["type"] for page in pages for event in page["events"]]


def code_of(error):
    return error.value.response["Error"]["Code"]


def test_a_machine_can_be_made_described_updated_and_deleted(tarn, unique):
    sfn = tarn.client("stepfunctions")
    role = make_role(tarn, unique("role"))
    name = unique("machine")
    text = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
    arn = sfn.create_state_machine(name=name, definition=text, roleArn=role)["stateMachineArn"]
    assert arn.endswith(f":stateMachine:{name}")
    # The same again is the same machine; another definition is refused.
    again = sfn.create_state_machine(name=name, definition=text, roleArn=role)
    assert again["stateMachineArn"] == arn
    with pytest.raises(botocore.exceptions.ClientError) as error:
        sfn.create_state_machine(name=name, definition=text + " ", roleArn=role)
    assert code_of(error) == "StateMachineAlreadyExists"
    described = sfn.describe_state_machine(stateMachineArn=arn)
    assert described["definition"] == text and described["status"] == "ACTIVE"
    assert arn in [m["stateMachineArn"] for m in sfn.list_state_machines()["stateMachines"]]
    changed = json.dumps({"StartAt": "B", "States": {"B": {"Type": "Succeed"}}})
    revision = sfn.update_state_machine(stateMachineArn=arn, definition=changed)["revisionId"]
    assert sfn.describe_state_machine(stateMachineArn=arn)["revisionId"] == revision
    sfn.delete_state_machine(stateMachineArn=arn)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        sfn.describe_state_machine(stateMachineArn=arn)
    assert code_of(error) == "StateMachineDoesNotExist"


def test_bad_definitions_are_refused_in_aws_words(tarn, unique):
    sfn = tarn.client("stepfunctions")
    bad = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Wait", "Timestamp": "soon",
                                                      "End": True}}})
    with pytest.raises(botocore.exceptions.ClientError) as error:
        sfn.create_state_machine(name=unique("m"), definition=bad,
                                 roleArn="arn:aws:iam::000000000000:role/any")
    assert error.value.response["Error"]["Message"] == (
        "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: String does not match "
        "RFC3339 timestamp at /States/A/Timestamp'")
    answer = sfn.validate_state_machine_definition(definition=bad)
    assert answer["result"] == "FAIL"
    assert answer["diagnostics"][0]["location"] == "/States/A/Timestamp"
    jsonata = json.dumps({"QueryLanguage": "JSONata", "StartAt": "A",
                          "States": {"A": {"Type": "Succeed"}}})
    with pytest.raises(botocore.exceptions.ClientError, match="JSONata"):
        sfn.create_state_machine(name=unique("m"), definition=jsonata,
                                 roleArn="arn:aws:iam::000000000000:role/any")


def test_an_execution_runs_and_keeps_its_history(tarn, machine):
    sfn = tarn.client("stepfunctions")
    arn = machine({
        "Shape": {"Type": "Pass", "Parameters": {"doubled.$": "States.MathAdd($.n, $.n)"},
                  "ResultPath": "$.shaped", "Next": "Big?"},
        "Big?": {"Type": "Choice", "Default": "Small", "Choices": [
            {"Variable": "$.shaped.doubled", "NumericGreaterThan": 10, "Next": "Each"}]},
        "Small": {"Type": "Fail", "Error": "TooSmall",
                  "CausePath": "States.Format('only {}', $.n)"},
        "Each": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2,
                 "ItemSelector": {"index.$": "$$.Map.Item.Index", "value.$": "$$.Map.Item.Value"},
                 "ItemProcessor": {"StartAt": "One",
                                   "States": {"One": {"Type": "Pass", "End": True}}},
                 "ResultPath": "$.each", "End": True}})
    done = run(sfn, arn, {"n": 6, "items": ["a", "b"]})
    assert done["status"] == "SUCCEEDED"
    output = json.loads(done["output"])
    assert output["shaped"] == {"doubled": 12}
    assert output["each"] == [{"index": 0, "value": "a"}, {"index": 1, "value": "b"}]
    events = sfn.get_execution_history(executionArn=done["executionArn"])["events"]
    assert [e["id"] for e in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "ExecutionStarted" and events[-1]["type"] == "ExecutionSucceeded"
    failed = run(sfn, arn, {"n": 1, "items": []})
    assert (failed["status"], failed["error"], failed["cause"]) == ("FAILED", "TooSmall", "only 1")


def test_histories_are_paged_forwards_and_backwards(tarn, machine):
    sfn = tarn.client("stepfunctions")
    states = {f"S{i}": {"Type": "Pass", "Next": f"S{i + 1}"} for i in range(40)}
    states["S40"] = {"Type": "Succeed"}
    done = run(sfn, machine(states))
    assert done["status"] == "SUCCEEDED"
    whole = sfn.get_execution_history(executionArn=done["executionArn"], maxResults=1000)["events"]
    assert len(whole) == 84
    for reverse in (False, True):
        paged = []
        for page in sfn.get_paginator("get_execution_history").paginate(
                executionArn=done["executionArn"], reverseOrder=reverse,
                PaginationConfig={"PageSize": 7}):
            assert len(page["events"]) <= 7
            paged += page["events"]
        assert [e["id"] for e in paged] == [e["id"] for e in (whole[::-1] if reverse else whole)]
    bare = sfn.get_execution_history(executionArn=done["executionArn"], includeExecutionData=False)
    assert "input" not in bare["events"][0]["executionStartedEventDetails"]


def test_starting_again_with_a_running_name_gives_the_same_execution(tarn, machine, unique):
    sfn = tarn.client("stepfunctions")
    arn = machine({"W": {"Type": "Wait", "Seconds": 60, "End": True}})
    name = unique("run")
    first = sfn.start_execution(stateMachineArn=arn, name=name, input='{"a":1}')
    again = sfn.start_execution(stateMachineArn=arn, name=name, input='{"a":1}')
    assert first["executionArn"] == again["executionArn"]
    assert first["startDate"] == again["startDate"]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        sfn.start_execution(stateMachineArn=arn, name=name, input='{"a":2}')
    assert code_of(error) == "ExecutionAlreadyExists"
    listed = sfn.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]
    assert [e["name"] for e in listed] == [name]
    sfn.stop_execution(executionArn=first["executionArn"], error="Enough", cause="for today")
    done = sfn.describe_execution(executionArn=first["executionArn"])
    assert (done["status"], done["error"], done["cause"]) == ("ABORTED", "Enough", "for today")
    assert kinds(sfn, first["executionArn"])[-1] == "ExecutionAborted"


def test_a_token_of_nowhere_is_refused(tarn, machine):
    sfn = tarn.client("stepfunctions")
    arn = machine({"A": {"Type": "Succeed"}})
    for call in (sfn.list_state_machines, sfn.list_activities,
                 lambda **more: sfn.list_executions(stateMachineArn=arn, **more),
                 lambda **more: sfn.list_state_machine_versions(stateMachineArn=arn, **more)):
        with pytest.raises(botocore.exceptions.ClientError) as error:
            call(nextToken="bm9uc2Vuc2U=")
        assert code_of(error) == "InvalidToken"


def test_a_wait_takes_its_time_and_a_machine_can_time_out(tarn, machine):
    sfn = tarn.client("stepfunctions")
    began = time.time()
    done = run(sfn, machine({"W": {"Type": "Wait", "SecondsPath": "$.n", "End": True}}), {"n": 1})
    assert done["status"] == "SUCCEEDED" and time.time() - began >= 1
    late = run(sfn, machine({"W": {"Type": "Wait", "Seconds": 30, "End": True}},
                            definition={"TimeoutSeconds": 1}))
    assert late["status"] == "TIMED_OUT"


def test_a_failing_task_is_retried_and_then_caught(tarn, machine):
    sfn = tarn.client("stepfunctions")
    arn = machine({
        "Call": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sqs:getQueueUrl",
                 "Parameters": {"QueueName": "no-such-queue"},
                 "Retry": [{"ErrorEquals": ["Sqs.QueueDoesNotExistException"], "MaxAttempts": 1,
                            "IntervalSeconds": 1}],
                 "Catch": [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.error",
                            "Next": "Caught"}], "End": True},
        "Caught": {"Type": "Pass", "End": True}})
    done = run(sfn, arn, {"kept": True})
    assert done["status"] == "SUCCEEDED", done
    output = json.loads(done["output"])
    assert output["kept"] is True
    assert output["error"]["Error"] == "Sqs.QueueDoesNotExistException"
    assert "(Service: Sqs, Status Code: 400, Request ID: " in output["error"]["Cause"]
    assert kinds(sfn, done["executionArn"]).count("TaskScheduled") == 2


def test_services_are_called_under_the_machines_role(tarn, machine, unique):
    sfn = tarn.client("stepfunctions")
    weak = make_role(tarn, unique("weak"), policy=None)
    states = {"Send": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage",
                       "Parameters": {"QueueUrl.$": "$.url", "MessageBody": {"n.$": "$.n"}},
                       "End": True}}
    url = tarn.client("sqs").create_queue(QueueName=unique("queue"))["QueueUrl"]
    denied = run(sfn, machine(states, role_arn=weak), {"url": url, "n": 1})
    assert denied["status"] == "FAILED" and "not authorized" in denied["cause"], denied
    allowed = run(sfn, machine(states), {"url": url, "n": 1})
    assert allowed["status"] == "SUCCEEDED", allowed
    assert set(json.loads(allowed["output"])) >= {"MessageId", "MD5OfMessageBody",
                                                  "SdkHttpMetadata"}
    message = tarn.client("sqs").receive_message(QueueUrl=url)["Messages"][0]
    assert json.loads(message["Body"]) == {"n": 1}


def test_a_task_token_is_answered_from_outside(tarn, machine, unique):
    sfn, sqs = tarn.client("stepfunctions"), tarn.client("sqs")
    url = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    arn = machine({"Ask": {"Type": "Task",
                           "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                           "HeartbeatSeconds": 3,
                           "Parameters": {"QueueUrl": url,
                                          "MessageBody": {"token.$": "$$.Task.Token"}},
                           "Catch": [{"ErrorEquals": ["Refused"], "Next": "No"}], "End": True},
                   "No": {"Type": "Pass", "End": True}})

    def token_of_next():
        message = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"][0]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return json.loads(message["Body"])["token"]

    first = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    token = token_of_next()
    for _ in range(2):  # outlives its heartbeat only because it beats
        time.sleep(2)
        sfn.send_task_heartbeat(taskToken=token)
    sfn.send_task_success(taskToken=token, output='{"answer":42}')
    assert json.loads(finish(sfn, first)["output"]) == {"answer": 42}
    assert kinds(sfn, first)[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted",
                                      "TaskSucceeded"]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        sfn.send_task_success(taskToken=token, output="{}")
    assert code_of(error) == "TaskTimedOut"
    second = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    sfn.send_task_failure(taskToken=token_of_next(), error="Refused", cause="no")
    assert json.loads(finish(sfn, second)["output"]) == {"Error": "Refused", "Cause": "no"}
    third = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    token_of_next()
    assert finish(sfn, third)["error"] == "States.Timeout"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        sfn.send_task_success(taskToken="made up", output="{}")
    assert code_of(error) == "InvalidToken"


def test_an_activity_is_worked_on_by_a_poller(tarn, machine, unique):
    sfn = tarn.client("stepfunctions")
    activity = sfn.create_activity(name=unique("activity"))["activityArn"]
    arn = machine({"Work": {"Type": "Task", "Resource": activity, "TimeoutSeconds": 20,
                            "End": True}})
    execution = sfn.start_execution(stateMachineArn=arn, input='{"x":1}')["executionArn"]
    task = sfn.get_activity_task(activityArn=activity, workerName="me")
    assert json.loads(task["input"]) == {"x": 1}
    sfn.send_task_success(taskToken=task["taskToken"], output='"done"')
    assert finish(sfn, execution)["output"] == '"done"'
    assert kinds(sfn, execution) == [
        "ExecutionStarted", "TaskStateEntered", "ActivityScheduled", "ActivityStarted",
        "ActivitySucceeded", "TaskStateExited", "ExecutionSucceeded"]
    # A poller that is there first is given the task when it comes.
    taken = []
    poller = threading.Thread(
        target=lambda: taken.append(tarn.client("stepfunctions").get_activity_task(
            activityArn=activity)))
    poller.start()
    time.sleep(0.3)
    second = sfn.start_execution(stateMachineArn=arn, input='{"x":2}')["executionArn"]
    poller.join(10)
    sfn.send_task_success(taskToken=taken[0]["taskToken"], output="2")
    assert finish(sfn, second)["output"] == "2"


def test_activities_are_made_described_listed_and_deleted(tarn, unique):
    sfn = tarn.client("stepfunctions")
    name = unique("activity")
    arn = sfn.create_activity(name=name)["activityArn"]
    assert sfn.create_activity(name=name)["activityArn"] == arn
    assert sfn.describe_activity(activityArn=arn)["name"] == name
    assert arn in [a["activityArn"] for a in sfn.list_activities()["activities"]]
    sfn.delete_activity(activityArn=arn)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        sfn.describe_activity(activityArn=arn)
    assert code_of(error) == "ActivityDoesNotExist"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        sfn.create_activity(name="not a name")
    assert code_of(error) == "InvalidName"


def test_an_execution_keeps_the_definition_that_it_began_with(tarn, machine):
    sfn = tarn.client("stepfunctions")
    arn = machine({"W": {"Type": "Wait", "Seconds": 1, "End": True}})
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    sfn.update_state_machine(stateMachineArn=arn, definition=json.dumps(
        {"StartAt": "F", "States": {"F": {"Type": "Fail"}}}))
    described = sfn.describe_state_machine_for_execution(executionArn=execution)
    assert described["stateMachineArn"] == arn and '"Wait"' in described["definition"]
    assert finish(sfn, execution)["status"] == "SUCCEEDED"
    assert run(sfn, arn)["status"] == "FAILED"


def test_an_execution_can_wait_for_another_one(tarn, machine):
    sfn = tarn.client("stepfunctions")
    inner = machine({"A": {"Type": "Pass", "Result": {"inner": True}, "Next": "W"},
                     "W": {"Type": "Wait", "Seconds": 1, "End": True}})
    start = "arn:aws:states:::states:startExecution"
    outer = machine({"Run": {"Type": "Task", "Resource": start + ".sync:2",
                             "Parameters": {"StateMachineArn": inner, "Input": {"n": 1}},
                             "ResultSelector": {"got.$": "$.Output"}, "End": True}})
    done = run(sfn, outer)
    assert done["status"] == "SUCCEEDED", done
    assert json.loads(done["output"]) == {"got": {"inner": True}}
    broken = machine({"F": {"Type": "Fail", "Error": "E", "Cause": "C"}})
    failing = machine({"Run": {"Type": "Task", "Resource": start + ".sync",
                               "Parameters": {"StateMachineArn": broken}, "End": True}})
    failed = run(sfn, failing)
    assert failed["error"] == "States.TaskFailed"
    assert json.loads(failed["cause"])["Error"] == "E"


CODE = """
class Refused(Exception):
    pass

def handler(event, context):
    if event.get("refuse"):
        raise Refused("not this one")
    return {"echo": event}
"""


@pytest.fixture
def function(tarn, unique):
    role = tarn.client("iam").create_role(
        RoleName=unique("fn-role"),
        AssumeRolePolicyDocument=TRUST.replace("states.", "lambda."))["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("app.py", CODE)
    return tarn.client("lambda").create_function(
        FunctionName=unique("fn"), Runtime="python3.11", Role=role, Handler="app.handler",
        Code={"ZipFile": archive.getvalue()})["FunctionArn"]


def test_functions_are_invoked_by_arn_and_by_the_integration(tarn, machine, function):
    sfn = tarn.client("stepfunctions")
    direct = run(sfn, machine({"F": {"Type": "Task", "Resource": function, "End": True}}), {"a": 1})
    assert json.loads(direct["output"]) == {"echo": {"a": 1}}, direct
    assert kinds(sfn, direct["executionArn"])[2:5] == [
        "LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionSucceeded"]
    states = {"F": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
                    "Parameters": {"FunctionName": function, "Payload.$": "$"},
                    "ResultSelector": {"got.$": "$.Payload", "status.$": "$.StatusCode"},
                    "Catch": [{"ErrorEquals": ["Refused"], "Next": "No"}], "End": True},
              "No": {"Type": "Pass", "End": True}}
    arn = machine(states)
    assert json.loads(run(sfn, arn, {"a": 2})["output"]) == {"got": {"echo": {"a": 2}},
                                                            "status": 200}
    refused = json.loads(run(sfn, arn, {"refuse": True})["output"])
    assert refused["Error"] == "Refused"
    assert json.loads(refused["Cause"])["errorMessage"] == "not this one"
    missing = machine({"F": states["F"] | {"Catch": [], "Parameters": {"FunctionName": "nope"}}})
    assert run(sfn, missing)["error"] == "Lambda.ResourceNotFoundException"


def test_a_container_task_is_run_and_waited_for(tarn, machine, unique):
    sfn, ecs = tarn.client("stepfunctions"), tarn.client("ecs")
    cluster = ecs.create_cluster(clusterName=unique("cluster"))["cluster"]["clusterName"]
    family = unique("task")
    ecs.register_task_definition(
        family=family, requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256",
        memory="512", containerDefinitions=[{
            "name": "main", "image": "tarn/slim", "essential": True,
            "entryPoint": ["/bin/sh", "-c"], "command": ["exit ${CODE:-0}"]}])

    def states(code):
        return {"T": {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync",
                      "Parameters": {
                          "LaunchType": "FARGATE", "Cluster": cluster, "TaskDefinition": family,
                          "NetworkConfiguration": {
                              "AwsvpcConfiguration": {"Subnets": ["subnet-1"]}},
                          "Overrides": {"ContainerOverrides": [{
                              "Name": "main", "Environment": [{"Name": "CODE", "Value": code}]}]}},
                      "End": True}}

    done = run(sfn, machine(states("0")))
    assert done["status"] == "SUCCEEDED", done
    task = json.loads(done["output"])
    assert task["LastStatus"] == "STOPPED" and task["Containers"][0]["ExitCode"] == 0
    assert "TaskSubmitted" in kinds(sfn, done["executionArn"])
    failed = run(sfn, machine(states("3")))
    assert failed["error"] == "States.TaskFailed", failed
    assert json.loads(failed["cause"])["Containers"][0]["ExitCode"] == 3


def test_a_topic_is_published_to(tarn, machine, unique):
    sfn, sns, sqs = (tarn.client(s) for s in ("stepfunctions", "sns", "sqs"))
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    done = run(sfn, machine({"P": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish",
                                   "Parameters": {"TopicArn": topic, "Message": {"a.$": "$.a"}},
                                   "End": True}}), {"a": 1})
    assert done["status"] == "SUCCEEDED", done
    assert json.loads(done["output"])["MessageId"]


def test_events_that_a_state_puts_name_machine_and_execution(tarn, machine, unique):
    sfn, events, sqs = (tarn.client(name) for name in ("stepfunctions", "events", "sqs"))
    queue = sqs.create_queue(QueueName=unique("inbox"))["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])[
        "Attributes"]["QueueArn"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": queue_arn}]})})
    rule, source = unique("rule"), unique("source")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": queue_arn}])
    made = machine({"P": {"Type": "Task", "Resource": "arn:aws:states:::events:putEvents",
                          "Parameters": {"Entries": [{
                              "Source": source, "DetailType": "t", "Detail": {"n.$": "$.n"},
                              "Resources": ["mine"]}]}, "End": True}})
    done = run(sfn, made, {"n": 1})
    output = json.loads(done["output"])
    assert set(output) == {"Entries", "FailedEntryCount"} and output["FailedEntryCount"] == 0
    [message] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    event = json.loads(message["Body"])
    assert event["resources"] == ["mine", made, done["executionArn"]]
    assert event["detail"] == {"n": 1} and event["id"] == output["Entries"][0]["EventId"]
    events.remove_targets(Rule=rule, Ids=["q"])
    events.delete_rule(Name=rule)


@pytest.mark.parametrize("body", [{"a": [1, True]}, [1, "x"], True, 3, "text"])
def test_an_object_is_put_from_any_value(tarn, machine, unique, body):
    sfn, s3 = tarn.client("stepfunctions"), tarn.client("s3")
    bucket = unique("bucket")
    s3.create_bucket(Bucket=bucket)
    made = machine({"P": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:putObject",
                          "Parameters": {"Bucket": bucket, "Key": "k", "Body.$": "$.body"},
                          "End": True}})
    assert run(sfn, made, {"body": body})["status"] == "SUCCEEDED"
    stored = s3.get_object(Bucket=bucket, Key="k")["Body"].read().decode()
    assert (stored if isinstance(body, str) else json.loads(stored)) == body


def test_an_object_is_read_as_text_within_the_limit_of_data(tarn, machine, unique):
    sfn, s3 = tarn.client("stepfunctions"), tarn.client("s3")
    bucket = unique("bucket")
    s3.create_bucket(Bucket=bucket)
    made = machine({"G": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
                          "Parameters": {"Bucket": bucket, "Key": "k"},
                          "ResultSelector": {"is.$": "States.StringToJson($.Body)"}, "End": True}})
    s3.put_object(Bucket=bucket, Key="k", Body='{"tables": ["positions", "prices"]}')
    assert json.loads(run(sfn, made)["output"]) == {"is": {"tables": ["positions", "prices"]}}
    for size in (300_000, 2_000_000):
        s3.put_object(Bucket=bucket, Key="k", Body="x" * size)
        assert run(sfn, made)["error"] == "States.DataLimitExceeded"


def test_a_log_group_must_be_there_when_a_machine_is_made(machine, tarn, unique):
    group = unique("/states/none")
    logging = {"level": "ALL", "destinations": [{"cloudWatchLogsLogGroup": {
        "logGroupArn": f"arn:aws:logs:us-east-1:000000000000:log-group:{group}:*"}}]}
    states = {"P": {"Type": "Pass", "End": True}}
    with pytest.raises(botocore.exceptions.ClientError) as error:
        machine(states, loggingConfiguration=logging)
    assert code_of(error) == "InvalidLoggingConfiguration"
    assert error.value.response["Error"]["Message"] == (
        "Invalid Logging Configuration: Log Destination not found.")
    logs = tarn.client("logs")
    logs.create_log_group(logGroupName=group + "-longer")
    with pytest.raises(botocore.exceptions.ClientError, match="Log Destination not found"):
        machine(states, loggingConfiguration=logging)
    logs.create_log_group(logGroupName=group)
    assert machine(states, loggingConfiguration=logging)


def test_a_change_of_status_is_an_event_on_the_default_bus(tarn, machine, unique):
    sfn, sqs, events = (tarn.client(s) for s in ("stepfunctions", "sqs", "events"))
    arn = machine({"A": {"Type": "Pass", "Result": {"x": 1}, "End": True}})
    url = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"]
    rule = unique("rule")
    rule_arn = events.put_rule(Name=rule, EventPattern=json.dumps({
        "source": ["aws.states"], "detail": {"stateMachineArn": [arn]}}))["RuleArn"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}}}]})})
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": queue}])
    execution = run(sfn, arn, {"n": 1})["executionArn"]
    seen = []
    for _ in range(20):
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1,
                                           MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            seen.append(json.loads(message["Body"]))
        if len(seen) >= 2:
            break
    assert {e["detail-type"] for e in seen} == {"Step Functions Execution Status Change"}
    assert sorted(e["detail"]["status"] for e in seen) == ["RUNNING", "SUCCEEDED"]
    last = next(e["detail"] for e in seen if e["detail"]["status"] == "SUCCEEDED")
    assert last["executionArn"] == execution
    assert (last["input"], last["output"]) == ('{"n": 1}', '{"x":1}')


def test_branches_fail_together(tarn, machine):
    sfn = tarn.client("stepfunctions")
    arn = machine({"Both": {"Type": "Parallel", "End": True, "Branches": [
        {"StartAt": "Slow", "States": {"Slow": {"Type": "Wait", "Seconds": 60, "End": True}}},
        {"StartAt": "Bad", "States": {"Bad": {"Type": "Fail", "Error": "Bad"}}}],
        "Catch": [{"ErrorEquals": ["Bad"], "ResultPath": "$.e", "Next": "Done"}]},
        "Done": {"Type": "Succeed"}})
    done = run(sfn, arn, {"a": 1}, )
    assert done["status"] == "SUCCEEDED"
    assert json.loads(done["output"])["e"]["Error"] == "Bad"
    assert "WaitStateAborted" in kinds(sfn, done["executionArn"])


def test_an_express_machine_answers_at_once(tarn, machine):
    sfn = tarn.client("stepfunctions")
    arn = machine({"A": {"Type": "Pass", "Parameters": {"y.$": "$.x"}, "End": True}},
                  type="EXPRESS")
    client = tarn.client("stepfunctions")
    client.meta.config.inject_host_prefix = False
    answer = client.start_sync_execution(stateMachineArn=arn, input='{"x":[1, 2]}')
    assert answer["status"] == "SUCCEEDED" and json.loads(answer["output"]) == {"y": [1, 2]}
    assert ":express:" in answer["executionArn"]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        sfn.list_executions(stateMachineArn=arn)
    assert code_of(error) == "StateMachineTypeNotSupported"


def test_tags_can_be_set_listed_and_removed(tarn, machine):
    sfn = tarn.client("stepfunctions")
    arn = machine({"A": {"Type": "Succeed"}}, tags=[{"key": "a", "value": "1"}])
    sfn.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": "2"}])
    sfn.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert sfn.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]


def test_versions_and_aliases_pin_a_revision(tarn, machine, unique):
    sfn = tarn.client("stepfunctions")
    arn = machine({"A": {"Type": "Pass", "Result": 1, "End": True}})
    first = sfn.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"]
    second = sfn.update_state_machine(stateMachineArn=arn, publish=True, definition=json.dumps(
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": 2, "End": True}}}))[
            "stateMachineVersionArn"]
    listed = sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
    assert [v["stateMachineVersionArn"] for v in listed] == [second, first]
    alias = sfn.create_state_machine_alias(name="live", routingConfiguration=[
        {"stateMachineVersionArn": first, "weight": 100}])["stateMachineAliasArn"]
    done = run(sfn, alias)
    assert (done["output"], done["stateMachineVersionArn"], done["stateMachineAliasArn"]) == (
        "1", first, alias)
    sfn.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=[
        {"stateMachineVersionArn": first, "weight": 50},
        {"stateMachineVersionArn": second, "weight": 50}])
    assert len(sfn.describe_state_machine_alias(stateMachineAliasArn=alias)[
        "routingConfiguration"]) == 2
    assert {run(sfn, alias)["output"] for _ in range(30)} == {"1", "2"}
    with pytest.raises(botocore.exceptions.ClientError) as error:
        sfn.delete_state_machine_version(stateMachineVersionArn=first)
    assert code_of(error) == "ConflictException"
    assert [a["stateMachineAliasArn"] for a in
            sfn.list_state_machine_aliases(stateMachineArn=arn)["stateMachineAliases"]] == [alias]
    sfn.delete_state_machine_alias(stateMachineAliasArn=alias)
    sfn.delete_state_machine_version(stateMachineVersionArn=first)
    assert run(sfn, second)["output"] == "2"


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_what_happens_is_logged(tarn, machine, unique, kind):
    sfn, logs = tarn.client("stepfunctions"), tarn.client("logs")
    group = "/aws/vendedlogs/states/" + unique("group")
    logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:{tarn.region}:000000000000:log-group:{group}:*"
    made = machine({"A": {"Type": "Pass", "Next": "F"}, "F": {"Type": "Fail", "Error": "E"}},
                   type=kind, loggingConfiguration={
                       "level": "ALL", "includeExecutionData": True,
                       "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}]})
    sfn.start_execution(stateMachineArn=made, input='{"n":1}')
    for _ in range(100):
        lines = [json.loads(e["message"]) for e in
                 logs.filter_log_events(logGroupName=group)["events"]]
        if len(lines) >= 5:
            break
        time.sleep(0.05)
    assert [line["type"] for line in sorted(lines, key=lambda line: int(line["id"]))] == [
        "ExecutionStarted", "PassStateEntered", "PassStateExited", "FailStateEntered",
        "ExecutionFailed"]
    assert next(line for line in lines if line["id"] == "1")["details"]["input"] == '{"n":1}'


def test_a_step_of_thousands_of_events_is_logged_whole(tarn, machine, unique):
    sfn, logs = tarn.client("stepfunctions"), tarn.client("logs")
    group = unique("/states/large")
    logs.create_log_group(logGroupName=group)
    arn = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["arn"]
    made = machine({"M": {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": {
        "StartAt": "P", "States": {"P": {"Type": "Pass", "Result": 1, "End": True}}},
        "ResultPath": None, "End": True}},
        loggingConfiguration={
            "level": "ALL", "includeExecutionData": True,
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}]})
    # 11,000 lines, some of which are too long for their data.
    done = run(sfn, made, {"items": [0] * 2750, "long": '"' * 90_000})
    assert done["status"] == "SUCCEEDED"
    count = len(kinds_of_all(sfn, done["executionArn"]))
    lines, end = [], time.time() + 20
    while len(lines) < count and time.time() < end:
        lines = [json.loads(event["message"])
                 for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group)
                 for event in page["events"]]
    assert sorted(int(line["id"]) for line in lines) == list(range(1, count + 1))
    first = next(line for line in lines if line["id"] == "1")
    assert first["details"]["inputDetails"] == {"truncated": True}
    assert "input" not in first["details"]


def test_a_large_map_ends_with_all_its_results(tarn, machine):
    sfn = tarn.client("stepfunctions")
    arn = machine({"M": {"Type": "Map", "End": True, "ItemProcessor": {
        "StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}}})
    done = run(sfn, arn, list(range(3000)))
    assert json.loads(done["output"]) == list(range(3000))
    # Its one step wrote thousands of events: pages begin anywhere among them.
    for reverse in (False, True):
        ids = [event["id"] for page in sfn.get_paginator("get_execution_history").paginate(
            executionArn=done["executionArn"], reverseOrder=reverse,
            PaginationConfig={"PageSize": 777}) for event in page["events"]]
        assert ids == sorted(range(1, len(ids) + 1), reverse=reverse) and len(ids) > 12000


def test_an_endless_loop_ends_at_the_limit_of_its_history(tarn, machine):
    sfn = tarn.client("stepfunctions")
    done = run(sfn, machine({"A": {"Type": "Pass", "Next": "B"},
                             "B": {"Type": "Pass", "Next": "A"}}))
    assert done["status"] == "FAILED"
    assert done["cause"] == "The execution reached the maximum number of history events (25000)."


@pytest.mark.destructive
def test_executions_go_on_after_a_kill(fresh_tarn, unique):
    """Waits, retries, Map iterations, callbacks and activities survive kill -9."""
    server = fresh_tarn
    sfn, sqs = server.client("stepfunctions"), server.client("sqs")
    role = make_role(server, "r")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    activity = sfn.create_activity(name="act")["activityArn"]

    def make(name, states):
        definition = json.dumps({"StartAt": next(iter(states)), "States": states})
        return sfn.create_state_machine(name=name, roleArn=role,
                                        definition=definition)["stateMachineArn"]

    waits = make("waits", {"Each": {"Type": "Map", "End": True, "ItemProcessor": {
        "StartAt": "W", "States": {"W": {"Type": "Wait", "SecondsPath": "$", "Next": "P"},
                                   "P": {"Type": "Pass", "End": True}}}}})
    retries = make("retries", {
        "Call": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sqs:getQueueUrl",
                 "Parameters": {"QueueName": "later"}, "End": True,
                 "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "MaxAttempts": 5,
                            "BackoffRate": 1}]}})
    asks = make("asks", {"Ask": {"Type": "Task", "End": True,
                                 "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                                 "Parameters": {"QueueUrl": url,
                                                "MessageBody": {"t.$": "$$.Task.Token"}}}})
    works = make("works", {"Work": {"Type": "Task", "Resource": activity, "End": True}})
    started = {m: sfn.start_execution(stateMachineArn=m, input=given)["executionArn"]
               for m, given in ((waits, "[3, 1, 2]"), (retries, "{}"), (asks, "{}"), (works, "{}"))}
    message = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"][0]
    token = json.loads(message["Body"])["t"]
    time.sleep(0.5)
    server.kill()
    server.start()
    sfn, sqs = server.client("stepfunctions"), server.client("sqs")
    sqs.create_queue(QueueName="later")
    sfn.send_task_success(taskToken=token, output='"answered"')
    task = sfn.get_activity_task(activityArn=activity)
    sfn.send_task_success(taskToken=task["taskToken"], output='"worked"')
    ends = {m: finish(sfn, arn) for m, arn in started.items()}
    assert {e["status"] for e in ends.values()} == {"SUCCEEDED"}, ends
    assert json.loads(ends[waits]["output"]) == [3, 1, 2]
    assert json.loads(ends[retries]["output"])["QueueUrl"].endswith("/later")
    assert (ends[asks]["output"], ends[works]["output"]) == ('"answered"', '"worked"')
    for arn in started.values():
        events = sfn.get_execution_history(executionArn=arn)["events"]
        assert [e["id"] for e in events] == list(range(1, len(events) + 1))
        assert all(e["previousEventId"] < e["id"] for e in events)
        entered = [(e["previousEventId"], e["stateEnteredEventDetails"]["name"])
                   for e in events if "stateEnteredEventDetails" in e]
        assert len(entered) == len(set(entered)), "a state was entered twice"


@pytest.mark.destructive
def test_who_comes_first_after_a_kill_is_not_told_that_the_task_is_gone(fresh_tarn):
    """Tokens and stops are taken before their executions' turn to be resumed has come."""
    server = fresh_tarn
    sfn, sqs = server.client("stepfunctions"), server.client("sqs")
    role = make_role(server, "role")
    queue = sqs.create_queue(QueueName="tokens")["QueueUrl"]
    arn = sfn.create_state_machine(name="m", roleArn=role, definition=json.dumps({
        "StartAt": "T", "States": {"T": {
            "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token",
                                                              "id.$": "$$.Execution.Id"}},
            "End": True}}}))["stateMachineArn"]
    count = 2000
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: sfn.start_execution(stateMachineArn=arn), range(count)))
    waiting = []
    while len(waiting) < count:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10,
                                           WaitTimeSeconds=5)["Messages"]:
            waiting.append(json.loads(message["Body"]))
    # They are resumed in the order of their names: these come last.
    waiting = sorted(waiting, key=lambda each: each["id"], reverse=True)[:60]
    for each in waiting:  # a token is waited for once its request has been noted
        while "TaskSubmitted" not in kinds(sfn, each["id"]):
            time.sleep(0.01)
    server.restart(kill=True)
    for each in waiting[:30]:
        sfn.send_task_success(taskToken=each["token"], output="1")
    for each in waiting[30:]:
        sfn.stop_execution(executionArn=each["id"])
    states = [finish(sfn, each["id"])["status"] for each in waiting]
    assert states == ["SUCCEEDED"] * 30 + ["ABORTED"] * 30
    assert all(kinds(sfn, each["id"]).count("ExecutionStarted") == 1 for each in waiting)


@pytest.mark.destructive
def test_every_acknowledged_execution_is_there_after_a_kill(fresh_tarn):
    server = fresh_tarn
    sfn = server.client("stepfunctions")
    role = make_role(server, "r")
    states = {"A": {"Type": "Pass", "Next": "W"}, "W": {"Type": "Wait", "Seconds": 1, "Next": "B"},
              "B": {"Type": "Pass", "End": True}}
    arn = sfn.create_state_machine(
        name="m", roleArn=role,
        definition=json.dumps({"StartAt": "A", "States": states}))["stateMachineArn"]
    acknowledged, stop = [], threading.Event()

    def load(worker):
        client = server.client("stepfunctions")
        for i in range(10_000):
            if stop.is_set():
                return
            try:
                acknowledged.append(client.start_execution(
                    stateMachineArn=arn, name=f"e{worker}-{i}", input="{}")["executionArn"])
            except Exception:  # noqa: BLE001: the server is being killed
                return

    threads = [threading.Thread(target=load, args=(w,)) for w in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    server.kill()
    stop.set()
    for thread in threads:
        thread.join()
    server.start()
    sfn = server.client("stepfunctions")
    assert len(acknowledged) > 20
    for execution in acknowledged:
        assert finish(sfn, execution)["status"] == "SUCCEEDED"
