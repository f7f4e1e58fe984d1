# SPDX-License-Identifier: Apache-2.0
"""Events and notifications that make other services work: functions, tasks, statements, mail."""

from __future__ import annotations

import email
import io
import json
import socketserver
import threading
import zipfile

import pytest

from support.server import Tarn, until

CODE = "def handler(event, context):\n    import json\n    print('got', json.dumps(event))\n"


@pytest.fixture
def role(tarn, unique):
    """role("lambda.amazonaws.com", "logs:*") → ARN"""
    iam = tarn.client("iam")

    def make(service, *actions):
        name = unique("role")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": service},
                "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}))
        return arn

    return make


@pytest.fixture
def function(tarn, role, unique):
    """(name, ARN) of a function that prints its event."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("main.py", CODE)
    name = unique("function")
    arn = tarn.client("lambda").create_function(
        FunctionName=name, Runtime="python3.11", Handler="main.handler",
        Role=role("lambda.amazonaws.com", "logs:*"),
        Code={"ZipFile": archive.getvalue()})["FunctionArn"]
    return name, arn


def printed(tarn, name):
    """What the function printed, as events."""
    logs = tarn.client("logs")
    try:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="got")
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [json.loads(e["message"].split(" ", 1)[1]) for e in found["events"]]


def rule_for(tarn, unique, target):
    """A rule with one target. Returns the source of the events that it wants."""
    events, source, name = tarn.client("events"), unique("source"), unique("rule")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [source]}))
    out = events.put_targets(Rule=name, Targets=[{"Id": "t"} | target])
    assert out["FailedEntryCount"] == 0, out
    return source


def put(tarn, source, detail):
    return tarn.client("events").put_events(Entries=[{
        "Source": source, "DetailType": "Test",
        "Detail": json.dumps(detail)}])["Entries"][0]["EventId"]


def test_a_rule_invokes_a_function_that_permits_it(tarn, function, unique):
    name, arn = function
    source = rule_for(tarn, unique, {"Arn": arn})
    refused = put(tarn, source, {"n": 1})  # the function's policy does not name EventBridge yet
    tarn.client("lambda").add_permission(FunctionName=name, StatementId="events",
                                         Action="lambda:InvokeFunction",
                                         Principal="events.amazonaws.com")
    sent = put(tarn, source, {"n": 2})
    seen = until(lambda: printed(tarn, name), seconds=20)
    assert [e["detail"] for e in seen] == [{"n": 2}]
    assert seen[0]["id"] == sent != refused


def test_a_rule_runs_a_task_with_the_events_values(tarn, role, unique):
    ecs, logs = tarn.client("ecs"), tarn.client("logs")
    cluster, group = unique("cluster"), "/ecs/" + unique("tasks")
    cluster_arn = ecs.create_cluster(clusterName=cluster)["cluster"]["clusterArn"]
    logs.create_log_group(logGroupName=group)
    definition = ecs.register_task_definition(
        family=unique("family"), requiresCompatibilities=["FARGATE"], networkMode="awsvpc",
        cpu="256", memory="512", executionRoleArn=role("ecs-tasks.amazonaws.com", "logs:*"),
        containerDefinitions=[{
            "name": "main", "image": "tarn/slim",
            "environment": [{"name": "COMMAND", "value": "echo key=$KEY"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": group, "awslogs-region": tarn.region,
                "awslogs-stream-prefix": "task"}}}])["taskDefinition"]["taskDefinitionArn"]
    source = rule_for(tarn, unique, {
        "Arn": cluster_arn, "RoleArn": role("events.amazonaws.com", "ecs:RunTask", "iam:PassRole"),
        "EcsParameters": {"TaskDefinitionArn": definition, "LaunchType": "FARGATE",
                          "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["s-1"]}}},
        "InputTransformer": {
            "InputPathsMap": {"key": "$.detail.key"},
            "InputTemplate": json.dumps({"containerOverrides": [{
                "name": "main", "environment": [{"name": "KEY", "value": "<key>"}]}]})}})
    put(tarn, source, {"key": "in/positions.xlsx"})
    lines = until(lambda: [e["message"] for e in
                           logs.filter_log_events(logGroupName=group)["events"]], seconds=60)
    assert lines == ["key=in/positions.xlsx"]
    [task] = until(lambda: ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"])
    stopped = ecs.describe_tasks(cluster=cluster, tasks=[task])["tasks"][0]
    assert stopped["startedBy"].startswith("events-rule/")


def test_a_rule_runs_a_statement_in_the_warehouse(tarn, role, unique):
    table = unique("t").replace("-", "_")
    tarn.psql(f"create table {table} (n int)")
    source = rule_for(tarn, unique, {
        "Arn": f"arn:aws:redshift:{tarn.region}:000000000000:cluster:dev",
        "RoleArn": role("events.amazonaws.com", "redshift-data:*",
                        "redshift:GetClusterCredentials"),
        "RedshiftDataParameters": {"Database": "dev", "DbUser": tarn.env["PGUSER"],
                                   "Sql": f"insert into {table} values (42)"}})
    put(tarn, source, {})
    assert until(lambda: tarn.psql(f"select n from {table}").stdout.strip(), seconds=20) == "42"


def test_a_topic_invokes_a_function(tarn, function, unique):
    name, arn = function
    sns = tarn.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    tarn.client("lambda").add_permission(
        FunctionName=name, StatementId="sns", Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com", SourceArn=topic)
    subscription = sns.subscribe(TopicArn=topic, Protocol="lambda",
                                 Endpoint=arn)["SubscriptionArn"]
    sent = sns.publish(TopicArn=topic, Subject="s", Message="m", MessageAttributes={
        "a": {"DataType": "String", "StringValue": "1"}})
    [event] = until(lambda: printed(tarn, name), seconds=20)
    [record] = event["Records"]
    assert record["EventSource"] == "aws:sns"
    assert record["EventSubscriptionArn"] == subscription
    assert (record["Sns"]["MessageId"], record["Sns"]["Subject"], record["Sns"]["Message"]) == (
        sent["MessageId"], "s", "m")
    assert record["Sns"]["MessageAttributes"] == {"a": {"Type": "String", "Value": "1"}}


class MailServer(socketserver.ThreadingTCPServer):
    """The least that is an SMTP server: keeps (sender, recipients, text) of every mail."""

    allow_reuse_address = daemon_threads = True

    def __init__(self):
        self.mails, self.refusals = [], 0
        super().__init__(("127.0.0.1", 0), MailSession)


class MailSession(socketserver.StreamRequestHandler):
    def handle(self):
        sender, recipients = "", []
        self.say("220 test")
        while line := self.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            verb = verb.upper()
            if verb == "MAIL" and self.server.refusals:
                self.server.refusals -= 1
                self.say("451 try again")
                continue
            if verb == "MAIL":
                sender = rest
            elif verb == "RCPT":
                recipients.append(rest)
            elif verb == "DATA":
                self.say("354 go on")
                text = b""
                while not text.endswith(b"\r\n.\r\n"):
                    text += self.rfile.readline()
                self.server.mails.append((sender, recipients, text[:-5]))
            elif verb == "QUIT":
                return self.say("221 bye")
            self.say("250 ok")

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")


def test_email_goes_to_the_smtp_server_and_is_tried_again(unique):
    with MailServer() as mail:
        threading.Thread(target=mail.serve_forever, daemon=True).start()
        mail.refusals = 1
        host, port = mail.server_address
        with Tarn(environment={"TARN_SMTP": f"{host}:{port}"}) as tarn:
            sns = tarn.client("sns")
            topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
            sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="team@example.com")
            sns.publish(TopicArn=topic, Subject="Run failed", Message="first\n.second: ä")
            [(sender, recipients, text)] = until(lambda: mail.mails, seconds=30)
            assert not (tarn.data / "outbox").exists() or not list((tarn.data / "outbox").iterdir())
        mail.shutdown()
    assert "team@example.com" in recipients[0] and len(recipients) == 1
    message = email.message_from_bytes(text.replace(b"\r\n..", b"\r\n."))
    assert message["Subject"] == "Run failed" and message["To"] == "team@example.com"
    body = message.get_payload(decode=True).decode()
    assert "first" in body and ".second: ä" in body
