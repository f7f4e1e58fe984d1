# SPDX-License-Identifier: Apache-2.0
"""Secrets Manager."""
import json
import uuid

import pytest

from support.refusals import refused

NOT_FOUND = "Secrets Manager can't find the specified secret."


@pytest.fixture
def secrets(tarn):
    return tarn.client("secretsmanager")


@pytest.fixture
def secret(secrets, unique):
    name = unique("secret")
    secrets.create_secret(Name=name, SecretString="one", Description="A test secret",
                          Tags=[{"Key": "team", "Value": "data"}])
    return name


def test_a_secret_lives_from_creation_to_deletion(secrets, unique):
    name = f"team/{unique('secret')}"
    made = secrets.create_secret(Name=name, SecretString='{"user":"a"}')
    assert made["Name"] == name and made["ARN"].rsplit(":", 1)[1].startswith(name + "-")
    for which in (name, made["ARN"], made["ARN"][:-7]):
        got = secrets.get_secret_value(SecretId=which)
        assert got["SecretString"] == '{"user":"a"}' and got["VersionId"] == made["VersionId"]
        assert got["VersionStages"] == ["AWSCURRENT"]
    with refused("ResourceExistsException",
                 f"The operation failed because the secret {name} already exists."):
        secrets.create_secret(Name=name, SecretString="x")
    gone = secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert gone["ARN"] == made["ARN"] and gone["DeletionDate"]
    with refused("ResourceNotFoundException", NOT_FOUND, 400):
        secrets.get_secret_value(SecretId=name)
    again = secrets.create_secret(Name=name, SecretString="x")
    assert again["ARN"] != made["ARN"]


def test_binary_and_empty_secrets(secrets, unique):
    name = unique("secret")
    secrets.create_secret(Name=name)
    with refused("ResourceNotFoundException", "staging label: AWSCURRENT"):
        secrets.get_secret_value(SecretId=name)
    secrets.put_secret_value(SecretId=name, SecretBinary=b"\x00\xff\x01")
    got = secrets.get_secret_value(SecretId=name)
    assert got["SecretBinary"] == b"\x00\xff\x01" and "SecretString" not in got
    with refused("InvalidParameterException", "both a binary secret value and a string"):
        secrets.put_secret_value(SecretId=name, SecretString="a", SecretBinary=b"b")
    with refused("InvalidRequestException", "You must provide either SecretString or SecretBinary"):
        secrets.put_secret_value(SecretId=name)
    with refused("ValidationException", "Invalid name."):
        secrets.create_secret(Name="not a name", SecretString="x")


def test_versions_and_staging_labels(secrets, secret):
    first = secrets.get_secret_value(SecretId=secret)["VersionId"]
    second = secrets.put_secret_value(SecretId=secret, SecretString="two")["VersionId"]

    def value(**which):
        return secrets.get_secret_value(SecretId=secret, **which)["SecretString"]

    assert value() == "two" and value(VersionStage="AWSPREVIOUS") == "one"
    assert value(VersionId=first) == "one"
    with refused("InvalidRequestException", "not associated to the provided VersionId"):
        value(VersionId=first, VersionStage="AWSCURRENT")
    with refused("ResourceNotFoundException", "staging label: nothing"):
        value(VersionStage="nothing")
    third = secrets.put_secret_value(SecretId=secret, SecretString="three",
                                     VersionStages=["AWSPENDING"])["VersionId"]
    assert value() == "two" and value(VersionStage="AWSPENDING") == "three"
    with refused("InvalidParameterException", "RemoveFromVersionId can't be empty"):
        secrets.update_secret_version_stage(SecretId=secret, VersionStage="AWSCURRENT",
                                            MoveToVersionId=third)
    secrets.update_secret_version_stage(SecretId=secret, VersionStage="AWSCURRENT",
                                        MoveToVersionId=third, RemoveFromVersionId=second)
    assert value() == "three" and value(VersionStage="AWSPREVIOUS") == "two"
    listed = secrets.list_secret_version_ids(SecretId=secret)["Versions"]
    assert {one["VersionId"] for one in listed} == {second, third}
    every = secrets.list_secret_version_ids(SecretId=secret, IncludeDeprecated=True)["Versions"]
    assert len(every) == 3
    described = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"]
    assert described[second] == ["AWSPREVIOUS"]


def test_a_token_makes_requests_idempotent(secrets, unique):
    name, token = unique("secret"), str(uuid.uuid4())
    first = secrets.create_secret(Name=name, SecretString="a", ClientRequestToken=token)
    assert first["VersionId"] == token
    assert secrets.create_secret(Name=name, SecretString="a", ClientRequestToken=token) \
        ["ARN"] == first["ARN"]
    secrets.put_secret_value(SecretId=name, SecretString="a", ClientRequestToken=token)
    with refused("ResourceExistsException", "You can't use ClientRequestToken"):
        secrets.put_secret_value(SecretId=name, SecretString="b", ClientRequestToken=token)


def test_updates_and_descriptions(secrets, secret):
    secrets.update_secret(SecretId=secret, Description="new", KmsKeyId="alias/mine")
    described = secrets.describe_secret(SecretId=secret)
    assert described["Description"] == "new" and described["KmsKeyId"] == "alias/mine"
    assert described["Tags"] == [{"Key": "team", "Value": "data"}]
    version = secrets.update_secret(SecretId=secret, SecretString="two")["VersionId"]
    assert secrets.get_secret_value(SecretId=secret)["VersionId"] == version
    described = secrets.describe_secret(SecretId=secret)
    assert described["LastAccessedDate"] and described["LastChangedDate"]
    secrets.tag_resource(SecretId=secret, Tags=[{"Key": "b", "Value": "2"}])
    secrets.untag_resource(SecretId=secret, TagKeys=["team"])
    assert secrets.describe_secret(SecretId=secret)["Tags"] == [{"Key": "b", "Value": "2"}]


def test_deletion_leaves_time_to_recover(secrets, secret):
    with refused("InvalidParameterException", "between 7 and 30 days"):
        secrets.delete_secret(SecretId=secret, RecoveryWindowInDays=6)
    with refused("InvalidParameterException", "in conjunction with RecoveryWindowInDays"):
        secrets.delete_secret(SecretId=secret, RecoveryWindowInDays=7,
                              ForceDeleteWithoutRecovery=True)
    secrets.delete_secret(SecretId=secret, RecoveryWindowInDays=7)
    with refused("InvalidRequestException", "because it was marked for deletion."):
        secrets.get_secret_value(SecretId=secret)
    with refused("InvalidRequestException", "already scheduled for deletion"):
        secrets.delete_secret(SecretId=secret)
    with refused("InvalidRequestException", "a secret with this name is already scheduled"):
        secrets.create_secret(Name=secret, SecretString="x")
    assert secrets.describe_secret(SecretId=secret)["DeletedDate"]
    by_name = [{"Key": "name", "Values": [secret]}]
    assert secrets.list_secrets(Filters=by_name)["SecretList"] == []
    planned = secrets.list_secrets(Filters=by_name, IncludePlannedDeletion=True)["SecretList"]
    assert len(planned) == 1
    secrets.restore_secret(SecretId=secret)
    assert secrets.get_secret_value(SecretId=secret)["SecretString"] == "one"


def test_listings_and_batches(secrets, unique):
    prefix = unique("listed")
    for i in range(5):
        secrets.create_secret(Name=f"{prefix}/{i}", SecretString=str(i), Description="Warehouse",
                              Tags=[{"Key": "n", "Value": f"{prefix}-{i}"}])

    def names(*filters, **more):
        return [one["Name"] for page in secrets.get_paginator("list_secrets").paginate(
            Filters=list(filters), PaginationConfig={"PageSize": 2}, **more)
            for one in page["SecretList"]]

    by_name = {"Key": "name", "Values": [prefix]}
    assert names(by_name, SortOrder="asc") == [f"{prefix}/{i}" for i in range(5)]
    assert names(by_name) == [f"{prefix}/{i}" for i in range(4, -1, -1)]
    assert names(by_name, {"Key": "description", "Values": ["ware"]}) == names(by_name)
    assert names({"Key": "tag-value", "Values": [f"{prefix}-3"]}) == [f"{prefix}/3"]
    batch = secrets.batch_get_secret_value(SecretIdList=[f"{prefix}/1", f"{prefix}/none"])
    assert [one["SecretString"] for one in batch["SecretValues"]] == ["1"]
    assert batch["Errors"][0]["ErrorCode"] == "ResourceNotFoundException"
    assert batch["Errors"][0]["Message"] == NOT_FOUND
    filtered = secrets.batch_get_secret_value(Filters=[by_name])
    assert len(filtered["SecretValues"]) == 5
    with refused("InvalidParameterException"):
        secrets.batch_get_secret_value(SecretIdList=["a"], Filters=[by_name])


def test_random_passwords(secrets):
    one = secrets.get_random_password(PasswordLength=40, ExcludePunctuation=True,
                                      ExcludeCharacters="abc")["RandomPassword"]
    assert len(one) == 40 and one.isalnum() and not set(one) & set("abc")
    assert len(secrets.get_random_password()["RandomPassword"]) == 32
    assert secrets.get_random_password() != secrets.get_random_password()
    with refused("InvalidParameterException"):
        secrets.get_random_password(PasswordLength=2)


def test_a_resource_policy_is_kept_and_enforced(tarn, secrets, secret, unique):
    with refused("MalformedPolicyDocumentException"):
        secrets.put_resource_policy(SecretId=secret, ResourcePolicy="{")
    iam, user = tarn.client("iam"), unique("user")
    arn = iam.create_user(UserName=user)["User"]["Arn"]
    key = iam.create_access_key(UserName=user)["AccessKey"]
    own = tarn.client("secretsmanager", access_key=key["AccessKeyId"],
                      secret_key=key["SecretAccessKey"])
    with refused("AccessDeniedException", "secretsmanager:GetSecretValue"):
        own.get_secret_value(SecretId=secret)
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "secretsmanager:GetSecretValue",
         "Resource": "*"}]}
    secrets.put_resource_policy(SecretId=secret, ResourcePolicy=json.dumps(policy),
                                BlockPublicPolicy=True)
    assert json.loads(secrets.get_resource_policy(SecretId=secret)["ResourcePolicy"]) == policy
    assert own.get_secret_value(SecretId=secret)["SecretString"] == "one"
    secrets.delete_resource_policy(SecretId=secret)
    assert "ResourcePolicy" not in secrets.get_resource_policy(SecretId=secret)
    with refused("AccessDeniedException"):
        own.get_secret_value(SecretId=secret)
    policy["Statement"][0]["Principal"] = "*"
    with refused("PublicPolicyException"):
        secrets.put_resource_policy(SecretId=secret, ResourcePolicy=json.dumps(policy),
                                    BlockPublicPolicy=True)


def test_rotation_and_replicas_are_refused_by_name(secrets, secret, unique):
    with refused("NotImplemented", "RotateSecret", 501):
        secrets.rotate_secret(SecretId=secret)
    with refused("NotImplemented", "AddReplicaRegions", 501):
        secrets.create_secret(Name=unique("s"), AddReplicaRegions=[{"Region": "eu-west-1"}])


def test_the_cli_reads_a_secret(tarn, secret):
    got = tarn.aws("secretsmanager", "get-secret-value", "--secret-id", secret, "--query",
                   "SecretString", "--output", "text")
    assert got.stdout.strip() == "one"


def test_secrets_survive_a_kill_and_are_sealed_on_disk(fresh_tarn):
    secrets = fresh_tarn.client("secretsmanager")
    secrets.create_secret(Name="kept", SecretString="a-very-plain-secret")
    fresh_tarn.restart(kill=True)
    secrets = fresh_tarn.client("secretsmanager")
    assert secrets.get_secret_value(SecretId="kept")["SecretString"] == "a-very-plain-secret"
    fresh_tarn.stop()
    for file in fresh_tarn.data.rglob("*"):
        if file.is_file():
            assert b"a-very-plain-secret" not in file.read_bytes(), file
    fresh_tarn.start()
