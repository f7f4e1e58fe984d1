# SPDX-License-Identifier: Apache-2.0
"""STS: who am I, and temporary credentials."""
import json

import pytest

from support.refusals import refused

ANYBODY = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
READ = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}]}


@pytest.fixture
def role(tarn, unique):
    iam, name = tarn.client("iam"), unique("role")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(ANYBODY))["Role"][
        "Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="read", PolicyDocument=json.dumps(READ))
    return arn


def with_credentials(tarn, service, credentials, **more):
    return tarn.client(service, access_key=credentials["AccessKeyId"],
                       secret_key=credentials["SecretAccessKey"],
                       token=credentials["SessionToken"], **more)


def test_the_root_is_the_account(tarn):
    identity = tarn.client("sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{identity['Account']}:root"
    assert identity["UserId"] == identity["Account"]
    told = tarn.aws("sts", "get-caller-identity").json()
    assert told["Account"] == identity["Account"]


def test_an_assumed_role_is_somebody_else(tarn, role):
    sts = tarn.client("sts")
    answer = sts.assume_role(RoleArn=role, RoleSessionName="me")
    name = role.rsplit("/", 1)[1]
    account = sts.get_caller_identity()["Account"]
    expected = f"arn:aws:sts::{account}:assumed-role/{name}/me"
    assert answer["AssumedRoleUser"]["Arn"] == expected
    assert answer["AssumedRoleUser"]["AssumedRoleId"].endswith(":me")
    credentials = answer["Credentials"]
    assert credentials["AccessKeyId"].startswith("ASIA") and credentials["Expiration"]
    assert with_credentials(tarn, "sts", credentials).get_caller_identity()["Arn"] == expected


def test_a_role_may_do_what_its_policies_say(tarn, role, unique):
    bucket = unique("bucket")
    s3 = tarn.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    credentials = tarn.client("sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
    theirs = with_credentials(tarn, "s3", credentials)
    assert theirs.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"
    with refused("AccessDenied", status=403):
        theirs.put_object(Bucket=bucket, Key="a", Body=b"y")


def test_a_session_policy_only_takes_away(tarn, role, unique):
    bucket = unique("bucket")
    s3 = tarn.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}]}
    credentials = tarn.client("sts").assume_role(
        RoleArn=role, RoleSessionName="me", Policy=json.dumps(policy))["Credentials"]
    theirs = with_credentials(tarn, "s3", credentials)
    assert theirs.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    with refused("AccessDenied"):
        theirs.get_object(Bucket=bucket, Key="a")
    with refused("AccessDenied"):
        theirs.put_object(Bucket=bucket, Key="a", Body=b"y")


def test_a_role_that_trusts_others_is_not_assumed(tarn, unique):
    iam, name = tarn.client("iam"), unique("role")
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
         "Action": "sts:AssumeRole"}]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    user = unique("user")
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    sts = tarn.client("sts", access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    with refused("AccessDenied", "is not authorized to perform: sts:AssumeRole", 403):
        sts.assume_role(RoleArn=arn, RoleSessionName="me")
    with refused("AccessDenied"):
        sts.assume_role(RoleArn=arn + "-none", RoleSessionName="me")


def test_session_tokens(tarn):
    sts = tarn.client("sts")
    credentials = sts.get_session_token(DurationSeconds=900)["Credentials"]
    theirs = with_credentials(tarn, "sts", credentials)
    assert theirs.get_caller_identity()["Arn"] == sts.get_caller_identity()["Arn"]
    wrong = tarn.client("sts", access_key=credentials["AccessKeyId"],
                        secret_key=credentials["SecretAccessKey"], token="wrong")
    with refused("InvalidClientTokenId"):
        wrong.get_caller_identity()


def test_a_key_tells_its_account(tarn):
    sts = tarn.client("sts")
    account = sts.get_caller_identity()["Account"]
    assert sts.get_access_key_info(AccessKeyId=tarn.access_key)["Account"] == account
    with refused("ValidationError"):
        sts.get_access_key_info(AccessKeyId="AKIAIOSFODNN7NOTHERE")


def test_multi_factor_authentication_is_refused_by_name(tarn, role):
    with refused("NotImplemented", "multi-factor", 501):
        tarn.client("sts").assume_role(RoleArn=role, RoleSessionName="me", SerialNumber="123456789",
                                       TokenCode="123456")


def test_an_explicit_deny_holds_against_a_trust_that_names_the_caller(tarn, unique):
    iam, user, name = tarn.client("iam"), unique("user"), unique("role")
    arn = iam.create_user(UserName=user)["User"]["Arn"]
    key = iam.create_access_key(UserName=user)["AccessKey"]
    mine = tarn.client("sts", access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": arn},
            "Condition": {"StringLike": {"sts:RoleSessionName": "job-*"}}}]}))["Role"]
    wanted = {"RoleArn": role["Arn"], "RoleSessionName": "job-1"}
    mine.assume_role(**wanted)
    with refused("AccessDenied", "sts:AssumeRole", 403):
        mine.assume_role(RoleArn=role["Arn"], RoleSessionName="other")
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"}]}))
    with refused("AccessDenied", f"sts:AssumeRole on resource: {role['Arn']} with an explicit deny "
                 "in an identity-based policy", 403):
        mine.assume_role(**wanted)


def test_a_role_made_anew_gives_nothing_to_former_sessions(tarn, unique):
    iam, name = tarn.client("iam"), unique("role")
    account = tarn.client("sts").get_caller_identity()["Account"]

    def make():
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": account}}]}))
        iam.attach_role_policy(RoleName=name,
                               PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
        return made["Role"]["Arn"]

    session = tarn.client("sts").assume_role(RoleArn=make(), RoleSessionName="old")
    s3 = with_credentials(tarn, "s3", session["Credentials"])
    s3.list_buckets()
    iam.detach_role_policy(RoleName=name,
                           PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    iam.delete_role(RoleName=name)
    make()
    with refused("AccessDenied", "s3:ListAllMyBuckets", 403):
        s3.list_buckets()


def test_a_chain_of_roles_lasts_an_hour(tarn, unique):
    iam, name = tarn.client("iam"), unique("role")
    account = tarn.client("sts").get_caller_identity()["Account"]
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": account}}]})
    arn = iam.create_role(RoleName=name, MaxSessionDuration=43_200,
                          AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}))
    wanted = {"RoleArn": arn, "RoleSessionName": "one", "DurationSeconds": 7200}
    first = tarn.client("sts").assume_role(**wanted)
    chained = with_credentials(tarn, "sts", first["Credentials"])
    with refused("ValidationError", "exceeds the 1 hour session limit for roles assumed by role "
                 "chaining", 400):
        chained.assume_role(**wanted)
    chained.assume_role(**wanted | {"DurationSeconds": 3600})
