# SPDX-License-Identifier: Apache-2.0
"""Who hears of changes to a bucket, and what a configuration must be like."""

from __future__ import annotations

import json

import pytest

from support.refusals import refused
from support.server import until

CREATED = ["s3:ObjectCreated:*"]


@pytest.fixture
def queue(tarn, unique):
    """queue() → (URL, ARN) of a queue that S3 may send to."""
    sqs = tarn.client("sqs")

    def make(allowed=True):
        url = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"]
        if allowed:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({
                "Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
                    "Action": "sqs:SendMessage", "Resource": arn}]})})
        return url, arn

    return make


def notify(s3, bucket, *queues, **more):
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={
        "QueueConfigurations": list(queues)}, **more)


def hear(tarn, url, heard):
    """Adds what is in the queue to `heard`."""
    sqs = tarn.client("sqs")
    for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1,
                                       MaxNumberOfMessages=10).get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        heard.append(json.loads(message["Body"]))
    return heard


def test_a_destination_is_tried_when_it_is_configured(tarn, s3, bucket, queue):
    url, arn = queue()
    notify(s3, bucket, {"QueueArn": arn, "Events": CREATED})
    heard = []
    until(lambda: hear(tarn, url, heard))
    assert heard[0]["Event"] == "s3:TestEvent" and heard[0]["Bucket"] == bucket
    assert heard[0]["Service"] == "Amazon S3" and heard[0]["RequestId"]


def test_a_destination_that_refuses_is_not_configured(s3, bucket, queue):
    _, closed = queue(allowed=False)
    missing = closed + "-none"
    text = "Unable to validate the following destination configurations"
    for arn in (closed, missing):
        with refused("InvalidArgument", text, 400) as error:
            notify(s3, bucket, {"QueueArn": arn, "Events": CREATED})
        assert error.value.response["Error"]["ArgumentName1"] == arn
    with refused("InvalidArgument", text, 400):
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={
            "LambdaFunctionConfigurations": [{
                "LambdaFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:none",
                "Events": CREATED}]})
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)
    notify(s3, bucket, {"QueueArn": missing, "Events": CREATED}, SkipDestinationValidation=True)
    assert s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]


def test_a_configuration_must_make_sense(s3, bucket, queue):
    _, arn = queue()

    def rule(name, value):
        return {"Key": {"FilterRules": [{"Name": name, "Value": value}]}}

    with refused("InvalidArgument", "is not supported for notifications", 400):
        notify(s3, bucket, {"QueueArn": arn, "Events": ["s3:Everything"]})
    with refused("InvalidArgument", "filter rule name must be either prefix or suffix", 400):
        notify(s3, bucket, {"QueueArn": arn, "Events": CREATED, "Filter": rule("infix", "x")})
    with refused("InvalidArgument", "The ARN is not well formed", 400):
        notify(s3, bucket, {"QueueArn": "queue", "Events": CREATED})
    with refused("InvalidArgument", "Configurations overlap", 400):
        notify(s3, bucket, {"QueueArn": arn, "Events": CREATED, "Filter": rule("prefix", "a/")},
               {"QueueArn": arn, "Events": ["s3:ObjectCreated:Put"],
                "Filter": rule("prefix", "a/b/")})
    notify(s3, bucket, {"QueueArn": arn, "Events": CREATED, "Filter": rule("prefix", "a/")},
           {"QueueArn": arn, "Events": CREATED, "Filter": rule("prefix", "b/")},
           {"QueueArn": arn, "Events": ["s3:ObjectRemoved:*"]})


def test_one_destination_does_not_wait_for_another(tarn, s3, bucket, queue):
    """The first has lost its queue: the second hears at once, and once."""
    first, first_arn = queue()
    second, second_arn = queue()
    notify(s3, bucket, {"QueueArn": first_arn, "Events": ["s3:ObjectCreated:Put"]},
           {"QueueArn": second_arn, "Events": ["s3:ObjectRemoved:*"]})
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={
        "QueueConfigurations": [
            {"QueueArn": first_arn, "Events": CREATED}],
        "EventBridgeConfiguration": {}})
    events = tarn.client("events")
    rule = bucket
    events.put_rule(Name=rule, EventPattern=json.dumps({
        "source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}))
    tarn.client("sqs").set_queue_attributes(QueueUrl=second, Attributes={"Policy": json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": second_arn}]})})
    events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": second_arn}])
    heard = []
    until(lambda: hear(tarn, second, heard))  # the test event of the first configuration
    tarn.client("sqs").delete_queue(QueueUrl=first)
    heard.clear()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    until(lambda: hear(tarn, second, heard))
    assert [one["detail-type"] for one in heard] == ["Object Created"]
    # Longer than the first few repetitions for the lost queue take.
    assert len(hear(tarn, second, heard)) == 1


def test_tags_are_changes_too(tarn, s3, bucket, queue):
    url, arn = queue()
    notify(s3, bucket, {"QueueArn": arn, "Events": ["s3:ObjectTagging:*"]})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    heard = []

    def two():
        hear(tarn, url, heard)
        return len([one for one in heard if "Records" in one]) >= 2

    until(two)
    names = [one["Records"][0]["eventName"] for one in heard if "Records" in one]
    assert names == ["ObjectTagging:Put", "ObjectTagging:Delete"]


def test_cloudformation_makes_a_bucket_that_tells_its_queue(tarn, s3, unique):
    cfn, stack, name = tarn.client("cloudformation"), unique("stack"), unique("bucket")
    template = {"Resources": {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": {
            "Queues": [{"Ref": "Queue"}],
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
                "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{name}"}}}]}}},
        "Bucket": {"Type": "AWS::S3::Bucket", "DependsOn": "Policy", "Properties": {
            "BucketName": name, "NotificationConfiguration": {"QueueConfigurations": [{
                "Event": "s3:ObjectCreated:*", "Queue": {"Fn::GetAtt": ["Queue", "Arn"]},
                "Filter": {"S3Key": {"Rules": [{"Name": "suffix", "Value": ".csv"}]}}}]}}}},
        "Outputs": {"Url": {"Value": {"Ref": "Queue"}}}}
    cfn.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    cfn.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    url = cfn.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"][0]["OutputValue"]
    [kept] = s3.get_bucket_notification_configuration(Bucket=name)["QueueConfigurations"]
    assert kept["Filter"]["Key"]["FilterRules"] == [{"Name": "suffix", "Value": ".csv"}]
    for key in ("a.txt", "a.csv"):
        s3.put_object(Bucket=name, Key=key, Body=b"1")
    heard = []

    def records():
        return [one["Records"][0]["s3"]["object"]["key"]
                for one in hear(tarn, url, heard) if "Records" in one]

    until(records)
    assert records() == ["a.csv"]
    s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "a.txt"}, {"Key": "a.csv"}]})
    cfn.delete_stack(StackName=stack)
    cfn.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
