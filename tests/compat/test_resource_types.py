# SPDX-License-Identifier: Apache-2.0
"""Resource types of S3, IAM, SSM and Secrets Manager, deployed by CloudFormation."""
import json

import botocore.exceptions
import pytest

from support.refusals import refused
from support.server import until

TEMPLATE = """
Parameters:
  Phase: {Type: String, Default: one}
Conditions:
  First: !Equals [!Ref Phase, one]
Resources:
  Lake:
    Type: AWS::S3::Bucket
    Properties:
      PublicAccessBlockConfiguration: {BlockPublicAcls: true, BlockPublicPolicy: true,
                                       IgnorePublicAcls: true, RestrictPublicBuckets: true}
      BucketEncryption:
        ServerSideEncryptionConfiguration:
          - ServerSideEncryptionByDefault: {SSEAlgorithm: AES256}
      OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerEnforced}]}
      NotificationConfiguration: {EventBridgeConfiguration: {EventBridgeEnabled: true}}
      Tags: [{Key: phase, Value: !Ref Phase}]
  LakePolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Lake
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Deny, Principal: "*", Action: "s3:*", Resource: !Sub "${Lake.Arn}/closed/*",
             Condition: {StringNotEquals: {"aws:PrincipalType": Account}}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {AWS: "*"}, Action: "sts:AssumeRole"}
      MaxSessionDuration: !If [First, 3600, 7200]
      Policies:
        - PolicyName: read
          PolicyDocument:
            Version: "2012-10-17"
            Statement: [{Effect: Allow, Action: "s3:GetObject", Resource: !Sub "${Lake.Arn}/*"}]
      ManagedPolicyArns: !If
        - First
        - ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
        - [!Ref Managed]
  Inline:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: !Sub "inline-${Phase}"
      Roles: [!Ref Role]
      PolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Action: "s3:ListBucket", Resource: !GetAtt Lake.Arn}]
  Managed:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Action: !If [First, "sqs:*", "sns:*"], Resource: "*"}]
  Analysts:
    Type: AWS::IAM::Group
    Properties: {ManagedPolicyArns: [!Ref Managed]}
  Ada:
    Type: AWS::IAM::User
    Properties: {Groups: [!Ref Analysts]}
  Member:
    Type: AWS::IAM::UserToGroupAddition
    Properties: {GroupName: !Ref Analysts, Users: [!Ref Ada]}
  Key:
    Type: AWS::IAM::AccessKey
    Properties: {UserName: !Ref Ada}
  Profile:
    Type: AWS::IAM::InstanceProfile
    Properties: {Roles: [!Ref Role]}
  Password:
    Type: AWS::SecretsManager::Secret
    Properties:
      Description: !Ref Phase
      GenerateSecretString:
        SecretStringTemplate: '{"username":"admin"}'
        GenerateStringKey: password
        PasswordLength: 24
        ExcludePunctuation: true
  PasswordPolicy:
    Type: AWS::SecretsManager::ResourcePolicy
    Properties:
      SecretId: !Ref Password
      ResourcePolicy:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {AWS: !GetAtt Role.Arn},
             Action: "secretsmanager:GetSecretValue", Resource: "*"}
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Sub "s3://${Lake}/${Phase}", Description: where}
Outputs:
  Lake: {Value: !Ref Lake}
  Role: {Value: !Ref Role}
  RoleArn: {Value: !GetAtt Role.Arn}
  Managed: {Value: !Ref Managed}
  Group: {Value: !Ref Analysts}
  User: {Value: !Ref Ada}
  Key: {Value: !Ref Key}
  KeySecret: {Value: !GetAtt Key.SecretAccessKey}
  Profile: {Value: !Ref Profile}
  Password: {Value: !Ref Password}
  Setting: {Value: !Ref Setting}
"""


@pytest.fixture
def cfn(tarn):
    return tarn.client("cloudformation")


def outputs(cfn, name):
    stack = cfn.describe_stacks(StackName=name)["Stacks"][0]
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}


def settled(cfn, name):
    """The stack's status once it rests; None when it is gone."""
    def rests():
        try:
            status = cfn.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        except botocore.exceptions.ClientError:
            return "gone"
        return None if status.endswith("_IN_PROGRESS") else status
    return until(rests)


def reasons(cfn, name):
    return [one.get("ResourceStatusReason", "") for one in
            cfn.describe_stack_events(StackName=name)["StackEvents"]]


def test_a_stack_of_them_is_made_changed_and_removed(tarn, cfn, unique):
    name = unique("types")
    arguments = {"StackName": name, "TemplateBody": TEMPLATE,
                 "Capabilities": ["CAPABILITY_NAMED_IAM"]}
    made = cfn.create_stack(**arguments)["StackId"]
    assert settled(cfn, name) == "CREATE_COMPLETE", reasons(cfn, name)
    out = outputs(cfn, name)
    s3, iam, ssm = tarn.client("s3"), tarn.client("iam"), tarn.client("ssm")
    secrets = tarn.client("secretsmanager")

    tags = {one["Key"]: one["Value"]
            for one in s3.get_bucket_tagging(Bucket=out["Lake"])["TagSet"]}
    assert tags["phase"] == "one" and tags["aws:cloudformation:stack-name"] == name
    bridge = s3.get_bucket_notification_configuration(Bucket=out["Lake"])
    assert "EventBridgeConfiguration" in bridge
    assert s3.get_public_access_block(Bucket=out["Lake"])
    assert iam.list_role_policies(RoleName=out["Role"])["PolicyNames"] == ["inline-one", "read"]
    assert iam.get_group(GroupName=out["Group"])["Users"][0]["UserName"] == out["User"]
    profile = iam.get_instance_profile(InstanceProfileName=out["Profile"])["InstanceProfile"]
    assert profile["Roles"][0]["Arn"] == out["RoleArn"]
    own = tarn.client("sts", access_key=out["Key"], secret_key=out["KeySecret"])
    assert own.get_caller_identity()["Arn"].endswith(f"user/{out['User']}")
    secret = json.loads(secrets.get_secret_value(SecretId=out["Password"])["SecretString"])
    assert secret["username"] == "admin" and len(secret["password"]) == 24
    where = ssm.get_parameter(Name=out["Setting"])["Parameter"]["Value"]
    assert where == f"s3://{out['Lake']}/one"

    cfn.update_stack(**arguments, Parameters=[{"ParameterKey": "Phase", "ParameterValue": "two"}])
    assert settled(cfn, name) == "UPDATE_COMPLETE", reasons(cfn, name)
    assert outputs(cfn, name) | {"KeySecret": ""} == out | {"KeySecret": ""}  # nothing replaced
    assert iam.list_role_policies(RoleName=out["Role"])["PolicyNames"] == ["inline-two", "read"]
    role = iam.get_role(RoleName=out["Role"])["Role"]
    assert role["MaxSessionDuration"] == 7200
    attached = iam.list_attached_role_policies(RoleName=out["Role"])["AttachedPolicies"]
    assert [one["PolicyArn"] for one in attached] == [out["Managed"]]
    assert iam.get_policy(PolicyArn=out["Managed"])["Policy"]["DefaultVersionId"] == "v2"
    assert ssm.get_parameter(Name=out["Setting"])["Parameter"]["Value"].endswith("/two")
    described = secrets.describe_secret(SecretId=out["Password"])
    assert described["Description"] == "two"
    again = json.loads(secrets.get_secret_value(SecretId=out["Password"])["SecretString"])
    assert again == secret  # not generated anew

    cfn.delete_stack(StackName=name)
    until(lambda: cfn.describe_stacks(StackName=made)["Stacks"][0]["StackStatus"]
          == "DELETE_COMPLETE")
    with refused("404"):
        s3.head_bucket(Bucket=out["Lake"])
    for missing in (lambda: iam.get_role(RoleName=out["Role"]),
                    lambda: iam.get_user(UserName=out["User"]),
                    lambda: iam.get_group(GroupName=out["Group"]),
                    lambda: iam.get_policy(PolicyArn=out["Managed"])):
        with refused("NoSuchEntity"):
            missing()
    with refused("ParameterNotFound"):
        ssm.get_parameter(Name=out["Setting"])
    with refused("ResourceNotFoundException"):
        secrets.describe_secret(SecretId=out["Password"])


def deploy(cfn, name, resources):
    cfn.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}),
                     Capabilities=["CAPABILITY_NAMED_IAM"], OnFailure="DELETE")
    return settled(cfn, name)


def test_names_that_are_taken_stay_with_their_owners(tarn, cfn, unique):
    taken = unique("taken")
    s3, iam, ssm = tarn.client("s3"), tarn.client("iam"), tarn.client("ssm")
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
         "Action": "sts:AssumeRole"}]}
    s3.create_bucket(Bucket=taken)
    iam.create_role(RoleName=taken, AssumeRolePolicyDocument=json.dumps(trust))
    iam.create_group(GroupName=taken)
    ssm.put_parameter(Name=taken, Type="String", Value="theirs")
    tarn.client("secretsmanager").create_secret(Name=taken, SecretString="theirs")
    for kind, properties in (
            ("AWS::S3::Bucket", {"BucketName": taken}),
            ("AWS::IAM::Role", {"RoleName": taken, "AssumeRolePolicyDocument": trust}),
            ("AWS::IAM::Group", {"GroupName": taken}),
            ("AWS::SSM::Parameter", {"Name": taken, "Type": "String", "Value": "ours"}),
            ("AWS::SecretsManager::Secret", {"Name": taken, "SecretString": "ours"})):
        assert deploy(cfn, unique("stack"), {"It": {"Type": kind, "Properties": properties}}) in (
            "DELETE_COMPLETE", "gone"), kind
    s3.head_bucket(Bucket=taken)
    iam.get_role(RoleName=taken)
    iam.get_group(GroupName=taken)
    assert ssm.get_parameter(Name=taken)["Parameter"]["Value"] == "theirs"
    got = tarn.client("secretsmanager").get_secret_value(SecretId=taken)
    assert got["SecretString"] == "theirs"


def test_versioning_is_refused_by_name(cfn, unique):
    name = unique("stack")
    cfn.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"It": {
        "Type": "AWS::S3::Bucket",
        "Properties": {"VersioningConfiguration": {"Status": "Enabled"}}}}}))
    assert settled(cfn, name) == "ROLLBACK_COMPLETE"
    assert any("VersioningConfiguration" in reason for reason in reasons(cfn, name))
    with refused("ValidationError", "LifecycleConfiguration"):
        cfn.create_stack(StackName=unique("stack"), TemplateBody=json.dumps({"Resources": {"It": {
            "Type": "AWS::S3::Bucket", "Properties": {"LifecycleConfiguration": {"Rules": [
                {"Status": "Enabled", "ExpirationInDays": 1}]}}}}}))
    cfn.delete_stack(StackName=name)
