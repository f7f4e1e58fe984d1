# SPDX-License-Identifier: Apache-2.0
"""What botocore signs is verified; what was changed on the way is refused."""
import base64
import datetime
import urllib.parse

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SESSION = Credentials("ASIAEXAMPLE", "secret", "a/token+with=signs")


def signed(auth, keys, method="POST", url="https://sqs.us-east-1.amazonaws.com/", body=b"{}",
           headers=None, service="sqs", **more):
    request = AWSRequest(method=method, url=url, data=body, headers=headers or {})
    auth(keys, service, "us-east-1", **more).add_auth(request)
    prepared = request.prepare()
    parts = urllib.parse.urlsplit(prepared.url)
    sent = [[k, v.decode() if isinstance(v, bytes) else str(v)]
            for k, v in prepared.headers.items()]
    if not any(k.lower() == "host" for k, _ in sent):
        sent.append(["Host", parts.netloc])
    return {"method": method, "path": parts.path or "/", "query": parts.query, "headers": sent,
            "body": base64.b64encode(body or b"").decode()}


def verify(driver, request, keys=KEYS, now=None):
    now = now or datetime.datetime.now(datetime.timezone.utc)
    return driver(do="verify", request=request, access_key=keys.access_key,
                  secret_key=keys.secret_key, session_token=keys.token or "",
                  now=now.strftime("%Y-%m-%dT%H:%M:%SZ"))


S3 = dict(service="s3", url="https://s3.us-east-1.amazonaws.com/b/a%20b/%C3%A4?prefix=x%2Fy&acl")


@pytest.mark.parametrize("auth, keys, options", [
    (botocore.auth.SigV4Auth, KEYS, {}),
    (botocore.auth.SigV4Auth, SESSION, {}),
    (botocore.auth.SigV4Auth, KEYS, dict(url="https://x.aws.com/a/../b//c/%7E?b=2&a=1&a=0 x")),
    (botocore.auth.SigV4Auth, KEYS, dict(service="lambda", method="GET", body=b"",
     url="https://l.amazonaws.com/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus/x?Marker=a%2Bb%3D")),
    (botocore.auth.S3SigV4Auth, KEYS, dict(S3, method="PUT", body=b"data")),
    (botocore.auth.S3SigV4Auth, SESSION, dict(S3, method="GET", body=b"")),
    (botocore.auth.S3SigV4QueryAuth, KEYS, dict(S3, method="GET", body=b"")),
    (botocore.auth.S3SigV4QueryAuth, SESSION, dict(S3, method="GET", body=b"")),
    (botocore.auth.SigV4QueryAuth, KEYS, dict(service="sts", method="GET", body=b"",
     url="https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15")),
])
def test_what_botocore_signs_is_verified(driver, auth, keys, options):
    request = signed(auth, keys, **options)
    answer = verify(driver, request, keys)
    assert answer.get("access_key") == keys.access_key, answer


@pytest.mark.parametrize("auth, options", [
    (botocore.auth.HmacV1Auth, dict(method="PUT", headers={"x-amz-meta-a": "b"})),
    (botocore.auth.HmacV1QueryAuth, dict(method="GET")),
])
def test_version_2_is_verified_for_s3(driver, auth, options):
    request = AWSRequest(url="https://s3.amazonaws.com/b/a%20b?acl", data=b"", **options)
    auth(KEYS).add_auth(request)
    prepared = request.prepare()
    parts = urllib.parse.urlsplit(prepared.url)
    described = {"method": options["method"], "path": parts.path, "query": parts.query,
                 "body": "", "headers": [[k, str(v)] for k, v in prepared.headers.items()]
                 + [["Host", parts.netloc]]}
    assert verify(driver, described).get("access_key") == "AKIDEXAMPLE"
    described["path"] = "/b/other"
    assert verify(driver, described)["error"]["code"] == "SignatureDoesNotMatch"


def test_a_changed_body_is_refused(driver):
    request = signed(botocore.auth.SigV4Auth, KEYS, headers={"X-Amz-Target": "AmazonSQS.X"})
    request["body"] = base64.b64encode(b"{ }").decode()
    error = verify(driver, request)["error"]
    assert (error["code"], error["status"]) == ("InvalidSignatureException", 400)
    request = signed(botocore.auth.S3SigV4Auth, KEYS, **dict(S3, method="PUT", body=b"data"))
    request["body"] = base64.b64encode(b"atad").decode()
    assert verify(driver, request)["error"]["code"] == "XAmzContentSHA256Mismatch"


def test_a_wrong_secret_is_refused_in_the_protocols_words(driver):
    wrong = Credentials(KEYS.access_key, "wrong")
    query = signed(botocore.auth.SigV4Auth, wrong, service="sts", body=b"Action=X",
                   headers={"Content-Type": "application/x-www-form-urlencoded"})
    error = verify(driver, query)["error"]
    assert (error["code"], error["status"]) == ("SignatureDoesNotMatch", 403)
    assert error["message"].startswith("The request signature we calculated does not match")
    object_ = signed(botocore.auth.S3SigV4Auth, wrong, **dict(S3, method="GET", body=b""))
    error = verify(driver, object_)["error"]
    assert error["code"] == "SignatureDoesNotMatch"
    assert error["extra"]["StringToSign"].startswith("AWS4-HMAC-SHA256\n")


@pytest.mark.parametrize("service, headers, code", [
    ("sts", {"Content-Type": "application/x-www-form-urlencoded"}, "InvalidClientTokenId"),
    ("sqs", {"X-Amz-Target": "AmazonSQS.ListQueues"}, "UnrecognizedClientException"),
    ("lambda", {}, "UnrecognizedClientException"),
    ("s3", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, "InvalidAccessKeyId"),
])
def test_an_unknown_key_is_refused_in_the_protocols_words(driver, service, headers, code):
    other = Credentials("AKIDOTHER", "x")
    request = signed(botocore.auth.SigV4Auth, other, service=service, headers=headers)
    assert verify(driver, request)["error"]["code"] == code


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_clock_that_is_off_is_refused(driver, minutes):
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    request = signed(botocore.auth.S3SigV4Auth, KEYS, **dict(S3, method="GET", body=b""))
    assert verify(driver, request, now=now)["error"]["code"] == "RequestTimeTooSkewed"
    request = signed(botocore.auth.SigV4Auth, KEYS, headers={"X-Amz-Target": "AmazonSQS.X"})
    message = verify(driver, request, now=now)["error"]["message"]
    assert message.startswith("Signature expired" if minutes > 0 else "Signature not yet current")


def test_a_presigned_url_expires(driver):
    request = signed(botocore.auth.S3SigV4QueryAuth, KEYS, expires=60,
                     **dict(S3, method="GET", body=b""))
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=90)
    error = verify(driver, request, now=later)["error"]
    assert (error["code"], error["message"]) == ("AccessDenied", "Request has expired")


def test_a_session_needs_its_token(driver):
    request = signed(botocore.auth.SigV4Auth, Credentials(SESSION.access_key, SESSION.secret_key),
                     headers={"X-Amz-Target": "AmazonSQS.X"})
    assert verify(driver, request, SESSION)["error"]["code"] == "UnrecognizedClientException"


def test_an_unsigned_request_is_told_apart(driver):
    assert verify(driver, {"method": "GET", "path": "/b/k", "query": "", "body": "",
                           "headers": [["Host", "s3.amazonaws.com"]]}) == {"unsigned": True}
