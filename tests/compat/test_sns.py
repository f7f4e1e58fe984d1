# SPDX-License-Identifier: Apache-2.0
"""SNS as boto3 sees it, with real subscribers: queues, a local HTTP server, the outbox folder."""

from __future__ import annotations

import base64
import email
import http.server
import json
import socketserver
import subprocess
import threading
import urllib.request

import pytest
from botocore.exceptions import ClientError

from support.refusals import refused
from support.server import until


@pytest.fixture
def sns(tarn):
    return tarn.client("sns")


@pytest.fixture
def sqs(tarn):
    return tarn.client("sqs")


@pytest.fixture
def topic(sns, unique):
    def make(name=None, tags=(), **attributes):
        return sns.create_topic(Name=name or unique("topic"), Attributes=attributes,
                                Tags=list(tags))["TopicArn"]

    return make


@pytest.fixture
def inbox(sqs, unique):
    """inbox(topic) → (URL, ARN) of a queue to which the topic may send."""
    def make(topic, name=None, allowed=True, **attributes):
        url = sqs.create_queue(QueueName=name or unique("inbox"), Attributes=attributes)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"]
                                       )["Attributes"]["QueueArn"]
        if allowed:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({
                "Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage", "Resource": arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}]})})
        return url, arn

    return make


def take(sqs, url, wait=10):
    found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=wait, MaxNumberOfMessages=10,
                                MessageAttributeNames=["All"], AttributeNames=["All"]
                                ).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def signed_text(message):
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn",
             "Type"]
    return "".join(f"{n}\n{message[n]}\n" for n in names if n in message).encode()


def check_signature(message, tmp_path):
    """As AWS describes it, with the openssl command."""
    pem, signature = tmp_path / "certificate.pem", tmp_path / "signature"
    pem.write_bytes(urllib.request.urlopen(message["SigningCertURL"]).read())
    key = tmp_path / "key.pem"
    key.write_bytes(subprocess.run(["openssl", "x509", "-in", pem, "-noout", "-pubkey"],
                                   check=True, capture_output=True).stdout)
    signature.write_bytes(base64.b64decode(message["Signature"]))
    digest = {"1": "-sha1", "2": "-sha256"}[message["SignatureVersion"]]
    verified = subprocess.run(["openssl", "dgst", digest, "-verify", key, "-signature",
                               signature], input=signed_text(message), capture_output=True)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_topics_are_made_listed_described_and_deleted(sns, topic, unique):
    name = unique("topic")
    arn = topic(name, DisplayName="Shown")
    assert arn.endswith(":" + name)
    assert topic(name) == arn
    with pytest.raises(ClientError) as error:
        topic(name, DisplayName="Other")
    assert error.value.response["Error"]["Code"] == "InvalidParameter"
    pages = sns.get_paginator("list_topics").paginate()
    assert arn in [t["TopicArn"] for page in pages for t in page["Topics"]]
    attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    assert attributes["DisplayName"] == "Shown"
    assert attributes["SubscriptionsConfirmed"] == "0"
    assert json.loads(attributes["Policy"])["Statement"][0]["Resource"] == arn
    sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="New")
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["DisplayName"] == "New"
    sns.delete_topic(TopicArn=arn)
    sns.delete_topic(TopicArn=arn)
    with pytest.raises(sns.exceptions.NotFoundException):
        sns.get_topic_attributes(TopicArn=arn)
    with pytest.raises(sns.exceptions.InvalidParameterException):
        sns.create_topic(Name="not a name")


def test_a_queue_gets_the_signed_envelope(sns, sqs, topic, inbox, tmp_path):
    arn = topic(SignatureVersion="2")
    url, queue_arn = inbox(arn)
    subscription = sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn
                                 )["SubscriptionArn"]
    sent = sns.publish(TopicArn=arn, Message="hällo", Subject="Hi", MessageAttributes={
        "kind": {"DataType": "String", "StringValue": "x"}})
    [message] = take(sqs, url)
    body = json.loads(message["Body"])
    assert body["Type"] == "Notification"
    assert body["MessageId"] == sent["MessageId"]
    assert (body["Message"], body["Subject"], body["TopicArn"]) == ("hällo", "Hi", arn)
    assert body["MessageAttributes"] == {"kind": {"Type": "String", "Value": "x"}}
    check_signature(body, tmp_path)
    # The same endpoint again is the same subscription.
    assert sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn
                         )["SubscriptionArn"] == subscription
    sns.unsubscribe(SubscriptionArn=subscription)
    sns.publish(TopicArn=arn, Message="unheard")
    assert take(sqs, url, 1) == []


def test_raw_delivery_gives_body_and_attributes_as_they_are(sns, sqs, topic, inbox):
    arn = topic()
    url, queue_arn = inbox(arn)
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn,
                  Attributes={"RawMessageDelivery": "true"})
    attributes = {"n": {"DataType": "Number", "StringValue": "5"},
                  "b": {"DataType": "Binary", "BinaryValue": b"\x01\x02"}}
    sns.publish(TopicArn=arn, Message="raw", MessageAttributes=attributes)
    [message] = take(sqs, url)
    assert message["Body"] == "raw"
    assert message["MessageAttributes"] == attributes


def test_filter_policies_choose_by_attributes_or_body(sns, sqs, topic, inbox):
    arn = topic()
    by_attribute, first = inbox(arn)
    by_body, second = inbox(arn)
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=first, Attributes={
        "FilterPolicy": json.dumps({"kind": ["a", {"prefix": "b"}],
                                    "n": [{"numeric": [">", 3]}]})})
    subscription = sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=second, Attributes={
        "FilterPolicyScope": "MessageBody",
        "FilterPolicy": json.dumps({"order": {"status": ["open"]}})})["SubscriptionArn"]

    def publish(kind, n, status):
        sns.publish(TopicArn=arn, Message=json.dumps({"order": {"status": status}}),
                    MessageAttributes={"kind": {"DataType": "String", "StringValue": kind},
                                       "n": {"DataType": "Number", "StringValue": str(n)}})

    publish("a", 2, "closed")
    publish("bee", 4, "closed")
    publish("c", 9, "open")
    [one] = take(sqs, by_attribute)
    assert json.loads(one["Body"])["MessageAttributes"]["kind"]["Value"] == "bee"
    [two] = take(sqs, by_body)
    assert json.loads(json.loads(two["Body"])["Message"]) == {"order": {"status": "open"}}
    with pytest.raises(sns.exceptions.InvalidParameterException):
        sns.set_subscription_attributes(SubscriptionArn=subscription, AttributeName="FilterPolicy",
                                        AttributeValue='{"a": "no list"}')
    sns.set_subscription_attributes(SubscriptionArn=subscription, AttributeName="FilterPolicy",
                                    AttributeValue="{}")
    shown = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    assert "FilterPolicy" not in shown
    publish("c", 9, "closed")
    assert len(take(sqs, by_body)) == 1


def test_a_queue_that_refuses_costs_the_message_or_fills_the_dead_letter_queue(
        sns, sqs, topic, inbox):
    arn = topic()
    _, refusing = inbox(arn, allowed=False)
    dead, dead_arn = inbox(arn)
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=refusing, Attributes={
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn})})
    sns.publish(TopicArn=arn, Message="unwanted")
    [message] = take(sqs, dead)
    assert json.loads(message["Body"])["Message"] == "unwanted"
    assert "AccessDenied" in message["MessageAttributes"]["ErrorMessage"]["StringValue"]


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers.items()), json.loads(body)))
        self.send_response(500 if len(self.server.got) <= self.server.failures else 200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Hook)
    server.got, server.failures = [], 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_an_http_endpoint_confirms_first_and_is_tried_again(sns, topic, hook, tmp_path):
    arn = topic()
    url = f"http://127.0.0.1:{hook.server_port}/hook"
    answer = sns.subscribe(TopicArn=arn, Protocol="http", Endpoint=url)
    assert answer["SubscriptionArn"] == "pending confirmation"
    until(lambda: hook.got)
    headers, request = hook.got[0]
    headers = {k.lower(): v for k, v in headers.items()}
    assert headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    check_signature(request, tmp_path)
    sns.publish(TopicArn=arn, Message="too early")
    [waiting] = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert waiting["SubscriptionArn"] == "PendingConfirmation"
    with pytest.raises(sns.exceptions.InvalidParameterException):
        sns.confirm_subscription(TopicArn=arn, Token="f" * 128)
    # As a browser would follow the link: without credentials.
    text = urllib.request.urlopen(request["SubscribeURL"]).read().decode()
    assert "<ConfirmSubscriptionResult" in text
    confirmed = sns.confirm_subscription(TopicArn=arn, Token=request["Token"])["SubscriptionArn"]
    assert confirmed.startswith(arn + ":")
    hook.failures = 2  # the next answer is still a failure
    sns.publish(TopicArn=arn, Message="now")
    until(lambda: len(hook.got) >= 3)
    assert [body["Message"] for _, body in hook.got[1:3]] == ["now", "now"]
    headers = {k.lower(): v for k, v in hook.got[2][0].items()}
    assert headers["x-amz-sns-subscription-arn"] == confirmed


def test_email_goes_to_the_outbox_folder(sns, topic, tarn):
    arn = topic()
    sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="team@example.com")
    sent = sns.publish(TopicArn=arn, Subject="Run failed", Message="row 7: änderung")

    def mine():
        folder = tarn.data / "outbox"
        files = folder.glob("*.eml") if folder.is_dir() else []
        return [f for f in files if sent["MessageId"] in f.name]

    [file] = until(mine)
    mail = email.message_from_bytes(file.read_bytes())
    assert mail["To"] == "team@example.com"
    assert mail["Subject"] == "Run failed"
    assert "row 7: änderung" in mail.get_payload(decode=True).decode()


def test_each_protocol_may_have_its_own_text(sns, sqs, topic, inbox):
    arn = topic()
    url, queue_arn = inbox(arn)
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
    sns.publish(TopicArn=arn, MessageStructure="json",
                Message=json.dumps({"default": "d", "sqs": "for queues"}))
    [message] = take(sqs, url)
    assert json.loads(message["Body"])["Message"] == "for queues"
    with pytest.raises(sns.exceptions.InvalidParameterException):
        sns.publish(TopicArn=arn, MessageStructure="json", Message='{"sqs": "x"}')


def test_fifo_topics_keep_order_and_drop_duplicates(sns, sqs, topic, inbox, unique):
    arn = topic(unique("topic") + ".fifo", FifoTopic="true", ContentBasedDeduplication="true")
    url, queue_arn = inbox(arn, unique("inbox") + ".fifo", FifoQueue="true")
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn,
                  Attributes={"RawMessageDelivery": "true"})
    first = sns.publish(TopicArn=arn, Message="1", MessageGroupId="g")
    again = sns.publish(TopicArn=arn, Message="1", MessageGroupId="g")
    assert again["SequenceNumber"] == first["SequenceNumber"]
    for text in "2345":
        sns.publish(TopicArn=arn, Message=text, MessageGroupId="g")
    got = []
    until(lambda: got.extend(m["Body"] for m in take(sqs, url, 1)) or len(got) == 5)
    assert got == list("12345")
    with pytest.raises(sns.exceptions.InvalidParameterException):
        sns.publish(TopicArn=arn, Message="no group")


def test_batches_answer_entry_by_entry(sns, sqs, topic, inbox):
    arn = topic()
    url, queue_arn = inbox(arn)
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn,
                  Attributes={"RawMessageDelivery": "true"})
    out = sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=[
        {"Id": "a", "Message": "1"}, {"Id": "b", "Message": "2", "Subject": "bad\nsubject"},
        {"Id": "c", "Message": "3"}])
    assert [e["Id"] for e in out["Successful"]] == ["a", "c"]
    assert [e["Id"] for e in out["Failed"]] == ["b"]
    got = []
    until(lambda: got.extend(m["Body"] for m in take(sqs, url, 1)) or len(got) == 2)
    assert sorted(got) == ["1", "3"]


def test_what_is_not_supported_says_so(sns, topic):
    arn = topic()
    for protocol in ("sms", "carrier-pigeon"):
        with pytest.raises(sns.exceptions.InvalidParameterException) as error:
            sns.subscribe(TopicArn=arn, Protocol=protocol, Endpoint="+4912345")
        assert protocol in error.value.response["Error"]["Message"]
    with pytest.raises(ClientError) as error:
        sns.publish(PhoneNumber="+4912345", Message="x")
    assert error.value.response["Error"]["Code"] == "NotImplemented"
    with pytest.raises(sns.exceptions.NotFoundException):
        sns.publish(TopicArn=arn + "-none", Message="x")


def test_tags_and_permissions(sns, topic):
    arn = topic(tags=[{"Key": "a", "Value": "1"}])
    sns.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    sns.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert sns.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    sns.add_permission(TopicArn=arn, Label="other", AWSAccountId=["111111111111"],
                       ActionName=["Publish"])
    policy = json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
    assert [s["Sid"] for s in policy["Statement"]][-1] == "other"
    sns.remove_permission(TopicArn=arn, Label="other")
    policy = json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
    assert "other" not in [s["Sid"] for s in policy["Statement"]]


def test_subscriptions_are_listed(sns, topic, inbox):
    arn = topic()
    _, queue_arn = inbox(arn)
    subscription = sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn
                                 )["SubscriptionArn"]
    pages = sns.get_paginator("list_subscriptions").paginate()
    every = [s for page in pages for s in page["Subscriptions"]]
    assert {"SubscriptionArn": subscription, "TopicArn": arn, "Protocol": "sqs",
            "Endpoint": queue_arn} in [{k: v for k, v in s.items() if k != "Owner"} for s in every]


def test_topics_take_what_terraform_sets_at_creation(sns, topic):
    """aws_sns_topic sets the five sample rates to 0 after each creation."""
    arn = topic()
    for protocol in ("Application", "Firehose", "HTTP", "Lambda", "SQS"):
        sns.set_topic_attributes(TopicArn=arn, AttributeValue="0",
                                 AttributeName=f"{protocol}SuccessFeedbackSampleRate")
    role = "arn:aws:iam::000000000000:role/feedback"
    sns.set_topic_attributes(TopicArn=arn, AttributeName="SQSFailureFeedbackRoleArn",
                             AttributeValue=role)
    shown = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    assert shown["SQSFailureFeedbackRoleArn"] == role
    assert shown["LambdaSuccessFeedbackSampleRate"] == "0"
    for name, value in (("SQSSuccessFeedbackSampleRate", "101"), ("SQSFeedback", "1")):
        with refused("InvalidParameter", status=400):
            sns.set_topic_attributes(TopicArn=arn, AttributeName=name, AttributeValue=value)


def test_a_topic_may_take_larger_messages(sns, sqs, topic, inbox):
    arn = topic(MaximumMessageSize="1048576")
    url, queue_arn = inbox(arn)
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn,
                  Attributes={"RawMessageDelivery": "true"})
    sns.publish(TopicArn=arn, Message="x" * 500_000)
    assert len(take(sqs, url)[0]["Body"]) == 500_000
    with refused("InvalidParameter", "Message too long"):
        sns.publish(TopicArn=topic(), Message="x" * 262_145)
    with refused("InvalidParameter", "MaximumMessageSize"):
        topic(MaximumMessageSize="1")


def test_subjects_are_text_without_control_characters(sns, sqs, topic, inbox):
    arn = topic()
    url, queue_arn = inbox(arn)
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
    sns.publish(TopicArn=arn, Message="x", Subject="Grüße " + "ü" * 94)
    assert json.loads(take(sqs, url)[0]["Body"])["Subject"].startswith("Grüße")
    for subject in ("a\nb", "x" * 101, " x", ""):
        with refused("InvalidParameter", "Invalid parameter: Subject"):
            sns.publish(TopicArn=arn, Message="x", Subject=subject)


def test_a_dead_letter_is_raw_where_delivery_is(sns, sqs, topic, inbox):
    arn = topic()
    _, refusing = inbox(arn, allowed=False)
    dead, dead_arn = inbox(arn)
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=refusing, Attributes={
        "RawMessageDelivery": "true",
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn})})
    text = {"DataType": "String", "StringValue": "v"}
    sns.publish(TopicArn=arn, Message="raw", MessageAttributes={"a": text})
    [message] = take(sqs, dead)
    assert message["Body"] == "raw" and message["MessageAttributes"]["a"] == text
    assert "AccessDenied" in message["MessageAttributes"]["ErrorMessage"]["StringValue"]
    # Ten attributes leave no room for the reason; eleven do not fit at all.
    for count in (10, 11):
        sns.publish(TopicArn=arn, Message="full", MessageAttributes={
            f"a{i}": text for i in range(count)})
        [message] = take(sqs, dead)
        if count == 10:
            assert message["Body"] == "full" and len(message["MessageAttributes"]) == 10
        else:
            assert json.loads(message["Body"])["Message"] == "full"


def test_groups_of_standard_topics_reach_standard_queues(sns, sqs, topic, inbox):
    arn = topic()
    url, queue_arn = inbox(arn)
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
    sns.publish(TopicArn=arn, Message="x", MessageGroupId="tenant-1")
    assert take(sqs, url)[0]["Attributes"]["MessageGroupId"] == "tenant-1"
    with refused("InvalidParameter", "MessageGroupId"):
        sns.publish(TopicArn=arn, Message="x", MessageGroupId="a b")


def test_duplicates_may_be_counted_per_group(sns, topic, unique):
    per_group = topic(unique("topic") + ".fifo", FifoTopic="true",
                      ContentBasedDeduplication="true", FifoThroughputScope="MessageGroup")
    per_topic = topic(unique("topic") + ".fifo", FifoTopic="true",
                      ContentBasedDeduplication="true")

    def numbers(arn):
        return [sns.publish(TopicArn=arn, Message="same", MessageGroupId=group)["SequenceNumber"]
                for group in ("a", "b", "a")]

    first, second, third = numbers(per_group)
    assert first == third != second
    assert len(set(numbers(per_topic))) == 1
    with refused("InvalidParameter"):
        topic(unique("topic") + ".fifo", FifoTopic="true", FifoThroughputScope="Everything")


def test_filter_policies_that_could_never_match_are_refused(sns, topic, inbox):
    arn = topic()
    _, queue_arn = inbox(arn)

    def subscribe(policy, **more):
        return sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn, Attributes={
            "FilterPolicy": json.dumps(policy), **more})["SubscriptionArn"]

    nested = {"order": {"kind": ["new"]}}
    with refused("InvalidParameter", "does not support nested filter policy"):
        subscribe(nested)
    with refused("InvalidParameter", "Filter policy can not have more than 5 keys"):
        subscribe({f"k{i}": ["x"] for i in range(6)})
    subscription = subscribe(nested, FilterPolicyScope="MessageBody")
    with refused("InvalidParameter", "does not support nested filter policy"):
        sns.set_subscription_attributes(SubscriptionArn=subscription,
                                        AttributeName="FilterPolicyScope",
                                        AttributeValue="MessageAttributes")


def test_batches_and_permissions_are_checked(sns, topic):
    arn = topic()
    with refused("InvalidBatchEntryId", "doesn't abide by the specification"):
        sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=[{"Id": "a b", "Message": "x"}])
    with refused("InvalidParameter", "Policy statement action out of service scope!"):
        sns.add_permission(TopicArn=arn, Label="l", AWSAccountId=["111111111111"],
                           ActionName=["SendMessage"])


def test_an_undelivered_message_survives_kill_minus_nine(fresh_tarn, hook):
    sns = fresh_tarn.client("sns")
    arn = sns.create_topic(Name="durable")["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="http",
                  Endpoint=f"http://127.0.0.1:{hook.server_port}/x")
    until(lambda: hook.got)
    sns.confirm_subscription(TopicArn=arn, Token=hook.got[0][1]["Token"])
    hook.failures = 10**6
    sns.publish(TopicArn=arn, Message="survivor")
    until(lambda: len(hook.got) >= 2)
    fresh_tarn.kill()
    hook.failures, before = 0, len(hook.got)
    fresh_tarn.start()
    until(lambda: len(hook.got) > before)
    assert hook.got[-1][1]["Message"] == "survivor"


def test_cloudformation_makes_and_removes_a_topic_with_its_subscription(tarn, unique, sns, sqs):
    cfn = tarn.client("cloudformation")
    stack = unique("stack")
    template = {"Resources": {
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {
            "DisplayName": "From a stack", "Tags": [{"Key": "k", "Value": "v"}]}},
        "Queue": {"Type": "AWS::SQS::Queue"},
        "QueuePolicy": {"Type": "AWS::SQS::QueuePolicy", "Properties": {
            "Queues": [{"Ref": "Queue"}], "PolicyDocument": {
                "Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": ["Queue", "Arn"]}}]}}},
        "Subscription": {"Type": "AWS::SNS::Subscription", "DependsOn": "QueuePolicy",
                         "Properties": {"TopicArn": {"Ref": "Topic"}, "Protocol": "sqs",
                                        "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]},
                                        "RawMessageDelivery": True,
                                        "FilterPolicy": {"kind": ["wanted"]}}},
        "TopicPolicy": {"Type": "AWS::SNS::TopicPolicy", "Properties": {
            "Topics": [{"Ref": "Topic"}], "PolicyDocument": {
                "Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sns:Publish", "Resource": {"Ref": "Topic"}}]}}}},
        "Outputs": {"Topic": {"Value": {"Ref": "Topic"}}, "Url": {"Value": {"Ref": "Queue"}}}}
    cfn.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    cfn.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    outputs = {o["OutputKey"]: o["OutputValue"]
               for o in cfn.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]}
    attributes = sns.get_topic_attributes(TopicArn=outputs["Topic"])["Attributes"]
    assert attributes["DisplayName"] == "From a stack"
    assert "events.amazonaws.com" in attributes["Policy"]
    for kind in ("unwanted", "wanted"):
        sns.publish(TopicArn=outputs["Topic"], Message=kind, MessageAttributes={
            "kind": {"DataType": "String", "StringValue": kind}})
    assert [m["Body"] for m in take(sqs, outputs["Url"])] == ["wanted"]
    cfn.delete_stack(StackName=stack)
    cfn.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    with pytest.raises(sns.exceptions.NotFoundException):
        sns.get_topic_attributes(TopicArn=outputs["Topic"])
