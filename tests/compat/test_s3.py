# SPDX-License-Identifier: Apache-2.0
"""S3 as boto3 and the aws CLI use it."""
import base64
import concurrent.futures
import datetime
import hashlib
import io
import json
import time
import zlib

import botocore.exceptions
import pytest
import requests

from support.refusals import refused
from support.server import until

MIB = 1024 * 1024


def pattern(size: int) -> bytes:
    block = bytes(range(256)) * 4096
    return (block * (size // len(block) + 1))[:size]


# -- buckets


def test_a_bucket_lives_from_creation_to_deletion(s3, unique):
    name = unique("bucket")
    s3.create_bucket(Bucket=name)
    s3.create_bucket(Bucket=name)  # us-east-1 answers 200 for one's own
    head = s3.head_bucket(Bucket=name)
    assert head["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "us-east-1"
    assert name in [one["Name"] for one in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    assert "Status" not in s3.get_bucket_versioning(Bucket=name)
    assert s3.get_bucket_acl(Bucket=name)["Grants"][0]["Permission"] == "FULL_CONTROL"
    s3.put_object(Bucket=name, Key="a", Body=b"x")
    with refused("BucketNotEmpty", "not empty", 409):
        s3.delete_bucket(Bucket=name)
    s3.delete_object(Bucket=name, Key="a")
    s3.delete_bucket(Bucket=name)
    with refused("404", status=404):
        s3.head_bucket(Bucket=name)
    with refused("NoSuchBucket", "The specified bucket does not exist", 404):
        s3.list_objects_v2(Bucket=name)


def test_buckets_elsewhere_have_their_region(tarn, unique):
    s3, name = tarn.client("s3", region="eu-west-1"), unique("bucket")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    with refused("BucketAlreadyOwnedByYou", status=409):
        s3.create_bucket(Bucket=name,
                         CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with refused("IllegalLocationConstraintException"):
        s3.create_bucket(Bucket=unique("bucket"),
                         CreateBucketConfiguration={"LocationConstraint": "us-west-2"})


def test_bucket_names_follow_the_rules(s3):
    for name in ("UPPER-case", "a..b-bucket", "192.168.1.1", "xn--bucket"):
        with refused("InvalidBucketName"):
            s3.create_bucket(Bucket=name)


def test_buckets_are_listed_in_pages(s3, unique):
    prefix = unique("paged")
    names = [f"{prefix}-{i}" for i in range(5)]
    for name in names:
        s3.create_bucket(Bucket=name)
    found, token = [], None
    while True:
        more = {"ContinuationToken": token} if token else {}
        page = s3.list_buckets(Prefix=prefix, MaxBuckets=2, **more)
        assert len(page["Buckets"]) <= 2
        found += [one["Name"] for one in page["Buckets"]]
        token = page.get("ContinuationToken")
        if not token:
            break
    assert found == names


# -- what belongs to a bucket


def test_bucket_tags(s3, bucket):
    with refused("NoSuchTagSet", "The TagSet does not exist", 404):
        s3.get_bucket_tagging(Bucket=bucket)
    tags = [{"Key": "team", "Value": "data"}, {"Key": "umlaut", "Value": "grün"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket=bucket)
    with refused("NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=bucket)


def test_bucket_policy_is_kept_and_enforced(tarn, s3, bucket):
    with refused("NoSuchBucketPolicy", "The bucket policy does not exist", 404):
        s3.get_bucket_policy(Bucket=bucket)
    with refused("MalformedPolicy"):
        s3.put_bucket_policy(Bucket=bucket, Policy="{}")
    s3.put_object(Bucket=bucket, Key="open/a", Body=b"open")
    s3.put_object(Bucket=bucket, Key="closed/a", Body=b"closed")
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
         "Resource": f"arn:aws:s3:::{bucket}/open/*"}]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == policy
    assert requests.get(f"{tarn.endpoint}/{bucket}/open/a", timeout=10).text == "open"
    assert requests.get(f"{tarn.endpoint}/{bucket}/closed/a", timeout=10).status_code == 403
    s3.delete_bucket_policy(Bucket=bucket)
    assert requests.get(f"{tarn.endpoint}/{bucket}/open/a", timeout=10).status_code == 403


def test_configurations_are_recorded(s3, bucket):
    with refused("NoSuchPublicAccessBlockConfiguration", status=404):
        s3.get_public_access_block(Bucket=bucket)
    block = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": False,
             "RestrictPublicBuckets": False}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == block
    s3.delete_public_access_block(Bucket=bucket)
    with refused("NoSuchPublicAccessBlockConfiguration"):
        s3.get_public_access_block(Bucket=bucket)

    with refused("OwnershipControlsNotFoundError", status=404):
        s3.get_bucket_ownership_controls(Bucket=bucket)
    controls = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == controls
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    with refused("OwnershipControlsNotFoundError"):
        s3.get_bucket_ownership_controls(Bucket=bucket)

    def algorithm():
        configuration = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
        return configuration["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]

    assert algorithm() == "AES256"  # every bucket has it since 2023
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"},
         "BucketKeyEnabled": True}]})
    assert algorithm() == "aws:kms"
    s3.delete_bucket_encryption(Bucket=bucket)
    assert algorithm() == "AES256"


def test_notification_configurations_are_given_back(s3, bucket):
    empty = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert not {"QueueConfigurations", "EventBridgeConfiguration"} & empty.keys()
    rules = {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".csv"}]}}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={
        "QueueConfigurations": [{"QueueArn": "arn:aws:sqs:us-east-1:000000000000:q",
                                 "Events": ["s3:ObjectCreated:*"], "Filter": rules}],
        "EventBridgeConfiguration": {}}, SkipDestinationValidation=True)
    kept = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert kept["EventBridgeConfiguration"] == {}
    queue = kept["QueueConfigurations"][0]
    assert queue["Id"] and queue["Events"] == ["s3:ObjectCreated:*"]
    assert queue["Filter"]["Key"]["FilterRules"][0]["Value"] == ".csv"
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)


def test_a_queue_hears_of_objects(tarn, s3, bucket, unique):
    sqs = tarn.client("sqs")
    url = sqs.create_queue(QueueName=unique("heard"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": arn,
            "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}}}]})})
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={
        "QueueConfigurations": [{"Id": "mine", "QueueArn": arn, "Events": [
            "s3:ObjectCreated:*", "s3:ObjectRemoved:*"], "Filter": {"Key": {"FilterRules": [
                {"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".csv"}]}}}]})
    s3.put_object(Bucket=bucket, Key="in/other.txt", Body=b"")
    s3.put_object(Bucket=bucket, Key="in/a b.csv", Body=b"1,2")
    s3.delete_object(Bucket=bucket, Key="in/a b.csv")
    heard = []

    def two():
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1,
                                           MaxNumberOfMessages=10).get("Messages", []):
            body = json.loads(message["Body"])
            heard.extend(body.get("Records", []))
        return len(heard) >= 2

    until(two)
    names = [record["eventName"] for record in heard]
    assert names == ["ObjectCreated:Put", "ObjectRemoved:Delete"]
    created = heard[0]["s3"]
    assert created["configurationId"] == "mine" and created["bucket"]["name"] == bucket
    assert created["object"]["key"] == "in/a+b.csv" and created["object"]["size"] == 3


# -- objects


def test_an_object_comes_back_as_it_was_put(s3, bucket):
    expires = datetime.datetime(2031, 1, 2, tzinfo=datetime.timezone.utc)
    put = s3.put_object(Bucket=bucket, Key="a/ü +&%.txt", Body=b"hello", ContentType="text/plain",
                        CacheControl="no-cache", ContentDisposition="inline",
                        ContentEncoding="identity", ContentLanguage="de", Expires=expires,
                        Metadata={"Colour": "red"})
    assert put["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="a/ü +&%.txt")
    assert got["Body"].read() == b"hello"
    assert (got["ContentType"], got["CacheControl"]) == ("text/plain", "no-cache")
    assert (got["ContentDisposition"], got["ContentLanguage"]) == ("inline", "de")
    assert got["ContentEncoding"] == "identity" and got["Metadata"] == {"colour": "red"}
    assert got["ContentLength"] == 5 and got["AcceptRanges"] == "bytes"
    assert got["ServerSideEncryption"] == "AES256"
    head = s3.head_object(Bucket=bucket, Key="a/ü +&%.txt")
    assert head["ETag"] == put["ETag"] and head["ContentLength"] == 5
    other = s3.get_object(Bucket=bucket, Key="a/ü +&%.txt", ResponseContentType="x/y")
    assert other["ContentType"] == "x/y"
    assert s3.get_object_acl(Bucket=bucket, Key="a/ü +&%.txt")["Owner"]["ID"]


def test_missing_objects(s3, bucket):
    with refused("NoSuchKey", "The specified key does not exist.", 404):
        s3.get_object(Bucket=bucket, Key="none")
    with refused("404", status=404):
        s3.head_object(Bucket=bucket, Key="none")
    s3.delete_object(Bucket=bucket, Key="none")  # is a success


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 3 * MIB + 7])
def test_every_size_is_stored_whole(s3, bucket, size):
    body = pattern(size)
    s3.put_object(Bucket=bucket, Key="x", Body=body)
    assert s3.get_object(Bucket=bucket, Key="x")["Body"].read() == body
    s3.put_object(Bucket=bucket, Key="x", Body=body[::-1])
    assert s3.get_object(Bucket=bucket, Key="x")["Body"].read() == body[::-1]


@pytest.mark.parametrize("size", [1000, 200_000])
def test_ranges(s3, bucket, size):
    body = pattern(size)
    s3.put_object(Bucket=bucket, Key="r", Body=body)
    for text, expected in (("bytes=0-9", body[:10]), (f"bytes={size - 5}-", body[-5:]),
                           ("bytes=-7", body[-7:]), (f"bytes=5-{size * 2}", body[5:])):
        got = s3.get_object(Bucket=bucket, Key="r", Range=text)
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert got["Body"].read() == expected
        assert got["ContentRange"].endswith(f"/{size}")
    with refused("InvalidRange", status=416):
        s3.get_object(Bucket=bucket, Key="r", Range=f"bytes={size}-")


def test_conditional_requests(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="c", Body=b"x")["ETag"]
    assert s3.get_object(Bucket=bucket, Key="c", IfMatch=etag)["Body"].read() == b"x"
    with refused("PreconditionFailed", status=412):
        s3.get_object(Bucket=bucket, Key="c", IfMatch='"0"')
    with refused("304", status=304):
        s3.get_object(Bucket=bucket, Key="c", IfNoneMatch=etag)
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    with refused("304", status=304):
        s3.head_object(Bucket=bucket, Key="c", IfModifiedSince=later)
    with refused("PreconditionFailed", status=412):
        s3.get_object(Bucket=bucket, Key="c",
                      IfUnmodifiedSince=later - datetime.timedelta(days=1))
    with refused("PreconditionFailed", status=412):
        s3.put_object(Bucket=bucket, Key="c", Body=b"y", IfNoneMatch="*")
    with refused("PreconditionFailed", status=412):
        s3.put_object(Bucket=bucket, Key="c", Body=b"y", IfMatch='"0"')
    s3.put_object(Bucket=bucket, Key="c", Body=b"y", IfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="c")["Body"].read() == b"y"


def test_checksums_are_verified_and_kept(s3, bucket):
    body = b"checked"
    crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    put = s3.put_object(Bucket=bucket, Key="c", Body=body, ChecksumCRC32=crc)
    assert put["ChecksumCRC32"] == crc and put["ChecksumType"] == "FULL_OBJECT"
    assert s3.head_object(Bucket=bucket, Key="c", ChecksumMode="ENABLED")["ChecksumCRC32"] == crc
    with refused("BadDigest"):
        s3.put_object(Bucket=bucket, Key="c", Body=b"other", ChecksumCRC32=crc)
    with refused("BadDigest"):
        s3.put_object(Bucket=bucket, Key="c", Body=b"other",
                      ContentMD5=base64.b64encode(hashlib.md5(body).digest()).decode())
    sha = base64.b64encode(hashlib.sha256(body).digest()).decode()
    s3.put_object(Bucket=bucket, Key="s", Body=body, ChecksumAlgorithm="SHA256")
    known = s3.get_object_attributes(Bucket=bucket, Key="s",
                                     ObjectAttributes=["ETag", "Checksum", "ObjectSize",
                                                       "StorageClass"])
    assert known["Checksum"]["ChecksumSHA256"] == sha and known["ObjectSize"] == len(body)
    assert known["ETag"] == hashlib.md5(body).hexdigest() and known["StorageClass"] == "STANDARD"


def test_object_tags(s3, bucket):
    s3.put_object(Bucket=bucket, Key="t", Body=b"", Tagging="a=1&b=two%20words")
    tags = s3.get_object_tagging(Bucket=bucket, Key="t")["TagSet"]
    assert tags == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "two words"}]
    assert s3.head_object(Bucket=bucket, Key="t")["ResponseMetadata"]["HTTPHeaders"][
        "x-amz-tagging-count"] == "2"
    s3.put_object_tagging(Bucket=bucket, Key="t", Tagging={"TagSet": [{"Key": "c", "Value": ""}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="t")["TagSet"] == [{"Key": "c", "Value": ""}]
    s3.delete_object_tagging(Bucket=bucket, Key="t")
    assert s3.get_object_tagging(Bucket=bucket, Key="t")["TagSet"] == []
    with refused("NoSuchKey"):
        s3.get_object_tagging(Bucket=bucket, Key="none")


@pytest.mark.parametrize("size", [10, 100_000])
def test_copies(s3, bucket, unique, size):
    body = pattern(size)
    s3.put_object(Bucket=bucket, Key="from me", Body=body, Metadata={"a": "1"}, Tagging="t=1",
                  ContentType="text/plain")
    other = unique("bucket")
    s3.create_bucket(Bucket=other)
    done = s3.copy_object(Bucket=other, Key="to", CopySource={"Bucket": bucket, "Key": "from me"})
    assert done["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=other, Key="to")
    assert got["Body"].read() == body and got["Metadata"] == {"a": "1"}
    assert s3.get_object_tagging(Bucket=other, Key="to")["TagSet"][0]["Key"] == "t"
    s3.copy_object(Bucket=other, Key="to", CopySource=f"{bucket}/from me",
                   MetadataDirective="REPLACE", Metadata={"b": "2"}, TaggingDirective="REPLACE",
                   Tagging="u=2")
    assert s3.head_object(Bucket=other, Key="to")["Metadata"] == {"b": "2"}
    assert s3.get_object_tagging(Bucket=other, Key="to")["TagSet"][0]["Key"] == "u"
    with refused("InvalidRequest", "copy an object to itself"):
        s3.copy_object(Bucket=other, Key="to", CopySource=f"{other}/to")
    with refused("PreconditionFailed"):
        s3.copy_object(Bucket=other, Key="x", CopySource=f"{other}/to", CopySourceIfMatch='"0"')
    with refused("NoSuchKey"):
        s3.copy_object(Bucket=other, Key="x", CopySource=f"{bucket}/none")


def test_many_are_deleted_at_once(s3, bucket):
    for i in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{i}", Body=b"")
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [
        {"Key": "k0"}, {"Key": "k1"}, {"Key": "none"}]})
    assert sorted(one["Key"] for one in done["Deleted"]) == ["k0", "k1", "none"]
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Quiet": True, "Objects": [{"Key": "k2"}]})
    assert "Deleted" not in quiet
    with refused("MalformedXML"):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": str(i)} for i in range(1001)]})
    left = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert left == ["k3", "k4"]


def test_keys_may_be_long_but_not_too_long(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k" * 1024, Body=b"x")
    with refused("KeyTooLongError"):
        s3.put_object(Bucket=bucket, Key="k" * 1025, Body=b"x")


def test_odd_keys_are_only_names(s3, bucket):
    keys = ["dir", "dir/", "dir/f", "dir//f", "/lead", "//", "a/../b", "./c", "q?x=1&y", "p%20q",
            "plus+sign", "tab\there", "#hash", "ünïcödé/日本", "'quotes\"", "<xml>&amp;"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for key in keys:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode(), key
    listed = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == sorted(keys, key=lambda key: key.encode())
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    assert "Errors" not in gone and s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_writers_of_one_key_do_not_mix(tarn, s3, bucket):
    bodies = [bytes([i]) * size for i, size in enumerate([100, 70_000, 300_000] * 4)]

    def write(body):
        tarn.client("s3").put_object(Bucket=bucket, Key="k", Body=body)
        return s3.get_object(Bucket=bucket, Key="k")["Body"].read()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(write, bodies))
    assert all(one in bodies for one in seen)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_only_one_of_many_makes_a_new_object(tarn, bucket):
    def create(number):
        try:
            tarn.client("s3").put_object(Bucket=bucket, Key="lock", Body=b"x", IfNoneMatch="*")
        except botocore.exceptions.ClientError as error:
            return error.response["Error"]["Code"]
        return "made"

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(create, range(16)))
    assert outcomes.count("made") == 1
    assert set(outcomes) <= {"made", "PreconditionFailed"}


def test_a_stream_survives_the_deletion_of_its_object(s3, bucket):
    body = pattern(8 * MIB)
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    stream = s3.get_object(Bucket=bucket, Key="k")["Body"]
    first = stream.read(1000)
    s3.delete_object(Bucket=bucket, Key="k")
    assert first + stream.read() == body


def test_what_is_missing_says_so(s3, bucket):
    with refused("NotImplemented", status=501):
        s3.put_object(Bucket=bucket, Key="k", Body=b"", ACL="public-read")
    with refused("NotImplemented", status=501):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


# -- listings


def test_listings_fold_prefixes_and_page(s3, bucket):
    keys = ["a", "b/1", "b/2", "b/c/3", "d/1", "e f", "ü"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    every = s3.list_objects_v2(Bucket=bucket)
    assert [one["Key"] for one in every["Contents"]] == keys and every["KeyCount"] == len(keys)
    folded = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [one["Key"] for one in folded["Contents"]] == ["a", "e f", "ü"]
    assert [one["Prefix"] for one in folded["CommonPrefixes"]] == ["b/", "d/"]
    below = s3.list_objects_v2(Bucket=bucket, Prefix="b/", Delimiter="/")
    assert [one["Key"] for one in below["Contents"]] == ["b/1", "b/2"]
    assert below["CommonPrefixes"] == [{"Prefix": "b/c/"}]
    names = []
    for page in s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}):
        names += [one["Key"] for one in page.get("Contents", [])]
        names += [one["Prefix"] for one in page.get("CommonPrefixes", [])]
    assert names == ["a", "b/", "d/", "e f", "ü"]
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="b/2", FetchOwner=True)
    assert after["Contents"][0]["Key"] == "b/c/3" and after["Contents"][0]["Owner"]["ID"]
    old = s3.list_objects(Bucket=bucket, Delimiter="/", MaxKeys=2)
    assert old["IsTruncated"] and old["NextMarker"] == "b/"
    rest = s3.list_objects(Bucket=bucket, Delimiter="/", Marker="b/")
    assert rest["CommonPrefixes"] == [{"Prefix": "d/"}] and not rest["IsTruncated"]


def test_a_thousand_and_more_keys_take_several_pages(s3, bucket):
    for i in range(1005):
        s3.put_object(Bucket=bucket, Key=f"k{i:05}", Body=b"")
    first = s3.list_objects_v2(Bucket=bucket)
    assert first["IsTruncated"] and first["KeyCount"] == 1000
    rest = s3.list_objects_v2(Bucket=bucket, ContinuationToken=first["NextContinuationToken"])
    assert [one["Key"] for one in rest["Contents"]] == [f"k{i:05}" for i in range(1000, 1005)]


# -- multipart


def test_a_multipart_upload_becomes_one_object(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m", ContentType="x/y",
                                        Metadata={"a": "1"})["UploadId"]
    bodies = [pattern(5 * MIB), pattern(5 * MIB)[::-1], b"end"]
    parts = []
    for number, body in enumerate(bodies, 1):
        done = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": done["ETag"]})
    listed = s3.list_parts(Bucket=bucket, Key="m", UploadId=upload, MaxParts=2)
    assert listed["IsTruncated"] and [one["Size"] for one in listed["Parts"]] == [5 * MIB] * 2
    uploads = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [one["UploadId"] for one in uploads] == [upload]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    with refused("InvalidPart"):
        s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={
            "Parts": [{"PartNumber": 9, "ETag": parts[0]["ETag"]}]})
    with refused("InvalidPartOrder"):
        s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload,
                                     MultipartUpload={"Parts": parts[::-1]})
    done = s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload,
                                        MultipartUpload={"Parts": parts})
    digests = b"".join(hashlib.md5(body).digest() for body in bodies)
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    got = s3.get_object(Bucket=bucket, Key="m")
    assert got["Body"].read() == b"".join(bodies)
    assert got["ContentType"] == "x/y" and got["Metadata"] == {"a": "1"}
    across = s3.get_object(Bucket=bucket, Key="m", Range=f"bytes={5 * MIB - 2}-{5 * MIB + 1}")
    assert across["Body"].read() == bodies[0][-2:] + bodies[1][:2]
    second = s3.get_object(Bucket=bucket, Key="m", PartNumber=3)
    assert second["Body"].read() == b"end" and second["PartsCount"] == 3
    with refused("NoSuchUpload"):
        s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"x")


def test_small_parts_are_refused_except_the_last(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    parts = [{"PartNumber": n, "ETag": s3.upload_part(
        Bucket=bucket, Key="m", UploadId=upload, PartNumber=n, Body=b"x")["ETag"]} for n in (1, 2)]
    with refused("EntityTooSmall"):
        s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload,
                                     MultipartUpload={"Parts": parts})
    s3.abort_multipart_upload(Bucket=bucket, Key="m", UploadId=upload)
    with refused("NoSuchUpload", status=404):
        s3.list_parts(Bucket=bucket, Key="m", UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_parts_may_be_copied(s3, bucket):
    body = pattern(6 * MIB)
    s3.put_object(Bucket=bucket, Key="source", Body=body)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m", ChecksumAlgorithm="CRC32",
                                        ChecksumType="FULL_OBJECT")["UploadId"]
    parts = []
    for number, (first, last) in enumerate([(0, 5 * MIB - 1), (5 * MIB, 6 * MIB - 1)], 1):
        done = s3.upload_part_copy(Bucket=bucket, Key="m", UploadId=upload, PartNumber=number,
                                   CopySource=f"{bucket}/source",
                                   CopySourceRange=f"bytes={first}-{last}")["CopyPartResult"]
        parts.append({"PartNumber": number, "ETag": done["ETag"],
                      "ChecksumCRC32": done["ChecksumCRC32"]})
    done = s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload,
                                        MultipartUpload={"Parts": parts})
    assert done["ChecksumCRC32"] == base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == body


def test_the_transfer_manager_uploads_and_downloads(s3, bucket):
    body = pattern(20 * MIB + 3)
    s3.upload_fileobj(io.BytesIO(body), bucket, "big")
    back = io.BytesIO()
    s3.download_fileobj(bucket, "big", back)
    assert back.getvalue() == body
    assert s3.head_object(Bucket=bucket, Key="big")["ETag"].endswith('-3"')


# -- other ways in


def test_presigned_urls(tarn, s3, bucket):
    put = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "p q"}, ExpiresIn=60)
    assert requests.put(put, data=b"signed", timeout=10).status_code == 200
    get = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "p q"}, ExpiresIn=60)
    assert requests.get(get, timeout=10).content == b"signed"
    assert requests.get(get.replace("p%20q", "other"), timeout=10).status_code == 403
    short = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "p q"}, ExpiresIn=1)
    time.sleep(2.1)
    late = requests.get(short, timeout=10)
    assert late.status_code == 403 and "Request has expired" in late.text


def test_the_cli_copies_lists_and_synchronises(tarn, bucket, tmp_path):
    (tmp_path / "in/sub").mkdir(parents=True)
    (tmp_path / "in/a.txt").write_text("one")
    (tmp_path / "in/sub/b.bin").write_bytes(pattern(9 * MIB))  # above the multipart threshold
    tarn.aws("s3", "cp", "--recursive", str(tmp_path / "in"), f"s3://{bucket}/x/")
    listed = tarn.aws("s3", "ls", "--recursive", f"s3://{bucket}/").stdout
    assert "x/a.txt" in listed and str(9 * MIB) in listed
    tarn.aws("s3", "sync", f"s3://{bucket}/x", str(tmp_path / "out"))
    assert (tmp_path / "out/sub/b.bin").read_bytes() == pattern(9 * MIB)
    assert tarn.aws("s3", "sync", f"s3://{bucket}/x", str(tmp_path / "out")).stdout == ""
    tarn.aws("s3", "mv", f"s3://{bucket}/x/a.txt", f"s3://{bucket}/y/a.txt")
    assert tarn.aws("s3", "cp", f"s3://{bucket}/y/a.txt", "-").stdout == "one"
    missing = tarn.aws("s3", "cp", f"s3://{bucket}/none", "-", check=False)
    assert missing.returncode != 0 and "404" in missing.stderr
    tarn.aws("s3", "rb", "--force", f"s3://{bucket}")
    assert tarn.aws("s3", "ls", f"s3://{bucket}", check=False).returncode != 0


def test_objects_survive_a_kill(fresh_tarn):
    s3 = fresh_tarn.client("s3")
    s3.create_bucket(Bucket="kept")
    bodies = {f"k{size}": pattern(size) for size in (10, 70_000, 2 * MIB)}
    for key, body in bodies.items():
        s3.put_object(Bucket="kept", Key=key, Body=body, Metadata={"a": "b"})
    fresh_tarn.restart(kill=True)
    s3 = fresh_tarn.client("s3")
    for key, body in bodies.items():
        got = s3.get_object(Bucket="kept", Key=key)
        assert got["Body"].read() == body and got["Metadata"] == {"a": "b"}


def test_the_expected_owner_is_held_to(s3, bucket, tarn):
    owner = tarn.client("sts").get_caller_identity()["Account"]
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", ExpectedBucketOwner=owner)
    s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=owner)
    with refused("AccessDenied", "Access Denied", 403):
        s3.put_object(Bucket=bucket, Key="a", Body=b"y", ExpectedBucketOwner="999999999999")
    with refused("AccessDenied", status=403):
        s3.get_object(Bucket=bucket, Key="a", ExpectedBucketOwner="999999999999")
    with refused("AccessDenied", status=403):
        s3.list_objects_v2(Bucket=bucket, ExpectedBucketOwner="999999999999")
    source = {"Bucket": bucket, "Key": "a"}
    with refused("AccessDenied", status=403):
        s3.copy_object(Bucket=bucket, Key="b", CopySource=source,
                       ExpectedSourceBucketOwner="999999999999")
    s3.copy_object(Bucket=bucket, Key="b", CopySource=source, ExpectedSourceBucketOwner=owner)
    assert s3.get_object(Bucket=bucket, Key="b")["Body"].read() == b"x"
