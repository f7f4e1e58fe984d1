# SPDX-License-Identifier: Apache-2.0
"""ECS with boto3 and the aws CLI: tasks really run."""

from __future__ import annotations

import io
import json
import tarfile
import time

import pytest
from botocore.exceptions import ClientError

TRUST = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"},
    "Action": "sts:AssumeRole"}]}
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "DISABLED"}}


def tar_of(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def error_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]


class Platform:
    """A cluster, roles, a log group, and a way to run one task."""

    def __init__(self, tarn, unique):
        self.tarn, self.unique = tarn, unique
        self.ecs = tarn.client("ecs")
        self.cluster, self.group = unique("cluster"), "/ecs/" + unique("tasks")
        self.ecs.create_cluster(clusterName=self.cluster)
        tarn.client("logs").create_log_group(logGroupName=self.group)
        self.task_role = self.role(["s3:*"])
        self.execution_role = self.role(["logs:*", "ssm:GetParameter",
                                         "secretsmanager:GetSecretValue"])

    def role(self, actions):
        iam, name = self.tarn.client("iam"), self.unique("role")
        arn = iam.create_role(RoleName=name,
                              AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}))
        return arn

    def define(self, container=None, **more):
        definition = {"name": "main", "image": "tarn/slim", "logConfiguration": {
            "logDriver": "awslogs", "options": {
                "awslogs-group": self.group, "awslogs-region": self.tarn.region,
                "awslogs-stream-prefix": "task"}}} | (container or {})
        arguments = {"family": self.unique("family"), "requiresCompatibilities": ["FARGATE"],
                     "networkMode": "awsvpc", "cpu": "1024", "memory": "2048",
                     "executionRoleArn": self.execution_role, "taskRoleArn": self.task_role} | more
        return self.ecs.register_task_definition(
            containerDefinitions=[definition], **arguments)["taskDefinition"]["taskDefinitionArn"]

    def start(self, definition, environment=None, **more):
        overrides = {"containerOverrides": [{"name": "main", "environment": [
            {"name": k, "value": v} for k, v in (environment or {}).items()]}]}
        return self.ecs.run_task(
            cluster=self.cluster, taskDefinition=definition, launchType="FARGATE",
            networkConfiguration=NETWORK, overrides=overrides, **more)["tasks"][0]["taskArn"]

    def shown(self, arn):
        return self.ecs.describe_tasks(cluster=self.cluster, tasks=[arn])["tasks"][0]

    def until(self, arn, status, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            task = self.shown(arn)
            if task["lastStatus"] in (status, "STOPPED"):
                return task
            assert time.monotonic() < deadline, task
            time.sleep(0.05)

    def log(self, arn):
        stream = "task/main/" + arn.rsplit("/", 1)[1]
        events = self.tarn.client("logs").get_log_events(
            logGroupName=self.group, logStreamName=stream, startFromHead=True)["events"]
        return [event["message"] for event in events]

    def run(self, environment, container=None, **more):
        arn = self.start(self.define(container, **more), environment)
        return self.until(arn, "STOPPED"), self.log(arn)


@pytest.fixture
def platform(tarn, unique):
    return Platform(tarn, unique)


def test_a_script_runs_with_its_log_and_exit_code(platform):
    task, log = platform.run({"COMMAND": "echo out; echo err >&2; pwd; echo $COLOUR; id -u",
                              "COLOUR": "red"})
    assert log == ["out", "err", "/opt/code", "red", "0"] or sorted(log) == sorted(
        ["out", "err", "/opt/code", "red", "0"])
    container = task["containers"][0]
    assert container["exitCode"] == 0 and container["lastStatus"] == "STOPPED"
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["createdAt"] <= task["startedAt"] <= task["stoppedAt"]
    assert task["launchType"] == "FARGATE" and task["cpu"] == "1024"


def test_a_failing_script_ends_with_its_code_and_says_so(platform):
    task, log = platform.run({"COMMAND": "echo before; exit 3; echo after"})
    assert task["containers"][0]["exitCode"] == 3
    assert log == ["before", "slim: COMMAND ended with exit code 3"]
    assert task["stoppedReason"].startswith("Essential container in task exited")
    assert "exit code 3" in task["stoppedReason"]


def test_archives_are_mounted_and_the_second_start_needs_no_unpacking(tarn, platform, unique):
    s3, bucket = tarn.client("s3"), unique("archives")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="code.tar.gz", Body=tar_of(
        {"run.py": "import helper\nprint('value', helper.X)\n", "helper.py": "X = 5\n"}))
    definition = platform.define()
    environment = {"COMMAND": "python3 run.py; echo changed > new; cat new",
                   "CODE_ARCHIVE": f"s3://{bucket}/code.tar.gz"}
    for _ in range(2):
        arn = platform.start(definition, environment)
        task = platform.until(arn, "STOPPED")
        assert task["containers"][0]["exitCode"] == 0, platform.log(arn)
        assert platform.log(arn) == ["value 5", "changed"]


@pytest.mark.parametrize("environment, code, text", [
    ({}, 64, "COMMAND is not set"),
    ({"COMMAND": "true", "CODE_ARCHIVE": "/x"}, 64, "CODE_ARCHIVE is '/x'"),
    ({"COMMAND": "true", "CODE_ARCHIVE": "s3://no-such-bucket-anywhere/x"}, 66,
     "CODE_ARCHIVE: cannot fetch s3://no-such-bucket-anywhere/x"),
])
def test_what_cannot_be_fetched_ends_the_task_saying_which(platform, environment, code, text):
    task, log = platform.run(environment)
    assert task["containers"][0]["exitCode"] == code
    assert text in log[-1] and log[-1].startswith("slim: ")
    assert text in task["stoppedReason"] and text in task["containers"][0]["reason"]


def test_a_corrupt_archive_ends_the_task_saying_which(tarn, platform, unique):
    s3, bucket = tarn.client("s3"), unique("broken")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="x.tar.gz", Body=tar_of({"a": "b" * 100_000})[:60])
    task, log = platform.run({"COMMAND": "echo never", "VENV_ARCHIVE": f"s3://{bucket}/x.tar.gz"})
    assert task["containers"][0]["exitCode"] == 65
    assert f"cannot unpack s3://{bucket}/x.tar.gz" in log[-1] and "never" not in log


def test_the_task_role_is_the_identity_inside(tarn, platform, unique):
    bucket = unique("inside")
    tarn.client("s3").create_bucket(Bucket=bucket)
    task, log = platform.run({"COMMAND": (
        f"echo hello > f; aws s3 cp --only-show-errors f s3://{bucket}/f; "
        "aws sts get-caller-identity --query Arn --output text; "
        "aws iam list-users 2>&1 | grep -o AccessDenied; env | grep -c ^AWS_SECRET || true")})
    assert task["containers"][0]["exitCode"] == 0, log
    assert ":assumed-role/" in log[0] and log[1:] == ["AccessDenied", "0"]
    assert tarn.client("s3").get_object(Bucket=bucket, Key="f")["Body"].read() == b"hello\n"


def test_the_warehouse_answers_inside_on_its_own_port(tarn, platform):
    # An SSLRequest; every PostgreSQL server answers S or N.
    script = ("import socket; s = socket.create_connection(('127.0.0.1', %d), 5); "
              "s.sendall(bytes([0, 0, 0, 8, 4, 210, 22, 47])); print(s.recv(1).decode())")
    for _ in range(2):
        task, log = platform.run({"COMMAND": f'python3 -c "{script % int(tarn.env["PGPORT"])}"'})
        assert task["containers"][0]["exitCode"] == 0 and log[0] in ("S", "N"), log


def test_secrets_come_from_parameter_store_and_secrets_manager(tarn, platform, unique):
    parameter = "/test/" + unique("p")
    tarn.client("ssm").put_parameter(Name=parameter, Value="from-ssm", Type="SecureString")
    secret = tarn.client("secretsmanager").create_secret(
        Name=unique("s"), SecretString='{"password": "from-secrets"}')["ARN"]
    task, log = platform.run({"COMMAND": "echo $A $B"}, {"secrets": [
        {"name": "A", "valueFrom": parameter}, {"name": "B", "valueFrom": secret + ":password::"}]})
    assert log == ["from-ssm from-secrets"]
    arn = platform.start(platform.define({"secrets": [{"name": "A", "valueFrom": "/no/such"}]}),
                         {"COMMAND": "true"})
    task = platform.until(arn, "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert "unable to retrieve secret from /no/such" in task["stoppedReason"]


def test_a_task_can_be_stopped(platform):
    arn = platform.start(platform.define({"stopTimeout": 2}), {
        "COMMAND": "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done"})
    assert platform.until(arn, "RUNNING")["lastStatus"] == "RUNNING"
    assert arn in platform.ecs.list_tasks(cluster=platform.cluster)["taskArns"]
    deadline = time.monotonic() + 10
    while "up" not in platform.log(arn) and time.monotonic() < deadline:
        time.sleep(0.05)
    stopped = platform.ecs.stop_task(cluster=platform.cluster, task=arn, reason="enough")["task"]
    assert stopped["desiredStatus"] == "STOPPED"
    task = platform.until(arn, "STOPPED")
    assert task["stopCode"] == "UserInitiated" and task["stoppedReason"] == "enough"
    assert "bye" in platform.log(arn)
    assert arn in platform.ecs.list_tasks(cluster=platform.cluster,
                                          desiredStatus="STOPPED")["taskArns"]


def test_what_ignores_the_stop_is_killed(platform):
    arn = platform.start(platform.define({"stopTimeout": 1}), {
        "COMMAND": "trap '' TERM; while :; do sleep 0.1; done"})
    platform.until(arn, "RUNNING")
    time.sleep(0.5)
    platform.ecs.stop_task(cluster=platform.cluster, task=arn)
    assert platform.until(arn, "STOPPED")["containers"][0]["exitCode"] == 137


def test_the_memory_limit_is_told_as_out_of_memory(platform):
    task, _ = platform.run({"COMMAND": "exec python3 -c 'len(bytearray(900_000_000))'"},
                           cpu="256", memory="512")
    container = task["containers"][0]
    if container["exitCode"] == 1:
        pytest.skip("no control groups on this machine")
    assert container["exitCode"] == 137
    assert container["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_images_other_than_the_base_cannot_be_pulled(platform):
    arn = platform.start(platform.define({"image": "nginx"}), {"COMMAND": "true"})
    task = platform.until(arn, "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotPullContainerError")


def test_a_missing_log_group_keeps_the_task_from_starting(platform):
    arn = platform.start(platform.define({"logConfiguration": {
        "logDriver": "awslogs", "options": {
            "awslogs-group": "/no/such", "awslogs-region": platform.tarn.region,
            "awslogs-stream-prefix": "t"}}}), {"COMMAND": "true"})
    task = platform.until(arn, "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert "The specified log group does not exist." in task["stoppedReason"]


def test_a_client_token_starts_a_task_once(platform):
    definition = platform.define()
    first = platform.start(definition, {"COMMAND": "true"}, clientToken="once")
    assert platform.start(definition, {"COMMAND": "true"}, clientToken="once") == first
    assert error_of(platform.start, definition=definition, environment={"COMMAND": "false"},
                    clientToken="once")["Code"] == "ConflictException"


def test_requests_that_fargate_refuses(platform):
    ecs, definition = platform.ecs, platform.define()
    run = dict(cluster=platform.cluster, taskDefinition=definition)
    assert error_of(ecs.run_task, launchType="FARGATE", **run)["Message"] == (
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    assert error_of(ecs.run_task, networkConfiguration=NETWORK, **run)["Message"] == (
        "No Container Instances were found in your cluster.")
    assert error_of(ecs.run_task, launchType="FARGATE", networkConfiguration=NETWORK,
                    cluster="none", taskDefinition=definition)["Code"] == "ClusterNotFoundException"
    assert error_of(ecs.run_task, launchType="FARGATE", networkConfiguration=NETWORK,
                    cluster=platform.cluster, taskDefinition="none")["Message"] == (
        "TaskDefinition not found.")
    assert "No Fargate configuration" in error_of(
        platform.define, container={}, cpu="256", memory="8192")["Message"]
    missing = ecs.describe_tasks(cluster=platform.cluster, tasks=["0" * 32])
    assert missing["failures"][0]["reason"] == "MISSING"
    assert error_of(ecs.stop_task, cluster=platform.cluster, task="0" * 32)["Message"] == (
        "The referenced task was not found.")


def test_definitions_have_revisions(platform, unique):
    ecs, family = platform.ecs, unique("fam")
    first, second = platform.define(family=family), platform.define(family=family)
    assert first.endswith(f"{family}:1") and second.endswith(f"{family}:2")
    assert ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]["revision"] == 2
    assert ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"] == [first, second]
    assert family in ecs.list_task_definition_families(familyPrefix=family)["families"]
    ecs.deregister_task_definition(taskDefinition=second)
    assert ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]["revision"] == 1
    gone = ecs.delete_task_definitions(taskDefinitions=[second])
    assert gone["taskDefinitions"][0]["revision"] == 2
    assert error_of(ecs.describe_task_definition, taskDefinition=second)["Message"] == (
        "Unable to describe task definition.")
    ecs.tag_resource(resourceArn=first, tags=[{"key": "a", "value": "b"}])
    assert ecs.list_tags_for_resource(resourceArn=first)["tags"] == [{"key": "a", "value": "b"}]
    ecs.untag_resource(resourceArn=first, tagKeys=["a"])
    assert ecs.describe_task_definition(taskDefinition=first, include=["TAGS"])["tags"] == []


def test_clusters(platform, unique):
    ecs, name = platform.ecs, unique("c")
    arn = ecs.create_cluster(clusterName=name, tags=[{"key": "a",
                                                      "value": "b"}])["cluster"]["clusterArn"]
    assert arn.endswith(f":cluster/{name}")
    pages = ecs.get_paginator("list_clusters").paginate()
    assert arn in [found for page in pages for found in page["clusterArns"]]
    found = ecs.describe_clusters(clusters=[name, "none"], include=["TAGS"])
    assert found["clusters"][0]["status"] == "ACTIVE"
    assert found["failures"][0]["reason"] == "MISSING"
    ecs.put_cluster_capacity_providers(
        cluster=name, capacityProviders=["FARGATE"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE"}])
    ecs.update_cluster(cluster=name, settings=[{"name": "containerInsights", "value": "enabled"}])
    shown = ecs.describe_clusters(clusters=[name])["clusters"][0]
    assert shown["capacityProviders"] == ["FARGATE"] and shown["settings"][0]["value"] == "enabled"
    assert ecs.delete_cluster(cluster=name)["cluster"]["status"] == "INACTIVE"
    assert error_of(ecs.delete_cluster, cluster=name)["Code"] == "ClusterNotFoundException"


def test_a_task_that_ran_when_tarn_was_killed_is_stopped(fresh_tarn, unique):
    platform = Platform(fresh_tarn, unique)
    arn = platform.start(platform.define(), {"COMMAND": "sleep 300"})
    platform.until(arn, "RUNNING")
    fresh_tarn.restart(kill=True)
    platform.ecs = fresh_tarn.client("ecs")
    task = platform.shown(arn)
    assert task["lastStatus"] == "STOPPED" and task["stoppedReason"]
    assert platform.ecs.list_tasks(cluster=platform.cluster)["taskArns"] == []


def test_an_orderly_stop_ends_tasks_and_says_so(fresh_tarn, unique):
    platform = Platform(fresh_tarn, unique)
    arn = platform.start(platform.define(), {"COMMAND": "trap '' TERM; sleep 300; sleep 300"})
    platform.until(arn, "RUNNING")
    begin = time.monotonic()
    assert fresh_tarn.stop() == 0
    assert time.monotonic() - begin < 15
    fresh_tarn.start()
    platform.ecs = fresh_tarn.client("ecs")
    task = platform.shown(arn)
    assert task["lastStatus"] == "STOPPED" and task["stopCode"] == "TerminationNotice"


def test_state_changes_are_events(tarn, platform, unique):
    events, sqs = tarn.client("events"), tarn.client("sqs")
    url = sqs.create_queue(QueueName=unique("changes"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url,
                                   AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule = unique("rule")
    rule_arn = events.put_rule(Name=rule, EventPattern=json.dumps({
        "source": ["aws.ecs"], "detail-type": ["ECS Task State Change"],
        "detail": {"lastStatus": ["STOPPED"]}}))["RuleArn"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}}}]})})
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])
    task, _ = platform.run({"COMMAND": "exit 4"})
    deadline = time.monotonic() + 15
    seen = []
    while time.monotonic() < deadline and not seen:
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2,
                                           MaxNumberOfMessages=10).get("Messages", []):
            body = json.loads(message["Body"])
            if body["detail"]["taskArn"] == task["taskArn"]:
                seen.append(body)
    events.remove_targets(Rule=rule, Ids=["q"])
    events.delete_rule(Name=rule)
    assert seen[0]["detail"]["containers"][0]["exitCode"] == 4


def test_resource_types(tarn, platform, unique):
    cfn, stack = tarn.client("cloudformation"), unique("stack")
    template = {"Resources": {
        "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": unique("cfn")}},
        "Definition": {"Type": "AWS::ECS::TaskDefinition", "Properties": {
            "Family": unique("cfn"), "RequiresCompatibilities": ["FARGATE"],
            "NetworkMode": "awsvpc", "Cpu": 256, "Memory": 512,
            "ExecutionRoleArn": platform.execution_role, "TaskRoleArn": platform.task_role,
            "ContainerDefinitions": [{
                "Name": "main", "Image": "tarn/slim",
                "Environment": [{"Name": "COMMAND", "Value": "echo from-a-stack"}],
                "LogConfiguration": {"LogDriver": "awslogs", "Options": {
                    "awslogs-group": platform.group, "awslogs-region": {"Ref": "AWS::Region"},
                    "awslogs-stream-prefix": "task"}}}]}}},
        "Outputs": {"Cluster": {"Value": {"Ref": "Cluster"}},
                    "Arn": {"Value": {"Fn::GetAtt": ["Cluster", "Arn"]}},
                    "Definition": {"Value": {"Ref": "Definition"}}}}
    wait = {"Delay": 0.2, "MaxAttempts": 150}
    cfn.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    cfn.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig=wait)
    outputs = {o["OutputKey"]: o["OutputValue"]
               for o in cfn.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]}
    platform.cluster = outputs["Arn"]
    arn = platform.start(outputs["Definition"], {})
    assert platform.until(arn, "STOPPED")["containers"][0]["exitCode"] == 0
    assert platform.log(arn) == ["from-a-stack"]
    cfn.delete_stack(StackName=stack)
    cfn.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig=wait)
    assert platform.ecs.describe_clusters(clusters=[outputs["Cluster"]])["failures"]


def test_a_task_that_had_not_begun_runs_after_a_kill(fresh_tarn, unique):
    """RunTask was answered: what it promised happens, also when Tarn ends at once."""
    platform = Platform(fresh_tarn, unique)
    definition = platform.define()
    begun = []
    for _ in range(5):
        arns = [platform.start(definition, {"COMMAND": "echo ran"}) for _ in range(8)]
        fresh_tarn.restart(kill=True)
        platform.ecs = fresh_tarn.client("ecs")
        tasks = [platform.until(arn, "STOPPED") for arn in arns]
        for arn, task in zip(arns, tasks):
            if task["stopCode"] == "EssentialContainerExited":
                assert task["containers"][0]["exitCode"] == 0
                assert platform.log(arn) == ["ran"]
            else:  # it ran when the kill came: once is all
                assert task["stoppedReason"] == "Tarn ended while the task ran"
                assert len(platform.log(arn)) <= 1
        begun += [task["stopCode"] for task in tasks]
    assert "EssentialContainerExited" in begun


def test_sizes_of_overrides_are_fargates(platform):
    definition = platform.define()
    run = lambda **sizes: platform.ecs.run_task(
        cluster=platform.cluster, taskDefinition=definition, launchType="FARGATE",
        networkConfiguration=NETWORK, overrides=sizes | {"containerOverrides": [
            {"name": "main", "environment": [{"name": "COMMAND", "value": "true"}]}]})
    task = run(cpu="1 vCPU", memory="4 GB")["tasks"][0]
    assert (task["cpu"], task["memory"]) == ("1024", "4096")
    assert "No Fargate configuration exists for given values" in error_of(
        run, cpu="300", memory="512")["Message"]


def test_a_container_that_cannot_be_started_says_so(platform):
    arn = platform.start(platform.define({"entryPoint": ["/no/such"]}), {})
    task = platform.until(arn, "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotStartContainerError: ")
    assert "/no/such" in task["stoppedReason"]
    assert task["containers"][0]["reason"] == task["stoppedReason"]


def test_ten_tasks_run_at_once(platform):
    tasks = platform.ecs.run_task(
        cluster=platform.cluster, taskDefinition=platform.define(cpu="256", memory="512"), count=10,
        launchType="FARGATE", networkConfiguration=NETWORK, overrides={"containerOverrides": [
            {"name": "main", "environment": [{"name": "COMMAND", "value": "exit 9"}]}]})["tasks"]
    ended = [platform.until(task["taskArn"], "STOPPED") for task in tasks]
    assert [task["containers"][0]["exitCode"] for task in ended] == [9] * 10
    assert len({task["taskArn"] for task in ended}) == 10


def test_names_and_lists_are_checked(platform):
    assert error_of(platform.define, family="a b")["Message"] == (
        "Family contains invalid characters.")
    assert error_of(platform.ecs.describe_tasks, cluster=platform.cluster, tasks=[])[
        "Message"] == "Tasks cannot be empty."


def test_a_task_cannot_mount_or_make_namespaces(platform):
    """What a task is must stay what it is: its limits are lifted by nobody inside."""
    program = ("import ctypes, os; c = ctypes.CDLL(None, use_errno=True); "
               "print(c.unshare(0x10000000), c.unshare(0x20000), "
               "c.mount(b'none', b'/mnt', b'tmpfs', 0, None))")
    task, log = platform.run({"COMMAND": f'python3 -c "{program}"'})
    assert task["containers"][0]["exitCode"] == 0 and log == ["-1 -1 -1"]
