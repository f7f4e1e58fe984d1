# SPDX-License-Identifier: Apache-2.0
"""A data directory with a little of everything: made once per format, opened ever after.

    python -m support.old_directory make FILE.tar.gz     (from tests/, with the release build)

`fill` and `check` belong together. A new kind of record is added to both, under a new file; what
stands in tests/compat/directories stays as the older Tarn wrote it.
"""

from __future__ import annotations

import io
import json
import pathlib
import sys
import tarfile
import time
import zipfile

from support.server import Tarn, until

CODE = "def handler(event, context):\n    return {'got': event}\n"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Action": "sts:AssumeRole",
    "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com",
                              "ecs-tasks.amazonaws.com"]}}]})
ALL = json.dumps({"Version": "2012-10-17",
                  "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
NEVER = "cron(0 0 1 1 ? 2199)"
MEDIUM = bytes(range(256)) * 100  # stays in the commit log
LARGE = bytes(range(256)) * 8192  # 2 MiB: a file of its own
WAITS = {"StartAt": "W", "States": {
    "W": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
          "Parameters": {"QueueUrl.$": "$.queue", "MessageBody.$": "$$.Task.Token"},
          "End": True}}}
TEMPLATE = json.dumps({
    "Parameters": {"Stage": {"Type": "String", "Default": "old"}},
    "Resources": {"Queue": {"Type": "AWS::SQS::Queue",
                            "Properties": {"QueueName": {"Fn::Sub": "stack-${Stage}"}}}},
    "Outputs": {"Url": {"Value": {"Ref": "Queue"}, "Export": {"Name": "old-url"}}}})


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("main.py", CODE)
    return out.getvalue()


def fill(tarn: Tarn) -> None:
    s3 = tarn.client("s3")
    s3.create_bucket(Bucket="old")
    s3.put_object(Bucket="old", Key="small", Body=b"small", Metadata={"k": "v"}, Tagging="a=b")
    s3.put_object(Bucket="old", Key="medium", Body=MEDIUM)
    s3.put_object(Bucket="old", Key="large", Body=LARGE)
    upload = s3.create_multipart_upload(Bucket="old", Key="parts")["UploadId"]
    s3.upload_part(Bucket="old", Key="parts", UploadId=upload, PartNumber=1, Body=LARGE * 3)
    iam = tarn.client("iam")
    role = iam.create_role(RoleName="old", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.put_role_policy(RoleName="old", PolicyName="all", PolicyDocument=ALL)
    iam.create_user(UserName="old")
    iam.put_user_policy(UserName="old", PolicyName="s3", PolicyDocument=ALL)
    sqs = tarn.client("sqs")
    queue = sqs.create_queue(QueueName="old", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="kept")
    tokens = sqs.create_queue(QueueName="tokens")["QueueUrl"]
    sns = tarn.client("sns")
    topic = sns.create_topic(Name="old")["TopicArn"]
    arn = sqs.get_queue_attributes(QueueUrl=queue,
                                   AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    tarn.client("ssm").put_parameter(Name="/old/secret", Value="sealed", Type="SecureString")
    tarn.client("secretsmanager").create_secret(Name="old", SecretString="whispered")
    events = tarn.client("events")
    events.put_rule(Name="old", ScheduleExpression=NEVER)
    events.put_targets(Rule="old", Targets=[{"Id": "q", "Arn": arn}])
    logs = tarn.client("logs")
    logs.create_log_group(logGroupName="old")
    logs.create_log_stream(logGroupName="old", logStreamName="s")
    now = int(time.time() * 1000)
    logs.put_log_events(logGroupName="old", logStreamName="s", logEvents=[
        {"timestamp": now + i, "message": f"line {i}"} for i in range(5)])
    tarn.client("lambda").create_function(
        FunctionName="old", Runtime="python3.11", Handler="main.handler", Role=role,
        Code={"ZipFile": archive()})
    ecs = tarn.client("ecs")
    ecs.create_cluster(clusterName="old")
    ecs.register_task_definition(
        family="old", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256",
        memory="512", executionRoleArn=role,
        containerDefinitions=[{"name": "main", "image": "tarn/slim"}])
    states = tarn.client("stepfunctions")
    machine = states.create_state_machine(name="old", roleArn=role,
                                          definition=json.dumps(WAITS))["stateMachineArn"]
    states.start_execution(stateMachineArn=machine, name="waiting",
                           input=json.dumps({"queue": tokens}))
    until(lambda: sqs.get_queue_attributes(
        QueueUrl=tokens, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"][
            "ApproximateNumberOfMessages"] == "1")
    tarn.psql("create table old (id int identity(1,1), name varchar(10), price decimal(8,2),"
              " day date)")
    tarn.psql("insert into old (name, price, day) values ('a', 1.5, '2024-02-29'), (null, 2, null)")
    tarn.psql("create view old_view as select count(*) n from old")
    cloudformation = tarn.client("cloudformation")
    cloudformation.create_stack(StackName="old", TemplateBody=TEMPLATE)
    until(lambda: cloudformation.describe_stacks(StackName="old")["Stacks"][0]["StackStatus"]
          == "CREATE_COMPLETE")


def check(tarn: Tarn, aged: bool, since: int = 2) -> None:
    """Everything that `fill` made is there and goes on; of an aged one, what does not expire.

    `since`: the format of the store that was filled; earlier ones were filled with less.
    """
    s3 = tarn.client("s3")
    if since >= 2:
        assert s3.get_object(Bucket="old", Key="medium")["Body"].read() == MEDIUM
    small = s3.get_object(Bucket="old", Key="small")
    assert (small["Body"].read(), small["Metadata"]) == (b"small", {"k": "v"})
    assert s3.get_object_tagging(Bucket="old", Key="small")["TagSet"] == [
        {"Key": "a", "Value": "b"}]
    assert s3.get_object(Bucket="old", Key="large")["Body"].read() == LARGE
    [upload] = s3.list_multipart_uploads(Bucket="old")["Uploads"]
    part = s3.list_parts(Bucket="old", Key="parts", UploadId=upload["UploadId"])["Parts"][0]
    s3.complete_multipart_upload(Bucket="old", Key="parts", UploadId=upload["UploadId"],
                                 MultipartUpload={"Parts": [{"PartNumber": 1,
                                                             "ETag": part["ETag"]}]})
    assert s3.get_object(Bucket="old", Key="parts")["Body"].read() == LARGE * 3
    iam = tarn.client("iam")
    assert iam.get_user_policy(UserName="old", PolicyName="s3")["PolicyDocument"]["Statement"]
    key = iam.create_access_key(UserName="old")["AccessKey"]
    tarn.client("s3", access_key=key["AccessKeyId"],
                secret_key=key["SecretAccessKey"]).list_buckets()
    sqs = tarn.client("sqs")
    queue = sqs.get_queue_url(QueueName="old")["QueueUrl"]
    if not aged:
        [kept] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
        assert kept["Body"] == "kept"
    assert tarn.client("ssm").get_parameter(
        Name="/old/secret", WithDecryption=True)["Parameter"]["Value"] == "sealed"
    assert tarn.client("secretsmanager").get_secret_value(
        SecretId="old")["SecretString"] == "whispered"
    [subscription] = tarn.client("sns").list_subscriptions()["Subscriptions"]
    assert subscription["Endpoint"].endswith(":old")
    events = tarn.client("events")
    assert events.describe_rule(Name="old")["ScheduleExpression"] == NEVER
    assert len(events.list_targets_by_rule(Rule="old")["Targets"]) == 1
    found = tarn.client("logs").filter_log_events(logGroupName="old")["events"]
    assert [event["message"] for event in found] == [f"line {i}" for i in range(5)]
    answer = tarn.client("lambda").invoke(FunctionName="old", Payload=b'{"n": 1}')
    assert json.loads(answer["Payload"].read()) == {"got": {"n": 1}}
    ecs = tarn.client("ecs")
    assert ecs.describe_task_definition(taskDefinition="old:1")["taskDefinition"]["cpu"] == "256"
    assert ecs.describe_clusters(clusters=["old"])["clusters"][0]["status"] == "ACTIVE"
    states = tarn.client("stepfunctions")
    [machine] = states.list_state_machines()["stateMachines"]
    [execution] = states.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
    assert execution["status"] == "RUNNING"
    [scheduled] = [event["taskScheduledEventDetails"] for event in states.get_execution_history(
        executionArn=execution["executionArn"])["events"] if event["type"] == "TaskScheduled"]
    token = json.loads(scheduled["parameters"])["MessageBody"]
    states.send_task_success(taskToken=token, output='{"done": true}')
    ended = until(lambda: (lambda e: e if e["status"] != "RUNNING" else None)(
        states.describe_execution(executionArn=execution["executionArn"])))
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"done": True})
    assert tarn.psql("select id, name, price, day from old order by id").stdout == (
        "1|a|1.50|2024-02-29\n2||2.00|\n")
    tarn.psql("insert into old (name) values ('new')")
    assert tarn.psql("select n from old_view").stdout == "3\n"
    cloudformation = tarn.client("cloudformation")
    [export] = cloudformation.list_exports()["Exports"]
    assert export["Name"] == "old-url"
    cloudformation.delete_stack(StackName="old")
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName="old", WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def make(file: pathlib.Path) -> None:
    with Tarn() as tarn:
        fill(tarn)
        tarn.kill()  # as after a power cut: the log has to be replayed
        with tarfile.open(file, "w:gz") as out:
            # The sandbox's folder is a cache, and names this machine's cgroups.
            out.add(tarn.data, "data",
                    filter=lambda entry: None if entry.name == "data/sandbox" else entry)
    print(file, file.stat().st_size, "bytes")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "make":
        sys.exit(__doc__)
    make(pathlib.Path(sys.argv[2]))
