# SPDX-License-Identifier: Apache-2.0
"""S3 where clients look closely: what was never set, versions, odd values, races."""

from __future__ import annotations

import base64
import concurrent.futures
import hashlib
import json
import threading
import zlib

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support.refusals import refused

MIB = 1024 * 1024


# -- what no bucket has: Terraform's aws_s3_bucket reads all of it after each apply


@pytest.mark.parametrize("operation, code, text", [
    ("get_bucket_cors", "NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    ("get_bucket_website", "NoSuchWebsiteConfiguration",
     "The specified bucket does not have a website configuration"),
    ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration",
     "The lifecycle configuration does not exist"),
    ("get_bucket_replication", "ReplicationConfigurationNotFoundError",
     "The replication configuration was not found"),
    ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError",
     "Object Lock configuration does not exist for this bucket"),
])
def test_configurations_that_were_never_set_are_not_found(s3, bucket, operation, code, text):
    with refused(code, text, 404):
        getattr(s3, operation)(Bucket=bucket)
    with refused("NoSuchBucket", status=404):
        getattr(s3, operation)(Bucket=bucket + "-none")


def test_configurations_with_a_default_are_read(s3, bucket):
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    for page in (s3.list_bucket_analytics_configurations(Bucket=bucket),
                 s3.list_bucket_inventory_configurations(Bucket=bucket),
                 s3.list_bucket_metrics_configurations(Bucket=bucket),
                 s3.list_bucket_intelligent_tiering_configurations(Bucket=bucket)):
        assert page["IsTruncated"] is False
    with refused("NoSuchBucket"):
        s3.get_bucket_logging(Bucket=bucket + "-none")


def test_removing_what_was_never_set_is_a_success(s3, bucket):
    s3.delete_bucket_cors(Bucket=bucket)
    s3.delete_bucket_website(Bucket=bucket)
    s3.delete_bucket_lifecycle(Bucket=bucket)
    s3.delete_bucket_replication(Bucket=bucket)
    with refused("NoSuchBucket"):
        s3.delete_bucket_cors(Bucket=bucket + "-none")


def test_objects_of_a_bucket_without_lock_have_none(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    with refused("InvalidRequest", "Bucket is missing Object Lock Configuration", 400):
        s3.get_object_legal_hold(Bucket=bucket, Key="k")
    with refused("InvalidRequest", "Bucket is missing Object Lock Configuration", 400):
        s3.get_object_retention(Bucket=bucket, Key="k")


def test_the_only_acl_is_the_owners(s3, bucket, unique):
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="bucket-owner-full-control")
    standing = s3.get_bucket_acl(Bucket=bucket)
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy={
        "Owner": standing["Owner"], "Grants": standing["Grants"]})
    with refused("NotImplemented", "public-read", 501):
        s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    with refused("NotImplemented", status=501):
        s3.put_object_acl(Bucket=bucket, Key="k", GrantRead="id=1")
    with refused("NoSuchKey"):
        s3.put_object_acl(Bucket=bucket, Key="none", ACL="private")
    with refused("InvalidBucketAclWithObjectOwnership", status=400):
        s3.create_bucket(Bucket=unique("bucket"), ACL="public-read")


def test_ownership_may_be_given_at_creation(s3, unique):
    name = unique("bucket")
    s3.create_bucket(Bucket=name, ObjectOwnership="BucketOwnerPreferred")
    controls = s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]
    assert controls == {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}


# -- versions: Terraform's force_destroy and CDK's autoDeleteObjects empty buckets by them


def test_every_object_is_its_only_version(s3, bucket):
    keys = ["a", "b/1", "b/2", "c d", "e"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    every = s3.list_object_versions(Bucket=bucket)
    assert [one["Key"] for one in every["Versions"]] == keys and not every["IsTruncated"]
    assert {(one["VersionId"], one["IsLatest"]) for one in every["Versions"]} == {("null", True)}
    assert "DeleteMarkers" not in every
    folded = s3.list_object_versions(Bucket=bucket, Delimiter="/")
    assert folded["CommonPrefixes"] == [{"Prefix": "b/"}]
    names = []
    for page in s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": 2}):
        names += [one["Key"] for one in page.get("Versions", [])]
    assert names == keys
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [
        {"Key": one["Key"], "VersionId": one["VersionId"]} for one in every["Versions"]]})
    assert "Errors" not in gone
    s3.delete_bucket(Bucket=bucket)


def test_versions_that_do_not_exist_are_not_read_or_copied(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"x"
    s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k",
                                                       "VersionId": "null"})
    with refused("InvalidArgument", "Invalid version id specified", 400):
        s3.get_object(Bucket=bucket, Key="k", VersionId="other")
    with refused("InvalidArgument", "Invalid version id specified", 400):
        s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k",
                                                           "VersionId": "other"})


# -- values that are refused


def test_storage_classes_and_encryptions_are_known_ones(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"", StorageClass="STANDARD_IA")
    with refused("InvalidStorageClass", "The storage class you specified is not valid", 400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"", StorageClass="NONE")
    with refused("InvalidArgument", "The encryption method specified is not supported", 400):
        s3.create_multipart_upload(Bucket=bucket, Key="k", ServerSideEncryption="NONE")


def test_a_checksum_must_be_one_and_whole(s3, bucket):
    with refused("InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid.", 400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ChecksumCRC32="abc")
    crc = base64.b64encode(zlib.crc32(b"x").to_bytes(4, "big")).decode()
    sha = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
    with refused("InvalidRequest", "Expecting a single x-amz-checksum- header", 400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ChecksumCRC32=crc, ChecksumSHA256=sha)


def test_a_write_is_conditional_on_nothing_being_there_only(s3, bucket):
    with refused("NotImplemented", "A header you provided implies functionality", 501):
        s3.put_object(Bucket=bucket, Key="k", Body=b"", IfNoneMatch='"0"')


def test_a_range_and_a_part_exclude_each_other(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"abc")
    with refused("InvalidRequest", "Cannot specify both Range header and partNumber", 400):
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=0-1", PartNumber=1)


def test_tags_are_counted_in_characters(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    tags = [{"Key": "ü" * 128, "Value": "é" * 256}]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags
    with refused("InvalidTag", "The TagKey you have provided is invalid", 400):
        s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={
            "TagSet": [{"Key": "k" * 129, "Value": ""}]})
    with refused("InvalidTag", "System tags cannot be added/updated by requester", 400):
        s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={
            "TagSet": [{"Key": "aws:mine", "Value": ""}]})
    with refused("BadRequest", "Bucket tag count cannot be greater than 50", 400):
        s3.put_bucket_tagging(Bucket=bucket, Tagging={
            "TagSet": [{"Key": str(i), "Value": ""} for i in range(51)]})


def test_a_policy_speaks_of_its_own_bucket(s3, bucket):
    def put(**changes):
        statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
                     "Resource": f"arn:aws:s3:::{bucket}/*"} | changes
        statement = {name: value for name, value in statement.items() if value}
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({
            "Version": "2012-10-17", "Statement": [statement]}))

    put()
    put(Resource=[f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/a/*"])
    with refused("MalformedPolicy", "Policy has invalid resource", 400):
        put(Resource="arn:aws:s3:::another/*")
    with refused("MalformedPolicy", "Missing required field Principal", 400):
        put(Principal=None)


def test_a_part_is_copied_from_a_range_within_its_source(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]

    def copy(text, number=1):
        return s3.upload_part_copy(Bucket=bucket, Key="m", UploadId=upload, PartNumber=number,
                                   CopySource=f"{bucket}/k", CopySourceRange=text)

    for text in ("bytes=5-", "bytes=-5", "0-5", "bytes=5-4"):
        with refused("InvalidArgument", "must be of the form bytes=first-last", 400):
            copy(text)
    with refused("InvalidArgument", "not valid for source object of size: 10", 400):
        copy("bytes=0-10")
    with refused("InvalidArgument", "Part number must be an integer between 1 and 10000", 400):
        copy("bytes=0-1", number=10_001)
    etag = copy("bytes=2-4")["CopyPartResult"]["ETag"]
    s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={
        "Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == b"234"


def test_completing_again_gives_the_same_answer(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    etag = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1,
                          Body=b"x")["ETag"]

    def complete(etag=etag, **more):
        answer = s3.complete_multipart_upload(
            Bucket=bucket, Key="m", UploadId=upload, **more,
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
        return {name: answer[name] for name in ("Location", "Bucket", "Key", "ETag")}

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: complete(IfNoneMatch="*"), range(16)))
    assert answers == answers[:1] * 16
    assert complete() == answers[0]
    with refused("NoSuchUpload", "may have been aborted or completed", 404):
        complete(etag='"0123456789abcdef0123456789abcdef"')  # not what it was made of
    s3.put_object(Bucket=bucket, Key="m", Body=b"newer")
    with refused("NoSuchUpload", "may have been aborted or completed", 404):
        complete()
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == b"newer"


# -- listings


def test_a_page_is_never_longer_than_a_thousand(s3, bucket):
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)["MaxKeys"] == 1000
    assert s3.list_objects(Bucket=bucket, MaxKeys=5)["MaxKeys"] == 5


def test_uploads_are_folded_by_a_delimiter(s3, bucket):
    for key in ("a", "b/1", "b/2", "c/1", "d"):
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    folded = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [one["Key"] for one in folded["Uploads"]] == ["a", "d"]
    assert [one["Prefix"] for one in folded["CommonPrefixes"]] == ["b/", "c/"]
    seen, marker = [], {}
    while True:
        page = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/", MaxUploads=1, **marker)
        seen += [one["Key"] for one in page.get("Uploads", [])]
        seen += [one["Prefix"] for one in page.get("CommonPrefixes", [])]
        if not page["IsTruncated"]:
            break
        marker = {"KeyMarker": page["NextKeyMarker"],
                  "UploadIdMarker": page["NextUploadIdMarker"]}
    assert seen == ["a", "b/", "c/", "d"]


# -- checksums that boto3 cannot compute here, and trailers, which it sends over TLS only


def signed_put(tarn, url, body, headers):
    """A PUT whose body is sent as it is, with the payload's hash in `headers`."""
    request = AWSRequest("PUT", tarn.endpoint + url, headers=headers)
    SigV4Auth(Credentials(tarn.access_key, tarn.secret_key), "s3", "us-east-1").add_auth(request)
    return requests.put(tarn.endpoint + url, data=body, headers=dict(request.headers), timeout=10)


@pytest.mark.parametrize("algorithm, value", [  # of b"123456789"
    ("crc32", "y/Q5Jg=="), ("crc32c", "4waSgw=="), ("crc64nvme", "rosUhgp5mIg="),
    ("sha1", base64.b64encode(hashlib.sha1(b"123456789").digest()).decode()),
    ("sha256", base64.b64encode(hashlib.sha256(b"123456789").digest()).decode()),
    ("sha512", base64.b64encode(hashlib.sha512(b"123456789").digest()).decode()),
    ("md5", base64.b64encode(hashlib.md5(b"123456789").digest()).decode()),
])
def test_checksums_come_as_header_or_trailer(tarn, s3, bucket, algorithm, value):
    body = b"123456789"
    name = f"x-amz-checksum-{algorithm}"
    plain = {"x-amz-content-sha256": hashlib.sha256(body).hexdigest(), name: value}
    assert signed_put(tarn, f"/{bucket}/header", body, plain).status_code == 200

    def chunked(checksum):
        return b"9\r\n" + body + b"\r\n0\r\n" + f"{name}:{checksum}\r\n\r\n".encode()

    headers = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-trailer": name,
               "content-encoding": "aws-chunked", "x-amz-decoded-content-length": "9"}
    done = signed_put(tarn, f"/{bucket}/trailer", chunked(value), headers)
    assert done.status_code == 200, done.text
    for key in ("header", "trailer"):
        got = requests.get(s3.generate_presigned_url("get_object", {
            "Bucket": bucket, "Key": key, "ChecksumMode": "ENABLED"}), timeout=10,
            headers={"x-amz-checksum-mode": "ENABLED"})
        assert got.content == body and got.headers[name] == value
        assert "content-encoding" not in got.headers
    wrong = base64.b64encode(bytes(len(base64.b64decode(value)))).decode()
    bad = signed_put(tarn, f"/{bucket}/bad", chunked(wrong), headers)
    assert bad.status_code == 400 and "<Code>BadDigest</Code>" in bad.text
    with refused("404"):
        s3.head_object(Bucket=bucket, Key="bad")


# -- races


def test_a_large_object_is_read_whole_while_it_is_replaced(tarn, bucket):
    bodies = [bytes([i]) * 200_000 for i in range(1, 4)]
    tarn.client("s3").put_object(Bucket=bucket, Key="k", Body=bodies[0])
    done = threading.Event()

    def replace(body):
        client = tarn.client("s3")
        while not done.is_set():
            client.put_object(Bucket=bucket, Key="k", Body=body)

    def read(_):
        client = tarn.client("s3")
        for _ in range(60):
            assert client.get_object(Bucket=bucket, Key="k")["Body"].read() in bodies
            client.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        writers = [pool.submit(replace, body) for body in bodies]
        try:
            list(pool.map(read, range(2)))
        finally:
            done.set()
        for writer in writers:
            writer.result()
    assert tarn.client("s3").get_object(Bucket=bucket, Key="copy")["Body"].read() in bodies
