# SPDX-License-Identifier: Apache-2.0
"""Resource types that have no test beside their service's own, deployed by CloudFormation."""
import json
import re
import subprocess
import urllib.error
import urllib.request

import botocore.exceptions
import pytest

from support.refusals import refused
from support.server import REPO, until

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


def change(cfn, name, resources, **more):
    """Gives the stack these resources and waits: its status then."""
    cfn.update_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}),
                     Capabilities=["CAPABILITY_NAMED_IAM"], **more)
    return settled(cfn, name)


def ids_of(cfn, name):
    return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in
            cfn.list_stack_resources(StackName=name)["StackResourceSummaries"]}


def removed(cfn, name):
    cfn.delete_stack(StackName=name)
    return settled(cfn, name) == "gone"


def document(action, **more):
    return {"Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*", **more}]}


def ref(name):
    return {"Ref": name}


TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": ["states.amazonaws.com", "lambda.amazonaws.com"]},
     "Action": "sts:AssumeRole"}]}


def test_inline_policies_of_roles_users_and_groups(tarn, cfn, unique):
    iam, name, owner = tarn.client("iam"), unique("inline"), unique("owner")
    iam.create_role(RoleName=owner, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.create_user(UserName=owner)
    iam.create_group(GroupName=owner)
    kinds = {"Role": iam.get_role_policy, "User": iam.get_user_policy,
             "Group": iam.get_group_policy}

    def resources(action):
        return {kind: {"Type": f"AWS::IAM::{kind}Policy", "Properties": {
            f"{kind}Name": owner, "PolicyName": "own", "PolicyDocument": document(action)}}
            for kind in kinds}

    assert deploy(cfn, name, resources("s3:GetObject")) == "CREATE_COMPLETE", reasons(cfn, name)
    assert ids_of(cfn, name) == dict.fromkeys(kinds, f"own|{owner}")
    for kind, get in kinds.items():
        shown = get(**{f"{kind}Name": owner}, PolicyName="own")["PolicyDocument"]
        assert shown == document("s3:GetObject"), kind
    assert change(cfn, name, resources("s3:PutObject")) == "UPDATE_COMPLETE", reasons(cfn, name)
    for kind, get in kinds.items():
        shown = get(**{f"{kind}Name": owner}, PolicyName="own")["PolicyDocument"]
        assert shown == document("s3:PutObject"), kind

    # What is there already is not taken over, and survives the attempt.
    other = unique("inline")
    assert deploy(cfn, other, {"It": resources("sqs:*")["Role"]}) in ("DELETE_COMPLETE", "gone")
    shown = iam.get_role_policy(RoleName=owner, PolicyName="own")["PolicyDocument"]
    assert shown == document("s3:PutObject")

    assert removed(cfn, name)
    for kind, get in kinds.items():
        with refused("NoSuchEntity"):
            get(**{f"{kind}Name": owner}, PolicyName="own")
    with refused("InsufficientCapabilitiesException"):
        cfn.create_stack(StackName=unique("inline"), TemplateBody=json.dumps(
            {"Resources": resources("s3:GetObject")}))


def test_inline_policies_of_topics_and_queues(tarn, cfn, unique):
    sns, sqs, name = tarn.client("sns"), tarn.client("sqs"), unique("inline")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    queue = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    default = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]

    def resources(account):
        principal = {"AWS": f"arn:aws:iam::{account}:root"}
        return {"Topic": {"Type": "AWS::SNS::TopicInlinePolicy", "Properties": {
                    "TopicArn": topic,
                    "PolicyDocument": document("sns:Publish", Principal=principal)}},
                "Queue": {"Type": "AWS::SQS::QueueInlinePolicy", "Properties": {
                    "Queue": queue,
                    "PolicyDocument": document("sqs:SendMessage", Principal=principal)}}}

    def policies():
        shown = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])
        return (sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"],
                shown.get("Attributes", {}).get("Policy", ""))

    assert deploy(cfn, name, resources("111111111111")) == "CREATE_COMPLETE", reasons(cfn, name)
    assert ids_of(cfn, name) == {"Topic": topic, "Queue": queue}
    assert all("111111111111" in policy for policy in policies())
    assert change(cfn, name, resources("222222222222")) == "UPDATE_COMPLETE", reasons(cfn, name)
    assert all("222222222222" in policy for policy in policies())
    for logical_id in ("Topic", "Queue"):
        again = {"It": resources("333333333333")[logical_id]}
        assert deploy(cfn, unique("inline"), again) in ("DELETE_COMPLETE", "gone")
    assert all("222222222222" in policy for policy in policies())
    assert removed(cfn, name)
    assert policies() == (default, "")


def test_statements_of_a_bus(tarn, cfn, unique):
    events, name, bus = tarn.client("events"), unique("bus"), unique("bus")
    events.create_event_bus(Name=bus)
    events.put_permission(EventBusName=bus, StatementId="theirs", Action="events:PutEvents",
                          Principal="444444444444")

    def resources(account):
        return {"Plain": {"Type": "AWS::Events::EventBusPolicy", "Properties": {
                    "EventBusName": bus, "StatementId": "plain", "Action": "events:PutEvents",
                    "Principal": account, "Condition": {
                        "Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1"}}},
                "Whole": {"Type": "AWS::Events::EventBusPolicy", "Properties": {
                    "EventBusName": bus, "StatementId": "whole", "Statement": {
                        "Effect": "Allow", "Action": ["events:PutEvents", "events:PutRule"],
                        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                        "Resource": "*"}}}}

    def statements():
        policy = json.loads(events.describe_event_bus(Name=bus)["Policy"])
        return {one["Sid"]: one for one in policy["Statement"]}

    assert deploy(cfn, name, resources("111111111111")) == "CREATE_COMPLETE", reasons(cfn, name)
    assert ids_of(cfn, name) == {"Plain": f"{bus}|plain", "Whole": f"{bus}|whole"}
    shown = statements()
    assert shown.keys() == {"theirs", "plain", "whole"}
    assert shown["plain"]["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
    assert shown["whole"]["Action"] == ["events:PutEvents", "events:PutRule"]
    assert change(cfn, name, resources("222222222222")) == "UPDATE_COMPLETE", reasons(cfn, name)
    shown = statements()
    assert shown.keys() == {"theirs", "plain", "whole"}
    for sid in ("plain", "whole"):
        assert shown[sid]["Principal"] == {"AWS": "arn:aws:iam::222222222222:root"}
    taken = resources("333333333333")["Whole"]
    taken["Properties"]["StatementId"] = "theirs"
    assert deploy(cfn, unique("bus"), {"It": taken}) in ("DELETE_COMPLETE", "gone")
    assert removed(cfn, name)
    assert statements().keys() == {"theirs"}


def test_an_event_invoke_config(tarn, cfn, unique):
    lam, name = tarn.client("lambda"), unique("invoke")

    def resources(qualifier, **settings):
        return {"Role": {"Type": "AWS::IAM::Role", "Properties": {
                    "AssumeRolePolicyDocument": TRUST, "Policies": [{
                        "PolicyName": "queues", "PolicyDocument": {
                            "Version": "2012-10-17", "Statement": [{
                                "Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}}]}},
                "Queue": {"Type": "AWS::SQS::Queue"},
                "Fn": {"Type": "AWS::Lambda::Function", "Properties": {
                    "Runtime": "python3.11", "Handler": "index.handler",
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Code": {"ZipFile": "def handler(e, c):\n    return 1\n"}}},
                "Version": {"Type": "AWS::Lambda::Version", "Properties": {
                    "FunctionName": ref("Fn")}},
                "Config": {"Type": "AWS::Lambda::EventInvokeConfig", "Properties": {
                    "FunctionName": ref("Fn"), "Qualifier": qualifier, **settings}}}

    destination = {"DestinationConfig": {"OnFailure": {
        "Destination": {"Fn::GetAtt": ["Queue", "Arn"]}}}}
    first = resources("$LATEST", MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60,
                      **destination)
    assert deploy(cfn, name, first) == "CREATE_COMPLETE", reasons(cfn, name)
    function = ids_of(cfn, name)["Fn"]
    assert ids_of(cfn, name)["Config"] == f"{function}|$LATEST"
    shown = lam.get_function_event_invoke_config(FunctionName=function)
    assert (shown["MaximumRetryAttempts"], shown["MaximumEventAgeInSeconds"]) == (0, 60)
    assert shown["DestinationConfig"]["OnFailure"]["Destination"].startswith("arn:aws:sqs:")
    # What the template no longer says goes back to its default.
    second = resources("$LATEST", MaximumRetryAttempts=1)
    assert change(cfn, name, second) == "UPDATE_COMPLETE", reasons(cfn, name)
    shown = lam.get_function_event_invoke_config(FunctionName=function)
    assert shown["MaximumRetryAttempts"] == 1
    assert "Destination" not in shown["DestinationConfig"]["OnFailure"]
    third = resources({"Fn::GetAtt": ["Version", "Version"]}, MaximumRetryAttempts=2)
    assert change(cfn, name, third) == "UPDATE_COMPLETE", reasons(cfn, name)
    listed = lam.list_function_event_invoke_configs(FunctionName=function)
    assert [one["FunctionArn"].rsplit(":", 1)[1]
            for one in listed["FunctionEventInvokeConfigs"]] == ["1"]
    dropped = {key: value for key, value in third.items() if key != "Config"}
    assert change(cfn, name, dropped) == "UPDATE_COMPLETE", reasons(cfn, name)
    listed = lam.list_function_event_invoke_configs(FunctionName=function)
    assert listed["FunctionEventInvokeConfigs"] == []
    assert removed(cfn, name)


def test_versions_and_an_alias_of_a_state_machine(tarn, cfn, unique):
    states, name = tarn.client("stepfunctions"), unique("machine")

    def resources(result, description="first", **alias):
        return {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
            "Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {
                "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                "Definition": {"StartAt": "A", "States": {
                    "A": {"Type": "Pass", "Result": result, "End": True}}}}},
            "Version": {"Type": "AWS::StepFunctions::StateMachineVersion", "Properties": {
                "StateMachineArn": ref("Machine"), "Description": description,
                "StateMachineRevisionId": {"Fn::GetAtt": ["Machine", "StateMachineRevisionId"]}}},
            "Live": {"Type": "AWS::StepFunctions::StateMachineAlias", "Properties": {
                "Name": "live", "StateMachineArn": ref("Machine"), "RoutingConfiguration": [
                    {"StateMachineVersionArn": {"Fn::GetAtt": ["Version", "Arn"]},
                     "Weight": 100}], **alias}},
            "Unnamed": {"Type": "AWS::StepFunctions::StateMachineAlias", "Properties": {
                "RoutingConfiguration": [
                    {"StateMachineVersionArn": ref("Version"), "Weight": "100"}]}}}

    assert deploy(cfn, name, resources(1)) == "CREATE_COMPLETE", reasons(cfn, name)
    first = ids_of(cfn, name)
    machine = first["Machine"]
    assert first["Version"] == f"{machine}:1" and first["Live"] == f"{machine}:live"
    assert first["Unnamed"].startswith(f"{machine}:{name}-Unnamed-")
    shown = states.describe_state_machine_alias(stateMachineAliasArn=first["Live"])
    assert shown["routingConfiguration"] == [
        {"stateMachineVersionArn": f"{machine}:1", "weight": 100}]

    # A version of the same revision is there already: it fails, and the present one stays.
    again = change(cfn, name, resources(1, description="second"))
    assert again == "UPDATE_ROLLBACK_COMPLETE"
    assert any(f"with identifier '{machine}:1' already exists." in reason
               for reason in reasons(cfn, name))
    versions = states.list_state_machine_versions(stateMachineArn=machine)
    assert len(versions["stateMachineVersions"]) == 1

    changed = change(cfn, name, resources(2, description="second", Description="of two"))
    assert changed == "UPDATE_COMPLETE", reasons(cfn, name)
    second = ids_of(cfn, name)
    assert second["Version"] == f"{machine}:2" and second["Live"] == first["Live"]
    assert second["Unnamed"] == first["Unnamed"]
    shown = states.describe_state_machine_alias(stateMachineAliasArn=first["Live"])
    assert shown["description"] == "of two"
    assert shown["routingConfiguration"][0]["stateMachineVersionArn"] == f"{machine}:2"
    versions = states.list_state_machine_versions(stateMachineArn=machine)
    assert [one["stateMachineVersionArn"] for one in versions["stateMachineVersions"]] == [
        f"{machine}:2"]
    # An alias of that name is there already.
    taken = {"It": {"Type": "AWS::StepFunctions::StateMachineAlias", "Properties": {
        "Name": "live", "RoutingConfiguration": [
            {"StateMachineVersionArn": f"{machine}:2", "Weight": 100}]}}}
    assert deploy(cfn, unique("machine"), taken) in ("DELETE_COMPLETE", "gone")
    states.describe_state_machine_alias(stateMachineAliasArn=first["Live"])
    with refused("ValidationError", "DeploymentPreference"):
        cfn.create_stack(StackName=unique("machine"), TemplateBody=json.dumps({"Resources": {
            "It": {"Type": "AWS::StepFunctions::StateMachineAlias", "Properties": {
                "DeploymentPreference": {"StateMachineVersionArn": f"{machine}:2",
                                         "Type": "ALL_AT_ONCE"}}}}}))
    assert removed(cfn, name)
    with refused("ResourceNotFound"):
        states.describe_state_machine_alias(stateMachineAliasArn=first["Live"])


def put(url, body, method="PUT"):
    """The status of a request with that body."""
    request = urllib.request.Request(url, json.dumps(body).encode(), method=method)
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code


def waiting(count=1, timeout=30):
    return {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Wait": {"Type": "AWS::CloudFormation::WaitCondition", "Properties": {
                "Handle": ref("Handle"), "Timeout": timeout, "Count": count}}}


def handle_of(cfn, name):
    """The handle's URL, once the stack waits."""
    return until(lambda: ids_of(cfn, name) if "Wait" in ids_of(cfn, name) else None)["Handle"]


def begin(cfn, name, resources, outputs=None, **more):
    cfn.create_stack(StackName=name, TemplateBody=json.dumps(
        {"Resources": resources, "Outputs": outputs or {}}), **more)


def test_a_wait_condition_waits_for_its_signals(fresh_tarn, unique):
    cfn, name = fresh_tarn.client("cloudformation"), unique("wait")
    data = {"Data": {"Value": {"Fn::GetAtt": ["Wait", "Data"]}}, "Url": {"Value": ref("Handle")}}
    begin(cfn, name, waiting(count=2), data)
    url = handle_of(cfn, name)
    assert url.startswith(fresh_tarn.endpoint)
    one = {"Status": "SUCCESS", "UniqueId": "one", "Data": "made", "Reason": "ready"}
    assert put(url, one) == 200
    assert put(url, one | {"Data": "again"}) == 200  # of the same id: counts once
    assert put(url, one, method="POST") == 405
    assert put(url, {"Status": "PERHAPS", "UniqueId": "two"}) == 400
    assert put(url, {"Status": "SUCCESS"}) == 400
    assert put(url, ["SUCCESS"]) == 400
    assert put(url + "0", one) == 404
    fresh_tarn.restart(kill=True)  # a signal that was acknowledged is kept
    status = cfn.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    assert status == "CREATE_IN_PROGRESS"
    assert put(url, {"Status": "SUCCESS", "UniqueId": "two", "Data": 2}) == 200
    assert settled(cfn, name) == "CREATE_COMPLETE", reasons(cfn, name)
    assert json.loads(outputs(cfn, name)["Data"]) == {"one": "made", "two": "2"}
    assert outputs(cfn, name)["Url"] == url

    # It is made once: AWS updates none, and neither is the attempt's rollback stopped by it.
    assert change(cfn, name, waiting(count=3)) == "UPDATE_ROLLBACK_COMPLETE", reasons(cfn, name)
    assert "Update to resource type AWS::CloudFormation::WaitCondition is not supported." in (
        reasons(cfn, name))
    assert removed(cfn, name)
    assert put(url, one) == 404


def test_a_wait_condition_fails_by_signal_and_by_timeout(cfn, unique):
    name = unique("wait")
    begin(cfn, name, waiting(count=2), DisableRollback=True)
    url = handle_of(cfn, name)
    put(url, {"Status": "SUCCESS", "UniqueId": "one"})
    put(url, {"Status": "FAILURE", "UniqueId": "two", "Reason": "no disk"})
    assert settled(cfn, name) == "CREATE_FAILED"
    assert "WaitCondition received failed message: 'no disk' for uniqueId: two" in (
        reasons(cfn, name))
    assert removed(cfn, name)

    name = unique("wait")
    begin(cfn, name, waiting(count=2, timeout=1))
    put(handle_of(cfn, name), {"Status": "SUCCESS", "UniqueId": "one"})
    assert settled(cfn, name) == "ROLLBACK_COMPLETE"
    assert "WaitCondition timed out. Received 1 conditions when expecting 2" in reasons(cfn, name)
    assert removed(cfn, name)
    for resources, text in ((waiting(timeout=50000), "Timeout"), (waiting(count=0), "Count")):
        name = unique("wait")
        begin(cfn, name, resources)
        assert settled(cfn, name) == "ROLLBACK_COMPLETE"
        assert any(text in reason for reason in reasons(cfn, name))
        assert removed(cfn, name)


def test_the_page_lists_the_types_that_the_program_has(tarn_binary):
    listed = json.loads(subprocess.run([tarn_binary, "ops", "--json"], check=True,
                                       capture_output=True).stdout)["resourceTypes"]
    page = (REPO / "docs/coverage.md").read_text().split("## CloudFormation resource types")[1]
    assert re.findall(r"AWS::\w+::\w+", page.split("\n## ")[0]) == listed
