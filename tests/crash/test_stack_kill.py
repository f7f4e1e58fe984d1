# SPDX-License-Identifier: Apache-2.0
"""A stack whose server is killed while it is made, changed or removed ends as if it had not been:
nothing is made twice, nothing is forgotten, and names that the template gives are its own."""

from __future__ import annotations

import json
import time

import botocore.exceptions
import pytest

from support.server import until

TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
     "Action": "sts:AssumeRole"}]}
READ = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}


def template(phase: str) -> str:
    return json.dumps({"Resources": {
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {
            "BucketName": "kept-bucket", "Tags": [{"Key": "phase", "Value": phase}]}},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {
            "RoleName": "kept-role", "AssumeRolePolicyDocument": TRUST, "Description": phase,
            "Policies": [{"PolicyName": f"p-{phase}", "PolicyDocument": READ}]}},
        "Managed": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {
            "ManagedPolicyName": "kept-policy", "PolicyDocument": READ,
            "Roles": [{"Ref": "Role"}]}},
        "Group": {"Type": "AWS::IAM::Group", "Properties": {"GroupName": "kept-group"}},
        "User": {"Type": "AWS::IAM::User", "Properties": {
            "UserName": "kept-user", "Groups": [{"Ref": "Group"}]}},
        "Key": {"Type": "AWS::IAM::AccessKey", "Properties": {"UserName": {"Ref": "User"}}},
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {
            "Name": "kept-secret", "Description": phase,
            "GenerateSecretString": {"PasswordLength": 20}}},
        "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {
            "Name": "/kept/parameter", "Type": "String", "Value": phase}}}})


def status(cfn, stack):
    try:
        return cfn.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return "DELETE_COMPLETE"
        raise


def killed_after(tarn, seconds, stack, expected):
    """Kills in the middle (or after it, where the machine was faster), and waits for the end."""
    time.sleep(seconds)
    tarn.restart(kill=True)
    cfn = tarn.client("cloudformation")
    until(lambda: not status(cfn, stack).endswith("_IN_PROGRESS"), 60)
    reached = status(cfn, stack)
    events = [] if reached == expected else [
        one.get("ResourceStatusReason") for one in
        cfn.describe_stack_events(StackName=stack)["StackEvents"]]
    assert reached == expected, events


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.25, 0.5])
def test_a_stack_survives_kills(fresh_tarn, seconds):
    tarn = fresh_tarn
    cfn = tarn.client("cloudformation")
    stack = cfn.create_stack(StackName="s", TemplateBody=template("one"),
                             Capabilities=["CAPABILITY_NAMED_IAM"])["StackId"]
    killed_after(tarn, seconds, stack, "CREATE_COMPLETE")
    iam, ssm = tarn.client("iam"), tarn.client("ssm")
    secrets = tarn.client("secretsmanager")
    assert iam.list_role_policies(RoleName="kept-role")["PolicyNames"] == ["p-one"]
    assert len(iam.list_access_keys(UserName="kept-user")["AccessKeyMetadata"]) == 1
    assert len(iam.list_groups_for_user(UserName="kept-user")["Groups"]) == 1
    assert ssm.get_parameter(Name="/kept/parameter")["Parameter"]["Version"] == 1
    first = secrets.get_secret_value(SecretId="kept-secret")["SecretString"]
    assert len(secrets.list_secret_version_ids(SecretId="kept-secret")["Versions"]) == 1

    cfn = tarn.client("cloudformation")
    cfn.update_stack(StackName="s", TemplateBody=template("two"),
                     Capabilities=["CAPABILITY_NAMED_IAM"])
    killed_after(tarn, seconds, stack, "UPDATE_COMPLETE")
    iam, ssm = tarn.client("iam"), tarn.client("ssm")
    assert iam.list_role_policies(RoleName="kept-role")["PolicyNames"] == ["p-two"]
    assert ssm.get_parameter(Name="/kept/parameter")["Parameter"]["Value"] == "two"
    secret = tarn.client("secretsmanager").get_secret_value(SecretId="kept-secret")
    assert secret["SecretString"] == first

    tarn.client("cloudformation").delete_stack(StackName="s")
    killed_after(tarn, seconds, stack, "DELETE_COMPLETE")
    assert tarn.client("s3").list_buckets()["Buckets"] == []
    iam = tarn.client("iam")
    assert iam.list_roles()["Roles"] == [] and iam.list_users()["Users"] == []
    assert iam.list_groups()["Groups"] == []
    assert iam.list_policies(Scope="Local")["Policies"] == []
    assert tarn.client("secretsmanager").list_secrets()["SecretList"] == []
    assert tarn.client("ssm").describe_parameters()["Parameters"] == []
