# SPDX-License-Identifier: Apache-2.0
"""Every operation of every service, as botocore sends it, is routed to itself."""
import os

import botocore.serialize
import pytest

from conftest import Values, loader, service_model, to_wire

# Operations that cannot be told from another by method, path and query, with the reason.
SAME_ROUTE = {
    ("s3", "GetBucketLifecycle"): "deprecated form of GetBucketLifecycleConfiguration",
    ("s3", "PutBucketLifecycle"): "deprecated form of PutBucketLifecycleConfiguration",
    ("s3", "GetBucketNotification"): "deprecated form of GetBucketNotificationConfiguration",
    ("s3", "PutBucketNotification"): "deprecated form of PutBucketNotificationConfiguration",
    ("s3", "ListDirectoryBuckets"): "ListBuckets on another host",
    ("s3", "WriteGetObjectResponse"): "on the host of an object lambda",
}
# Services whose requests look the same as another's on one host: signing name, and path or version.
# On AWS the host tells them apart; behind one endpoint the older or larger one is meant.
SAME_SERVICE = {
    "docdb": "rds", "neptune": "rds", "greengrassv2": "greengrass", "lambda-microvms": "lambda",
    "pinpoint-sms-voice": "sms-voice", "qconnect": "wisdom", "timestream-write": "timestream-query",
}


class Words(Values):
    """Only what a path can be told apart by."""

    def text(self, ascii_only=False):
        return self.word()


SERVICES = sorted(loader().list_available_services("service-2"))


@pytest.mark.parametrize("service", SERVICES)
def test_operations_are_routed_to_themselves(driver, service):
    model = service_model(service)
    protocols = model.metadata.get("protocols", [model.metadata["protocol"]])
    wrong = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        for protocol in protocols:
            serializer = botocore.serialize.create_serializer(protocol, False)
            shape = operation.input_shape
            params = Words(1, fill=0.0).of(shape) if shape else {}
            for path_name, member in (shape.members.items() if shape else ()):
                if member.serialization.get("location") == "uri" and path_name not in params:
                    params[path_name] = Words(2).of(member)
            host = f"https://{model.metadata['endpointPrefix']}.us-east-1.amazonaws.com"
            request = to_wire(serializer.serialize_to_request(params, operation), host)
            request["headers"].append(["Host", host.removeprefix("https://")])
            answer = driver(do="route", request=request,
                            scope=model.metadata.get("signingName",
                                                     model.metadata["endpointPrefix"]))
            ours = {"smithy-rpc-v2-cbor": "rpc-v2-cbor"}.get(protocol, protocol)
            got = (answer.get("service"), answer.get("operation"), answer.get("protocol"))
            if got == (SAME_SERVICE.get(service), name, ours):
                continue
            if got != (service, name, ours) and (service, name) not in SAME_ROUTE:
                wrong.append((name, protocol, got, request["method"], request["path"],
                              request["query"]))
    assert not wrong, f"{len(wrong)}: {wrong[:5]}"


def s3(driver, method, path, query="", host="s3.us-east-1.amazonaws.com", **headers):
    answer = driver(do="route", scope="s3", request={
        "method": method, "path": path, "query": query, "body": "",
        "headers": [["Host", host]] + [[k.replace("_", "-"), v] for k, v in headers.items()]})
    return (answer["operation"] or "refused"), answer["path"]


@pytest.mark.parametrize("expected, method, path, query, headers", [
    ("ListBuckets", "GET", "/", "", {}),
    ("ListObjects", "GET", "/b", "", {}),
    ("ListObjects", "GET", "/b/", "prefix=a&delimiter=/", {}),
    ("ListObjectsV2", "GET", "/b/", "list-type=2&max-keys=1", {}),
    ("GetObject", "GET", "/b/k", "", {}),
    ("GetObject", "GET", "/b/k", "partNumber=1&versionId=x&response-content-type=a", {}),
    ("GetObject", "GET", "/b/k", "X-Amz-Signature=1&X-Amz-Expires=5&x-id=GetObject", {}),
    ("GetObject", "GET", "/b//k", "", {}),
    ("ListParts", "GET", "/b/k", "uploadId=u", {}),
    ("PutObject", "PUT", "/b/k", "", {}),
    ("PutObject", "PUT", "/b/dir/", "", {}),
    ("CopyObject", "PUT", "/b/k", "", {"x_amz_copy_source": "/b/o"}),
    ("UploadPart", "PUT", "/b/k", "partNumber=1&uploadId=u", {}),
    ("UploadPartCopy", "PUT", "/b/k", "partNumber=1&uploadId=u", {"x_amz_copy_source": "b/o"}),
    ("PutBucketTagging", "PUT", "/b", "tagging", {}),
    ("PutBucketTagging", "PUT", "/b", "tagging=", {}),
    ("PutObjectTagging", "PUT", "/b/k", "tagging", {}),
    ("CreateMultipartUpload", "POST", "/b/k", "uploads", {}),
    ("DeleteObjects", "POST", "/b", "delete", {}),
    ("GetBucketAnalyticsConfiguration", "GET", "/b", "analytics&id=1", {}),
    ("ListBucketAnalyticsConfigurations", "GET", "/b", "analytics", {}),
    ("RenameObject", "PUT", "/b/k", "renameObject", {}),
    # Nothing of these may reach an operation that knows nothing of the sub-resource.
    ("refused", "PUT", "/b/k", "inventedSubresource", {}),
    ("refused", "PUT", "/b/k", "uploadId=u", {}),
    ("refused", "PUT", "/b/k", "partNumber=1", {}),
    ("refused", "PUT", "/b/k", "uploads", {}),
    ("refused", "DELETE", "/b", "versioning", {}),
    ("refused", "POST", "/b/k", "", {}),
    ("refused", "PATCH", "/b/k", "", {}),
])
def test_s3_chooses_by_subresource(driver, expected, method, path, query, headers):
    assert s3(driver, method, path, query, **headers)[0] == expected


@pytest.mark.parametrize("host, path, expected", [
    ("b.s3.amazonaws.com", "/k", "/b/k"),
    ("b.s3.eu-west-1.amazonaws.com", "/", "/b/"),
    ("my.dotted.s3-eu-west-1.amazonaws.com", "/k", "/my.dotted/k"),
    ("b.localhost:4566", "/k", "/b/k"),
    ("b.s3.localhost:4566", "/k", "/b/k"),
    ("b.127.0.0.1.nip.io:4566", "/k", "/b/k"),
    ("127.0.0.1:4566", "/b/k", "/b/k"),
    ("localhost:4566", "/b/k", "/b/k"),
    ("s3.us-east-1.amazonaws.com", "/b/k", "/b/k"),
])
def test_virtual_hosts_become_paths(driver, host, path, expected):
    assert s3(driver, "GET", path, host=host)[1] == expected
