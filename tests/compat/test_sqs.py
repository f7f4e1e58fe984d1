# SPDX-License-Identifier: Apache-2.0
"""SQS as boto3 and the aws CLI see it."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import urllib.request

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from support.refusals import refused
from support.server import until


@pytest.fixture
def sqs(tarn):
    return tarn.client("sqs")


@pytest.fixture
def queue(sqs, unique):
    def make(name=None, **attributes):
        name = name or unique("queue")
        return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    return make


def code_of(error):
    return error.value.response["Error"]["Code"]


def arn(sqs, url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"]
                                    )["Attributes"]["QueueArn"]


def receive(sqs, url, **arguments):
    return sqs.receive_message(QueueUrl=url, **arguments).get("Messages", [])


def test_a_message_goes_in_comes_out_and_is_deleted(sqs, queue):
    url = queue()
    sent = sqs.send_message(QueueUrl=url, MessageBody="hällo")
    assert sent["MD5OfMessageBody"] == hashlib.md5("hällo".encode()).hexdigest()
    got = receive(sqs, url, AttributeNames=["All"])
    assert [m["Body"] for m in got] == ["hällo"]
    assert got[0]["MessageId"] == sent["MessageId"]
    assert got[0]["Attributes"]["ApproximateReceiveCount"] == "1"
    assert abs(int(got[0]["Attributes"]["SentTimestamp"]) / 1000 - time.time()) < 60
    assert receive(sqs, url) == []
    sqs.delete_message(QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"])
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "0"
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_message_attributes_come_back_as_asked_with_their_digest(sqs, queue):
    url = queue()
    attributes = {
        "text": {"DataType": "String", "StringValue": "x"},
        "count": {"DataType": "Number.int", "StringValue": "42"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    # boto3 checks both digests itself.
    sqs.send_message(QueueUrl=url, MessageBody="b", MessageAttributes=attributes,
                     MessageSystemAttributes={"AWSTraceHeader": {
                         "DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a9"}})
    [message] = receive(sqs, url, MessageAttributeNames=["te.*", "raw"],
                        MessageSystemAttributeNames=["AWSTraceHeader"], VisibilityTimeout=0)
    assert message["MessageAttributes"] == {
        name: value for name, value in attributes.items() if name != "count"}
    assert message["Attributes"] == {"AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a9"}
    [message] = receive(sqs, url, MessageAttributeNames=["All"])
    assert message["MessageAttributes"] == attributes


def test_creating_a_queue_again_is_a_success_unless_it_differs(sqs, queue, unique):
    name = unique("queue")
    url = queue(name, VisibilityTimeout="60")
    assert queue(name) == url
    assert queue(name, VisibilityTimeout="60") == url
    with pytest.raises(ClientError) as error:
        queue(name, VisibilityTimeout="61")
    assert code_of(error) == "QueueAlreadyExists"
    assert "VisibilityTimeout" in error.value.response["Error"]["Message"]


def test_unknown_queues_and_bad_values_are_errors_as_in_aws(sqs, queue):
    url = queue()
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as error:
        sqs.get_queue_url(QueueName="no-such-queue")
    assert error.value.response["Error"]["Message"] == "The specified queue does not exist."
    with pytest.raises(ClientError) as error:
        sqs.create_queue(QueueName="bad name!")
    assert code_of(error) == "InvalidParameterValue"
    with pytest.raises(ClientError) as error:
        receive(sqs, url, MaxNumberOfMessages=11)
    assert code_of(error) == "InvalidParameterValue"
    with pytest.raises(sqs.exceptions.InvalidMessageContents):
        sqs.send_message(QueueUrl=url, MessageBody="\x00")
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.delete_message(QueueUrl=url, ReceiptHandle="nonsense")
    with pytest.raises(sqs.exceptions.InvalidAttributeName):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Speed": "9"})
    with pytest.raises(sqs.exceptions.InvalidAttributeValue):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "901"})


def test_queues_are_listed_by_prefix_and_page(sqs, queue, unique):
    prefix = unique("list")
    urls = sorted(queue(f"{prefix}-{i}") for i in range(5))
    assert sqs.list_queues(QueueNamePrefix=prefix)["QueueUrls"] == urls
    pages = sqs.get_paginator("list_queues").paginate(
        QueueNamePrefix=prefix, PaginationConfig={"PageSize": 2})
    assert [url for page in pages for url in page.get("QueueUrls", [])] == urls
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=prefix + "-none")


def test_a_long_poll_ends_when_a_message_comes(sqs, tarn, queue):
    url = queue()
    threading.Timer(0.5, lambda: tarn.client("sqs").send_message(
        QueueUrl=url, MessageBody="now")).start()
    begin = time.monotonic()
    assert [m["Body"] for m in receive(sqs, url, WaitTimeSeconds=10)] == ["now"]
    assert 0.3 < time.monotonic() - begin < 8
    begin = time.monotonic()
    assert receive(sqs, url, WaitTimeSeconds=1) == []
    assert 0.8 < time.monotonic() - begin < 6


def test_visibility_ends_and_can_be_changed(sqs, queue):
    url = queue(VisibilityTimeout="1")
    sqs.send_message(QueueUrl=url, MessageBody="m")
    [first] = receive(sqs, url)
    [again] = receive(sqs, url, WaitTimeSeconds=5, AttributeNames=["ApproximateReceiveCount"])
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"],
                                  VisibilityTimeout=0)
    [third] = receive(sqs, url, VisibilityTimeout=30)
    with pytest.raises(ClientError) as error:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"],
                                      VisibilityTimeout=5)
    assert code_of(error) == "InvalidParameterValue"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=third["ReceiptHandle"])


def test_delays_of_message_and_queue(sqs, queue):
    url = queue(DelaySeconds="1")
    sqs.send_message(QueueUrl=url, MessageBody="queue's")
    sqs.send_message(QueueUrl=url, MessageBody="own", DelaySeconds=0)
    assert [m["Body"] for m in receive(sqs, url, MaxNumberOfMessages=10)] == ["own"]
    assert [m["Body"] for m in receive(sqs, url, WaitTimeSeconds=5)] == ["queue's"]


def test_batches_answer_entry_by_entry(sqs, queue):
    url = queue()
    out = sqs.send_message_batch(QueueUrl=url, Entries=[
        {"Id": "a", "MessageBody": "1"}, {"Id": "b", "MessageBody": "\x01"},
        {"Id": "c", "MessageBody": "3"}])
    assert [e["Id"] for e in out["Successful"]] == ["a", "c"]
    assert [(e["Id"], e["SenderFault"]) for e in out["Failed"]] == [("b", True)]
    got = receive(sqs, url, MaxNumberOfMessages=10)
    assert sorted(m["Body"] for m in got) == ["1", "3"]
    out = sqs.change_message_visibility_batch(QueueUrl=url, Entries=[
        {"Id": str(i), "ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": 100}
        for i, m in enumerate(got)])
    assert len(out["Successful"]) == 2
    out = sqs.delete_message_batch(QueueUrl=url, Entries=[
        {"Id": "x", "ReceiptHandle": got[0]["ReceiptHandle"]},
        {"Id": "y", "ReceiptHandle": "bad"}])
    assert [e["Id"] for e in out["Successful"]] == ["x"]
    assert [e["Code"] for e in out["Failed"]] == ["ReceiptHandleIsInvalid"]
    for entries, wanted in [([], "EmptyBatchRequest"),
                            ([{"Id": "a", "MessageBody": "x"}] * 2, "BatchEntryIdsNotDistinct")]:
        with pytest.raises(ClientError) as error:
            sqs.send_message_batch(QueueUrl=url, Entries=entries)
        assert code_of(error).endswith(wanted)


def test_a_message_received_too_often_moves_to_the_dead_letter_queue(sqs, queue):
    dead = queue()
    policy = {"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": "1"}
    url = queue(VisibilityTimeout="0", RedrivePolicy=json.dumps(policy))
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    assert len(receive(sqs, url)) == 1
    assert receive(sqs, url) == []
    [moved] = receive(sqs, dead, AttributeNames=["All"])
    assert moved["Body"] == "poison"
    assert moved["Attributes"]["DeadLetterQueueSourceArn"] == arn(sqs, url)
    with pytest.raises(ClientError):
        queue(RedrivePolicy=json.dumps({**policy, "deadLetterTargetArn": arn(sqs, dead) + "x"}))


def test_fifo_queues_keep_order_within_groups_and_drop_duplicates(sqs, queue, unique):
    url = queue(unique("queue") + ".fifo", FifoQueue="true", ContentBasedDeduplication="true")
    first = sqs.send_message(QueueUrl=url, MessageBody="a1", MessageGroupId="a")
    same = sqs.send_message(QueueUrl=url, MessageBody="a1", MessageGroupId="a")
    assert same["MessageId"] == first["MessageId"]
    assert same["SequenceNumber"] == first["SequenceNumber"]
    for body, group in [("a2", "a"), ("b1", "b"), ("a3", "a")]:
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group)
    one = receive(sqs, url, MaxNumberOfMessages=1)
    assert [m["Body"] for m in one] == ["a1"]
    assert [m["Body"] for m in receive(sqs, url, MaxNumberOfMessages=10)] == ["b1"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=one[0]["ReceiptHandle"])
    rest = receive(sqs, url, MaxNumberOfMessages=10, AttributeNames=["All"])
    assert [m["Body"] for m in rest] == ["a2", "a3"]
    assert rest[0]["Attributes"]["MessageGroupId"] == "a"
    assert rest[0]["Attributes"]["SequenceNumber"] < rest[1]["Attributes"]["SequenceNumber"]
    with pytest.raises(ClientError) as error:
        sqs.send_message(QueueUrl=url, MessageBody="x")
    assert code_of(error) == "MissingParameter"


def test_purging_empties_and_is_refused_twice_in_a_minute(sqs, queue):
    url = queue()
    for i in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(i))
    receive(sqs, url)
    sqs.purge_queue(QueueUrl=url)
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "0"
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "0"
    with pytest.raises(sqs.exceptions.PurgeQueueInProgress):
        sqs.purge_queue(QueueUrl=url)


def test_tags_and_attributes_can_be_set_and_read(sqs, queue):
    url = queue()
    sqs.tag_queue(QueueUrl=url, Tags={"team": "data", "x": "y"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["x"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "data"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "77"})
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "77"
    assert attributes["MessageRetentionPeriod"] == "345600"
    assert attributes["MaximumMessageSize"] == "1048576"


def test_a_deleted_queue_is_gone_with_its_messages(sqs, queue, unique):
    name = unique("queue")
    url = queue(name)
    sqs.send_message(QueueUrl=url, MessageBody="old")
    sqs.delete_queue(QueueUrl=url)
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.send_message(QueueUrl=url, MessageBody="late")
    assert queue(name) == url
    assert receive(sqs, url) == []


def test_permissions_are_statements_of_the_policy(sqs, queue):
    url = queue()
    sqs.add_permission(QueueUrl=url, Label="other", AWSAccountIds=["111111111111"],
                       Actions=["SendMessage"])
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    [statement] = json.loads(attributes["Policy"])["Statement"]
    assert statement["Sid"] == "other"
    assert statement["Action"] in ("SQS:SendMessage", ["SQS:SendMessage"])
    sqs.remove_permission(QueueUrl=url, Label="other")
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])


def test_what_was_acknowledged_survives_kill_minus_nine(fresh_tarn):
    sqs = fresh_tarn.client("sqs")
    url = sqs.create_queue(QueueName="durable", Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
    for i in range(20):
        sqs.send_message(QueueUrl=url, MessageBody=str(i))
    taken = receive(sqs, url, MaxNumberOfMessages=10)
    for message in taken[:5]:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    deleted = {m["Body"] for m in taken[:5]}
    fresh_tarn.restart(kill=True)
    sqs = fresh_tarn.client("sqs")
    seen = set()
    deadline = time.monotonic() + 30
    while len(seen) < 15 and time.monotonic() < deadline:
        for message in receive(sqs, url, MaxNumberOfMessages=10, WaitTimeSeconds=1):
            seen.add(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert seen == {str(i) for i in range(20)} - deleted


def test_the_query_protocol_of_older_clients_answers_xml(tarn, queue, sqs):
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
    import urllib.parse
    import urllib.request

    url = queue()
    body = urllib.parse.urlencode({"Action": "SendMessage", "Version": "2012-11-05",
                                   "QueueUrl": url, "MessageBody": "by query"})
    request = botocore.awsrequest.AWSRequest(
        "POST", tarn.endpoint + "/", data=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"})
    credentials = botocore.credentials.Credentials(tarn.access_key, tarn.secret_key)
    botocore.auth.SigV4Auth(credentials, "sqs", tarn.region).add_auth(request)
    sent = urllib.request.urlopen(urllib.request.Request(
        request.url, body.encode(), dict(request.headers), method="POST"))
    text = sent.read().decode()
    assert "<SendMessageResponse" in text
    assert hashlib.md5(b"by query").hexdigest() in text
    assert [m["Body"] for m in receive(sqs, url)] == ["by query"]


def test_the_query_protocol_may_name_the_queue_by_its_path(tarn, queue, sqs):
    url = queue()
    body = "Action=SendMessage&Version=2012-11-05&MessageBody=by%20path"
    request = AWSRequest("POST", url, data=body,
                         headers={"Content-Type": "application/x-www-form-urlencoded"})
    SigV4Auth(Credentials(tarn.access_key, tarn.secret_key), "sqs", tarn.region).add_auth(request)
    sent = urllib.request.urlopen(urllib.request.Request(
        url, body.encode(), dict(request.headers), method="POST"))
    assert b"<SendMessageResponse" in sent.read()
    assert [m["Body"] for m in receive(sqs, url)] == ["by path"]


def test_a_dead_letter_queue_says_who_may_use_it(sqs, queue):
    url = queue()

    def allow(**policy):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={
            "RedriveAllowPolicy": json.dumps(policy)})

    source = "arn:aws:sqs:us-east-1:000000000000:source"
    allow(redrivePermission="denyAll")
    allow(redrivePermission="byQueue", sourceQueueArns=[source])
    for bad in ({"redrivePermission": "anybody"}, {"redrivePermission": "byQueue"},
                {"redrivePermission": "allowAll", "sourceQueueArns": [source]},
                {"redrivePermission": "byQueue", "sourceQueueArns": [source] * 11}):
        with refused("InvalidAttributeValue", "RedriveAllowPolicy", 400):
            allow(**bad)


def test_cloudformation_makes_changes_and_removes_queues(tarn, unique, sqs):
    cfn = tarn.client("cloudformation")
    stack = unique("stack")
    template = {"Resources": {
        "Dead": {"Type": "AWS::SQS::Queue"},
        "Main": {"Type": "AWS::SQS::Queue", "Properties": {
            "VisibilityTimeout": 45, "Tags": [{"Key": "k", "Value": "v"}],
            "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]},
                              "maxReceiveCount": 3}}},
        "Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": {
            "Queues": [{"Ref": "Main"}],
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": ["Main", "Arn"]}}]}}}},
        "Outputs": {"Url": {"Value": {"Ref": "Main"}}}}
    cfn.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    cfn.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    url = cfn.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"][0]["OutputValue"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "45"
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] in (3, "3")
    assert "sns.amazonaws.com" in attributes["Policy"]
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"]["k"] == "v"
    template["Resources"]["Main"]["Properties"]["VisibilityTimeout"] = 46
    cfn.update_stack(StackName=stack, TemplateBody=json.dumps(template))
    cfn.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "46"
    cfn.delete_stack(StackName=stack)
    cfn.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    until(lambda: "QueueUrls" not in sqs.list_queues(QueueNamePrefix=stack))
