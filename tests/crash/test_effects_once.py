# SPDX-License-Identifier: Apache-2.0
"""What a state machine starts elsewhere is started once, wherever kill -9 strikes."""

from __future__ import annotations

import json
import time

import pytest

from support.server import until

pytestmark = [pytest.mark.slow, pytest.mark.destructive]

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Action": "sts:AssumeRole",
    "Principal": {"Service": ["states.amazonaws.com", "ecs-tasks.amazonaws.com"]}}]})
MILLISECONDS = (0, 2, 4, 6, 8, 10, 12, 15, 20, 30, 50, 80)


@pytest.fixture
def role(fresh_tarn):
    iam = fresh_tarn.client("iam")
    arn = iam.create_role(RoleName="all", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.put_role_policy(RoleName="all", PolicyName="all", PolicyDocument=json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))
    return arn


def machine(tarn, role, name, resource, parameters):
    return tarn.client("stepfunctions").create_state_machine(
        name=name, roleArn=role, definition=json.dumps({"StartAt": "T", "States": {"T": {
            "Type": "Task", "Resource": resource, "Parameters": parameters, "End": True}}})
    )["stateMachineArn"]


def killed_soon(tarn, arn, milliseconds):
    """Starts an execution, kills Tarn that much later, opens again, waits for the end."""
    states = tarn.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    time.sleep(milliseconds / 1000)
    tarn.restart(kill=True)
    states = tarn.client("stepfunctions")
    return until(lambda: (lambda e: e if e["status"] != "RUNNING" else None)(
        states.describe_execution(executionArn=execution)), seconds=60)


def test_a_task_is_run_once(fresh_tarn, role):
    tarn = fresh_tarn
    ecs = tarn.client("ecs")
    definition = ecs.register_task_definition(
        family="t", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256",
        memory="512", executionRoleArn=role, containerDefinitions=[{
            "name": "main", "image": "tarn/slim",
            "environment": [{"name": "COMMAND", "value": "sleep 0.2"}]}]
    )["taskDefinition"]["taskDefinitionArn"]
    for milliseconds in MILLISECONDS:
        cluster = f"after-{milliseconds}"
        ecs.create_cluster(clusterName=cluster)
        arn = machine(tarn, role, cluster, "arn:aws:states:::ecs:runTask.sync", {
            "Cluster": cluster, "TaskDefinition": definition, "LaunchType": "FARGATE",
            "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": ["s-1"]}}})
        status = killed_soon(tarn, arn, milliseconds)["status"]
        ecs = tarn.client("ecs")
        tasks = [task for status in ("RUNNING", "STOPPED") for task in ecs.list_tasks(
            cluster=cluster, desiredStatus=status)["taskArns"]]
        assert len(tasks) == 1, (milliseconds, tasks)
        # A task that ran when Tarn was killed is gone, and the execution says so; one that had not
        # begun runs after the restart.
        [task] = ecs.describe_tasks(cluster=cluster, tasks=tasks)["tasks"]
        interrupted = task["stoppedReason"] == "Tarn ended while the task ran"
        assert interrupted or task["containers"][0]["exitCode"] == 0, task
        assert status == ("FAILED" if interrupted else "SUCCEEDED"), (milliseconds, task)


def test_a_nested_execution_is_started_once(fresh_tarn, role):
    tarn = fresh_tarn
    states = tarn.client("stepfunctions")
    for milliseconds in MILLISECONDS:
        inner = states.create_state_machine(
            name=f"inner-{milliseconds}", roleArn=role, definition=json.dumps(
                {"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": 7, "End": True}}})
        )["stateMachineArn"]
        outer = machine(tarn, role, f"outer-{milliseconds}",
                        "arn:aws:states:::states:startExecution.sync:2",
                        {"StateMachineArn": inner})
        ended = killed_soon(tarn, outer, milliseconds)
        assert ended["status"] == "SUCCEEDED", (milliseconds, ended)
        assert json.loads(ended["output"])["Output"] == 7
        states = tarn.client("stepfunctions")
        started = states.list_executions(stateMachineArn=inner)["executions"]
        assert len(started) == 1, (milliseconds, started)
