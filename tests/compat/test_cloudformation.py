# SPDX-License-Identifier: Apache-2.0
"""CloudFormation as its clients see it: boto3, the aws CLI."""

from __future__ import annotations

import json
import time

import botocore.exceptions
import pytest

from support.server import until

TWO_PARAMETERS = """
Parameters:
  Value: {Type: String, Default: first}
  Hidden: {Type: String, NoEcho: true, Default: none}
Resources:
  Second:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Sub "after ${First}"}
  First:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Ref Value, Tags: {team: data}}
Outputs:
  Name: {Value: !Ref First, Export: {Name: !Sub "${AWS::StackName}-name"}}
"""


@pytest.fixture
def cfn(tarn):
    return tarn.client("cloudformation")


@pytest.fixture
def stack(cfn, unique):
    """stack(template, **arguments) → the name of a stack that was made; removed afterwards."""
    names = []

    def create(template, name=None, **arguments):
        name = name or unique("stack")
        names.append(name)
        cfn.create_stack(StackName=name, TemplateBody=template, **arguments)
        return name

    yield create
    for name in reversed(names):
        cfn.delete_stack(StackName=name)
        until(lambda name=name: state(cfn, name) in (None, "DELETE_FAILED"))


def state(cfn, name):
    """The stack's status, or None when there is no such stack."""
    try:
        return status(cfn, name)
    except botocore.exceptions.ClientError:
        return None


def exists(cfn, name):
    return state(cfn, name) is not None


def status(cfn, name):
    return cfn.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]


def rest(cfn, name):
    until(lambda: not status(cfn, name).endswith("_IN_PROGRESS"))
    return status(cfn, name)


def refusal(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(**arguments)
    error = raised.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


def values(tarn, name):
    parameters = tarn.client("ssm").describe_parameters()["Parameters"]
    mine = [item["Name"] for item in parameters if item["Name"].startswith(name + "-")]
    got = tarn.client("ssm").get_parameters(Names=mine)["Parameters"] if mine else []
    return sorted(item["Value"] for item in got)


def test_a_stack_is_made_told_of_changed_and_removed(tarn, cfn, stack):
    name = stack(TWO_PARAMETERS, Parameters=[{"ParameterKey": "Hidden", "ParameterValue": "x"}],
                 Tags=[{"Key": "owner", "Value": "me"}])
    cfn.get_waiter("stack_create_complete").wait(StackName=name)
    told = cfn.describe_stacks(StackName=name)["Stacks"][0]
    assert told["StackStatus"] == "CREATE_COMPLETE"
    assert told["Tags"] == [{"Key": "owner", "Value": "me"}]
    assert {p["ParameterKey"]: p["ParameterValue"] for p in told["Parameters"]} == {
        "Value": "first", "Hidden": "****"}
    parameter = told["Outputs"][0]["OutputValue"]
    assert told["Outputs"][0]["ExportName"] == f"{name}-name"
    ssm = tarn.client("ssm")
    assert ssm.get_parameter(Name=parameter)["Parameter"]["Value"] == "first"
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=parameter)["TagList"]
    assert {tag["Key"]: tag["Value"] for tag in tags}["team"] == "data"

    events = cfn.describe_stack_events(StackName=name)["StackEvents"]
    order = [(e["LogicalResourceId"], e["ResourceStatus"]) for e in reversed(events)]
    assert order.index(("First", "CREATE_COMPLETE")) < order.index(("Second", "CREATE_IN_PROGRESS"))
    assert order[0] == (name, "CREATE_IN_PROGRESS")
    assert order[-1] == (name, "CREATE_COMPLETE")

    resources = cfn.list_stack_resources(StackName=name)["StackResourceSummaries"]
    assert {r["LogicalResourceId"] for r in resources} == {"First", "Second"}
    detail = cfn.describe_stack_resource(StackName=name, LogicalResourceId="First")
    assert detail["StackResourceDetail"]["PhysicalResourceId"] == parameter
    by_id = cfn.describe_stack_resources(PhysicalResourceId=parameter)["StackResources"]
    assert {r["StackName"] for r in by_id} == {name}
    assert cfn.get_template(StackName=name)["TemplateBody"] == TWO_PARAMETERS
    assert any(s["StackName"] == name for page in
               cfn.get_paginator("list_stacks").paginate() for s in page["StackSummaries"])

    cfn.update_stack(StackName=name, UsePreviousTemplate=True, Parameters=[
        {"ParameterKey": "Value", "ParameterValue": "changed"},
        {"ParameterKey": "Hidden", "UsePreviousValue": True}])
    cfn.get_waiter("stack_update_complete").wait(StackName=name)
    assert ssm.get_parameter(Name=parameter)["Parameter"]["Value"] == "changed"
    again = refusal(cfn.update_stack, StackName=name, UsePreviousTemplate=True, Parameters=[
        {"ParameterKey": key, "UsePreviousValue": True} for key in ("Value", "Hidden")])
    assert again == "ValidationError: No updates are to be performed."

    cfn.delete_stack(StackName=name)
    cfn.get_waiter("stack_delete_complete").wait(StackName=told["StackId"])
    assert refusal(cfn.describe_stacks, StackName=name) == \
        f"ValidationError: Stack with id {name} does not exist"
    assert values(tarn, name) == []


def test_a_waiter_does_not_sleep_for_long(cfn, stack):
    began = time.monotonic()
    name = stack(TWO_PARAMETERS)
    cfn.get_waiter("stack_create_complete").wait(StackName=name)
    assert time.monotonic() - began < 20


def test_aws_cloudformation_deploy_creates_updates_and_sees_no_change(tarn, cfn, unique, tmp_path):
    name, template = unique("deploy"), tmp_path / "template.yaml"
    template.write_text(TWO_PARAMETERS)
    command = ["cloudformation", "deploy", "--stack-name", name, "--template-file", str(template)]
    assert "Successfully created/updated" in tarn.aws(*command).stdout
    unchanged = tarn.aws(*command, "--no-fail-on-empty-changeset")
    assert "No changes to deploy" in unchanged.stdout + unchanged.stderr
    changed = tarn.aws(*command, "--parameter-overrides", "Value=second", "--tags", "a=b")
    assert "Successfully created/updated" in changed.stdout
    assert values(tarn, name)[-1] == "second"
    cfn.delete_stack(StackName=name)
    until(lambda: not exists(cfn, name))


def test_a_large_template_comes_from_s3(tarn, cfn, stack, unique, tmp_path):
    bucket, name = unique("bucket"), unique("large")
    tarn.client("s3").create_bucket(Bucket=bucket)
    template = tmp_path / "template.yaml"
    template.write_text(TWO_PARAMETERS + "# " + "x" * 60_000)
    deployed = tarn.aws("cloudformation", "deploy", "--stack-name", name, "--template-file",
                        str(template), "--s3-bucket", bucket)
    assert "Successfully created/updated" in deployed.stdout
    key = tarn.client("s3").list_objects_v2(Bucket=bucket)["Contents"][0]["Key"]
    for url in (f"{tarn.endpoint}/{bucket}/{key}",
                f"https://{bucket}.s3.us-east-1.amazonaws.com/{key}",
                f"https://s3.amazonaws.com/{bucket}/{key}"):
        summary = cfn.get_template_summary(TemplateURL=url)
        assert {p["ParameterKey"] for p in summary["Parameters"]} == {"Value", "Hidden"}
    missing = refusal(cfn.validate_template, TemplateURL=f"{tarn.endpoint}/{bucket}/none")
    assert missing.startswith("ValidationError: S3 error: ")
    too_long = refusal(cfn.validate_template, TemplateBody=template.read_text())
    assert "length less than or equal to 51200" in too_long
    cfn.delete_stack(StackName=name)


def test_templates_are_summarized_and_refused_in_words(cfn):
    valid = cfn.validate_template(TemplateBody=TWO_PARAMETERS)
    assert {p["ParameterKey"]: p["NoEcho"] for p in valid["Parameters"]} == {
        "Value": False, "Hidden": True}
    role = "Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: x}}}"
    assert cfn.get_template_summary(TemplateBody=role)["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    for template, message in (
            ("Resources: {}", "At least one Resources member must be defined."),
            ("Resources: [", "YAML not well-formed. (line 1, column "),
            ("{\"Resources\": ", "JSON not well-formed. (line 1, column "),
            ("Resources: {A: {Type: AWS::SSM::Parameter, Properties: {Value: !Ref X}}}",
             "Unresolved resource dependencies [X] in the Resources block of the template")):
        told = refusal(cfn.validate_template, TemplateBody=template)
        assert told.startswith("ValidationError: Template format error: ")
        assert message in told


def test_what_tarn_lacks_is_refused_by_name(cfn, unique):
    def refused(resources, **arguments):
        return refusal(cfn.create_stack, StackName=unique("s"), TemplateBody=resources, **arguments)

    assert refused("Resources: {A: {Type: AWS::Nothing::Known}}") == (
        "ValidationError: Template format error: Unrecognized resource types: "
        "[AWS::Nothing::Known]")
    assert "unsupported property Nope in resource A of type AWS::SSM::Parameter" in refused(
        "Resources: {A: {Type: AWS::SSM::Parameter, Properties: {Value: x, Type: String, "
        "Nope: 1}}}")
    assert "required key [Value] not found" in refused(
        "Resources: {A: {Type: AWS::SSM::Parameter, Properties: {Type: String}}}")
    assert refused("Resources: {A: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: "
                   "{}}}}") == ("InsufficientCapabilitiesException: Requires capabilities : "
                                "[CAPABILITY_IAM]")
    unknown = [{"ParameterKey": "Nope", "ParameterValue": "1"}]
    assert refused(TWO_PARAMETERS, Parameters=unknown) == (
        "ValidationError: Parameters: [Nope] do not exist in the template")
    assert "NotificationARNs is not supported" in refused(
        TWO_PARAMETERS, NotificationARNs=["arn:aws:sns:us-east-1:000000000000:t"])
    circle = """
Resources:
  A: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Ref B}}
  B: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Ref A}}
"""
    assert refused(circle) == "ValidationError: Circular dependency between resources: [A, B]"


def test_a_failed_creation_is_rolled_back(tarn, cfn, stack, unique):
    taken = unique("taken")
    tarn.client("ssm").put_parameter(Name=taken, Type="String", Value="theirs")
    name = stack(f"""
Resources:
  A: {{Type: AWS::SSM::Parameter, Properties: {{Type: String, Value: x}}}}
  B:
    Type: AWS::SSM::Parameter
    DependsOn: A
    Properties: {{Type: String, Value: y, Name: {taken}}}
""")
    assert rest(cfn, name) == "ROLLBACK_COMPLETE"
    events = cfn.describe_stack_events(StackName=name)["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events]
    assert "The following resource(s) failed to create: [B]. Rollback requested by user." in reasons
    assert tarn.client("ssm").get_parameter(Name=taken)["Parameter"]["Value"] == "theirs"
    assert values(tarn, name) == []


def test_a_failed_update_is_put_back_and_its_rollback_can_be_asked_for(tarn, cfn, stack, unique):
    taken = unique("taken")
    tarn.client("ssm").put_parameter(Name=taken, Type="String", Value="theirs")
    name = stack(TWO_PARAMETERS)
    rest(cfn, name)
    cfn.update_stack(StackName=name, TemplateBody=f"""
Resources:
  First: {{Type: AWS::SSM::Parameter, Properties: {{Type: String, Value: changed}}}}
  Third:
    Type: AWS::SSM::Parameter
    DependsOn: First
    Properties: {{Type: String, Value: y, Name: {taken}}}
""")
    assert rest(cfn, name) == "UPDATE_ROLLBACK_COMPLETE"
    assert values(tarn, name)[-1] == "first"
    assert len(values(tarn, name)) == 2
    told = refusal(cfn.continue_update_rollback, StackName=name)
    assert "is in UPDATE_ROLLBACK_COMPLETE state and can not be rolled back" in told
    told = refusal(cfn.cancel_update_stack, StackName=name)
    assert told == "ValidationError: CancelUpdateStack cannot be called from current stack status"


def test_change_sets_tell_then_do(cfn, unique):
    name = unique("sets")
    made = cfn.create_change_set(StackName=name, ChangeSetName="one", ChangeSetType="CREATE",
                                 TemplateBody=TWO_PARAMETERS)
    cfn.get_waiter("change_set_create_complete").wait(StackName=name, ChangeSetName="one")
    assert status(cfn, name) == "REVIEW_IN_PROGRESS"
    told = cfn.describe_change_set(ChangeSetName=made["Id"])
    assert [c["ResourceChange"]["Action"] for c in told["Changes"]] == ["Add", "Add"]
    cfn.execute_change_set(ChangeSetName="one", StackName=name)
    assert rest(cfn, name) == "CREATE_COMPLETE"

    cfn.create_change_set(StackName=name, ChangeSetName="two", TemplateBody=TWO_PARAMETERS,
                          Parameters=[{"ParameterKey": "Value", "ParameterValue": "z"}])
    told = cfn.describe_change_set(ChangeSetName="two", StackName=name, IncludePropertyValues=True)
    change = told["Changes"][0]["ResourceChange"]
    assert (change["Action"], change["LogicalResourceId"], change["Replacement"]) == (
        "Modify", "First", "False")
    detail = change["Details"][0]
    assert detail["Target"]["Name"] == "Value"
    assert (detail["Target"]["BeforeValue"], detail["Target"]["AfterValue"]) == ("first", "z")
    assert (detail["ChangeSource"], detail["CausingEntity"]) == ("ParameterReference", "Value")
    assert [s["ChangeSetName"] for s in cfn.list_change_sets(StackName=name)["Summaries"]] == [
        "one", "two"]
    cfn.delete_change_set(ChangeSetName="two", StackName=name)
    assert refusal(cfn.describe_change_set, ChangeSetName="two", StackName=name) == \
        "ChangeSetNotFound: ChangeSet [two] does not exist"
    imports = refusal(cfn.create_change_set, StackName=name, ChangeSetName="three",
                      TemplateBody=TWO_PARAMETERS, ChangeSetType="IMPORT")
    assert "ChangeSetType IMPORT is not supported" in imports
    cfn.delete_stack(StackName=name)
    until(lambda: not exists(cfn, name))


def test_exports_are_listed_imported_and_protected(cfn, stack):
    giver = stack(TWO_PARAMETERS)
    rest(cfn, giver)
    exports = [e for page in cfn.get_paginator("list_exports").paginate() for e in page["Exports"]]
    assert f"{giver}-name" in {export["Name"] for export in exports}
    taker = stack(f"""
Resources:
  P: {{Type: AWS::SSM::Parameter, Properties: {{Type: String, Value: !ImportValue {giver}-name}}}}
""")
    assert rest(cfn, taker) == "CREATE_COMPLETE"
    assert cfn.list_imports(ExportName=f"{giver}-name")["Imports"] == [taker]
    cfn.delete_stack(StackName=giver)
    assert rest(cfn, giver) == "DELETE_FAILED"
    reason = cfn.describe_stacks(StackName=giver)["Stacks"][0]["StackStatusReason"]
    assert reason == f"Export {giver}-name cannot be deleted as it is in use by {taker}"


def test_nested_stacks(tarn, cfn, stack, unique):
    bucket = unique("nested")
    s3 = tarn.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="child.yaml", Body=TWO_PARAMETERS.encode())
    name = stack(f"""
Resources:
  Child:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: {tarn.endpoint}/{bucket}/child.yaml
      Parameters: {{Value: nested}}
  After:
    Type: AWS::SSM::Parameter
    Properties: {{Type: String, Value: !GetAtt Child.Outputs.Name}}
""")
    assert rest(cfn, name) == "CREATE_COMPLETE"
    child = cfn.describe_stack_resource(
        StackName=name, LogicalResourceId="Child")["StackResourceDetail"]["PhysicalResourceId"]
    told = cfn.describe_stacks(StackName=child)["Stacks"][0]
    assert told["StackStatus"] == "CREATE_COMPLETE"
    assert told["ParentId"] == cfn.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    assert told["Outputs"][0]["OutputValue"] in values(tarn, name)
    cfn.delete_stack(StackName=name)
    until(lambda: not exists(cfn, name))
    assert cfn.describe_stacks(StackName=child)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"


def test_dynamic_references_are_looked_up_after_the_functions(tarn, cfn, stack, unique):
    secret, plain = unique("secret"), unique("plain")
    tarn.client("secretsmanager").create_secret(
        Name=secret, SecretString=json.dumps({"user": "hunter"}))
    tarn.client("ssm").put_parameter(Name=plain, Type="String", Value="p")
    name = stack(f"""
Parameters: {{Looked: {{Type: "AWS::SSM::Parameter::Value<String>", Default: {plain}}}}}
Resources:
  A:
    Type: AWS::SSM::Parameter
    Properties:
      Type: String
      Value: !Join ["", ["{{{{resolve:secretsmanager:{secret}:", "SecretString:user}}}}",
                         "-{{{{resolve:ssm:{plain}:1}}}}-", !Ref Looked]]
""")
    assert rest(cfn, name) == "CREATE_COMPLETE"
    assert values(tarn, name) == ["hunter-p-p"]


def test_termination_protection(cfn, stack):
    name = stack(TWO_PARAMETERS, EnableTerminationProtection=True)
    rest(cfn, name)
    assert refusal(cfn.delete_stack, StackName=name) == (
        f"ValidationError: Stack [{name}] cannot be deleted while TerminationProtection is enabled")
    cfn.update_termination_protection(StackName=name, EnableTerminationProtection=False)


def test_a_stack_survives_being_killed(fresh_tarn):
    cfn = fresh_tarn.client("cloudformation", retries=5)
    resources = "\n".join(
        f"  P{i}: {{Type: AWS::SSM::Parameter, Properties: {{Type: String, Value: '{i}'}}}}"
        for i in range(60))
    for round_number in range(4):
        name = f"killed{round_number}"
        cfn.create_stack(StackName=name, TemplateBody="Resources:\n" + resources)
        time.sleep(0.01 + 0.05 * round_number)
        fresh_tarn.restart(kill=True)
        assert rest(cfn, name) == "CREATE_COMPLETE"
        names = [item["Name"] for page in fresh_tarn.client("ssm").get_paginator(
            "describe_parameters").paginate() for item in page["Parameters"]]
        assert len([one for one in names if one.startswith(name + "-")]) == 60
        cfn.delete_stack(StackName=name)
        time.sleep(0.03 * round_number)
        fresh_tarn.restart(kill=True)
        until(lambda name=name: not exists(cfn, name))
    assert fresh_tarn.client("ssm").describe_parameters()["Parameters"] == []


CUSTOM = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com},
                     Action: "sts:AssumeRole"}]
  Maker:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code:
        ZipFile: |
          import json, urllib.request
          def handler(event, context):
              kind = event["RequestType"]
              answer = {"Status": "SUCCESS", "PhysicalResourceId": "thing",
                        "StackId": event["StackId"], "RequestId": event["RequestId"],
                        "LogicalResourceId": event["LogicalResourceId"],
                        "Data": {"Said": kind + event["ResourceProperties"]["Word"]}}
              if event["ResourceProperties"]["Word"] == "bad" and kind != "Delete":
                  answer.update(Status="FAILED", Reason="a bad word")
              urllib.request.urlopen(urllib.request.Request(
                  event["ResponseURL"], json.dumps(answer).encode(), method="PUT"))
  Thing:
    Type: Custom::Thing
    Properties: {ServiceToken: !GetAtt Maker.Arn, Word: WORD}
Outputs:
  Said: {Value: !GetAtt Thing.Said}
"""


def test_custom_resources_are_made_by_functions(cfn, stack):
    name = stack(CUSTOM.replace("WORD", "1"), Capabilities=["CAPABILITY_IAM"])
    until(lambda: not status(cfn, name).endswith("_IN_PROGRESS"), seconds=90)
    told = cfn.describe_stacks(StackName=name)["Stacks"][0]
    assert told["Outputs"][0]["OutputValue"] == "Create1", told
    cfn.update_stack(StackName=name, TemplateBody=CUSTOM.replace("WORD", "two"),
                     Capabilities=["CAPABILITY_IAM"])
    until(lambda: not status(cfn, name).endswith("_IN_PROGRESS"), seconds=90)
    told = cfn.describe_stacks(StackName=name)["Stacks"][0]
    assert told["Outputs"][0]["OutputValue"] == "Updatetwo"
    cfn.update_stack(StackName=name, TemplateBody=CUSTOM.replace("WORD", "bad"),
                     Capabilities=["CAPABILITY_IAM"])
    until(lambda: not status(cfn, name).endswith("_IN_PROGRESS"), seconds=90)
    assert status(cfn, name) == "UPDATE_ROLLBACK_COMPLETE"
    reasons = [e.get("ResourceStatusReason", "")
               for e in cfn.describe_stack_events(StackName=name)["StackEvents"]]
    assert any("a bad word" in reason for reason in reasons)


def test_what_was_made_again_under_its_id_outlives_the_clean_up(tarn, unique):
    """A resource that failed, repaired by an update: the failed attempt's remains are cleaned up,
    not what stands in their place."""
    cloudformation, iam = tarn.client("cloudformation"), tarn.client("iam")
    stack, role = unique("stack"), unique("role")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole"}]}))

    def template(effect):
        return json.dumps({"Resources": {"P": {"Type": "AWS::IAM::RolePolicy", "Properties": {
            "RoleName": role, "PolicyName": "p", "PolicyDocument": {
                "Version": "2012-10-17", "Statement": [{
                    "Effect": effect, "Action": "s3:GetObject", "Resource": "*"}]}}}}})

    def settled():
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        return found if not found.endswith("IN_PROGRESS") else None

    may = {"Capabilities": ["CAPABILITY_IAM"]}
    cloudformation.create_stack(StackName=stack, TemplateBody=template("Perhaps"),
                                DisableRollback=True, **may)
    assert until(settled) == "CREATE_FAILED"
    cloudformation.update_stack(StackName=stack, TemplateBody=template("Allow"), **may)
    assert until(settled) == "UPDATE_COMPLETE"
    shown = iam.get_role_policy(RoleName=role, PolicyName="p")["PolicyDocument"]
    assert shown["Statement"][0]["Effect"] == "Allow"
    cloudformation.delete_stack(StackName=stack)
    until(lambda: iam.list_role_policies(RoleName=role)["PolicyNames"] == [])


PAIR = """
Parameters: {{Name: {{Type: String}}}}
Resources:
  A: {{Type: AWS::SSM::Parameter, Properties: {{Type: String, Value: {value}}}}}
  B:
    Type: AWS::SSM::Parameter
    DependsOn: A
    DeletionPolicy: {policy}
    Properties: {{Type: String, Value: b, Name: !Ref Name}}
  C:
    Type: AWS::SSM::Parameter
    DependsOn: B
    Properties: {{Type: String, Value: c, Name: {taken}}}
"""


def named(name):
    return [{"ParameterKey": "Name", "ParameterValue": name}]


def test_what_failed_and_was_left_is_rolled_back_on_request(tarn, cfn, stack, unique):
    taken, free = unique("taken"), unique("free")
    ssm = tarn.client("ssm")
    ssm.put_parameter(Name=taken, Type="String", Value="theirs")
    template = PAIR.format(value="first", policy="Delete", taken=taken)
    name = stack(template, Parameters=named(free), DisableRollback=True)
    assert rest(cfn, name) == "CREATE_FAILED"
    assert ssm.get_parameter(Name=free)["Parameter"]["Value"] == "b"
    cfn.rollback_stack(StackName=name)
    assert rest(cfn, name) == "ROLLBACK_COMPLETE"
    assert values(tarn, name) == []
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name=free)
    assert "is in ROLLBACK_COMPLETE state and can not be rolled back" in refusal(
        cfn.rollback_stack, StackName=name)

    other = stack(TWO_PARAMETERS)
    rest(cfn, other)
    cfn.update_stack(StackName=other, DisableRollback=True, TemplateBody=f"""
Resources:
  First: {{Type: AWS::SSM::Parameter, Properties: {{Type: String, Value: changed}}}}
  Third: {{Type: AWS::SSM::Parameter, DependsOn: First,
           Properties: {{Type: String, Value: y, Name: {taken}}}}}
""")
    assert rest(cfn, other) == "UPDATE_FAILED"
    assert "changed" in values(tarn, other)
    cfn.rollback_stack(StackName=other)
    assert rest(cfn, other) == "UPDATE_ROLLBACK_COMPLETE"
    assert values(tarn, other)[-1] == "first"


def test_an_update_does_again_what_the_last_one_failed_to_do(tarn, cfn, stack, unique):
    """The template is the same; what stood in the way is gone."""
    iam, policy = tarn.client("iam"), unique("policy")
    arn = f"arn:aws:iam::{tarn.client('sts').get_caller_identity()['Account']}:policy/{policy}"

    def group(*arns):
        return json.dumps({"Resources": {"G": {"Type": "AWS::IAM::Group", "Properties": {
            "ManagedPolicyArns": list(arns)}}}})

    may = {"Capabilities": ["CAPABILITY_IAM"]}
    name = stack(group(), **may)
    assert rest(cfn, name) == "CREATE_COMPLETE"
    cfn.update_stack(StackName=name, TemplateBody=group(arn), DisableRollback=True, **may)
    assert rest(cfn, name) == "UPDATE_FAILED"
    iam.create_policy(PolicyName=policy, PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}))
    cfn.update_stack(StackName=name, TemplateBody=group(arn), **may)
    assert rest(cfn, name) == "UPDATE_COMPLETE"
    told = cfn.describe_stack_resource(StackName=name, LogicalResourceId="G")
    assert told["StackResourceDetail"]["ResourceStatus"] == "UPDATE_COMPLETE"
    made = told["StackResourceDetail"]["PhysicalResourceId"]
    attached = iam.list_attached_group_policies(GroupName=made)["AttachedPolicies"]
    assert [one["PolicyArn"] for one in attached] == [arn]


def test_a_new_resource_that_is_retained_outlives_the_rollback_of_its_update(
        tarn, cfn, stack, unique):
    taken, kept = unique("taken"), unique("kept")
    ssm = tarn.client("ssm")
    ssm.put_parameter(Name=taken, Type="String", Value="theirs")
    name = stack("Resources: {A: {Type: AWS::SSM::Parameter, "
                 "Properties: {Type: String, Value: first}}}")
    rest(cfn, name)
    update = {"StackName": name, "Parameters": named(kept),
              "TemplateBody": PAIR.format(value="first", policy="Retain", taken=taken)}
    cfn.update_stack(**update)
    assert rest(cfn, name) == "UPDATE_ROLLBACK_COMPLETE"
    assert ssm.get_parameter(Name=kept)["Parameter"]["Value"] == "b"
    statuses = [(e["LogicalResourceId"], e["ResourceStatus"])
                for e in cfn.describe_stack_events(StackName=name)["StackEvents"]]
    assert ("B", "DELETE_SKIPPED") in statuses
    ssm.delete_parameter(Name=kept)
    cfn.update_stack(**update, RetainExceptOnCreate=True)
    assert rest(cfn, name) == "UPDATE_ROLLBACK_COMPLETE"
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name=kept)


def test_tags_that_a_stack_has_no_more_leave_its_resources(tarn, cfn, stack):
    name = stack(TWO_PARAMETERS, Tags=[{"Key": "owner", "Value": "me"},
                                       {"Key": "team", "Value": "other"}])
    rest(cfn, name)
    cfn.update_stack(StackName=name, UsePreviousTemplate=True,
                     Tags=[{"Key": "stage", "Value": "dev"}])
    assert rest(cfn, name) == "UPDATE_COMPLETE"
    first = cfn.describe_stack_resource(
        StackName=name, LogicalResourceId="First")["StackResourceDetail"]["PhysicalResourceId"]
    tags = tarn.client("ssm").list_tags_for_resource(
        ResourceType="Parameter", ResourceId=first)["TagList"]
    assert {t["Key"]: t["Value"] for t in tags if not t["Key"].startswith("aws:")} == {
        "stage": "dev", "team": "data"}


def test_loops_name_what_they_refer_to(cfn, stack):
    """As in AWS's own examples: Fn::GetAtt of a name that is computed."""
    name = stack("""
Transform: AWS::LanguageExtensions
Parameters: {Suffix: {Type: String, Default: X}}
Resources:
  "Fn::ForEach::All": [Id, [a, b], {"P${Id}X": {Type: AWS::SSM::Parameter, Properties: {
    Type: String, Value: !Ref Id}}}]
Outputs:
  "Fn::ForEach::Out": [Id, [a, b], {"O${Id}": {
    Value: !GetAtt [!Sub "P${Id}${Suffix}", Value]}}]
  Named: {Value: {Ref: !Sub "Pa${Suffix}"}}
""")
    assert rest(cfn, name) == "CREATE_COMPLETE"
    outputs = {o["OutputKey"]: o["OutputValue"]
               for o in cfn.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]}
    assert (outputs["Oa"], outputs["Ob"]) == ("a", "b")
    assert outputs["Named"].startswith(f"{name}-PaX-")


def test_what_cannot_be_made_is_refused_before_anything_is(tarn, cfn, unique):
    def refused(template, **arguments):
        name = unique("s")
        told = refusal(cfn.create_stack, StackName=name, TemplateBody=template, **arguments)
        assert not exists(cfn, name)
        return told

    plain = "Resources: {P: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: x}}}\n"
    assert refused(plain, StackPolicyBody="{}") == (
        "ValidationError: StackPolicyBody is not supported by Tarn")
    assert refused(plain + "Outputs: {O: {Value: [a, b]}}") == (
        "ValidationError: Template format error: Output O is malformed. The Value field of every "
        "Outputs member must evaluate to a String and not a List.")
    assert refused(plain + "Description: " + "x" * 1025) == (
        "ValidationError: Template format error: 'Description' length is greater than 1024.")
    assert refused("Resources: {P: {Type: AWS::SSM::Parameter, Properties: {Type: String, "
                   "Value: x, 'Fn::Transform': {Name: AWS::Include}}}}") == (
        "ValidationError: No transform named AWS::Include found.")
    assert refused("Transform: AWS::Serverless-2016-10-31\n" + plain) == (
        "ValidationError: No transform named AWS::Serverless-2016-10-31 found.")
    assert refused(TWO_PARAMETERS, Parameters=[
        {"ParameterKey": "Value", "UsePreviousValue": True}]) == (
        "ValidationError: Invalid input for parameter key Value. Cannot specify usePreviousValue "
        "as true for a parameter key not in the previous template")
    missing = unique("none")
    assert refused(plain + f"Parameters: {{N: {{Type: AWS::SSM::Parameter::Name, "
                   f"Default: {missing}}}}}") == (
        f"ValidationError: Unable to fetch parameters [{missing}] from parameter store for this "
        "account.")


def test_a_real_template_that_needs_more_leaves_nothing(cfn, unique, shared_materials):
    """Templates of others: what Tarn lacks is named, and there is no stack afterwards."""
    folder = shared_materials("conformance/cloudformation/data-platform")
    for file, lacks in (("production-rds-stack", "AWS::RDS::DBInstance"),
                        ("production-dms-stack", "AWS::DMS::ReplicationTask"),
                        ("production-redshift-stack", "AWS::EC2::SecurityGroup")):
        template = (folder / f"{file}.template.json").read_text()
        name = unique("real")
        told = refusal(cfn.create_stack, StackName=name, TemplateBody=template,
                       Capabilities=["CAPABILITY_NAMED_IAM"])
        assert told.startswith(
            "ValidationError: Template format error: Unrecognized resource types: [")
        assert lacks in told
        assert not exists(cfn, name)


def test_an_update_survives_being_killed(fresh_tarn):
    """At several moments: no parameter is lost, doubled or left at its former value."""
    cfn = fresh_tarn.client("cloudformation", retries=5)

    def template(value, count):
        return "Resources:\n" + "\n".join(
            f"  P{i}: {{Type: AWS::SSM::Parameter, Properties: {{Type: String, "
            f"Value: '{value}-{i}'}}}}" for i in range(count))

    cfn.create_stack(StackName="killed", TemplateBody=template(0, 30))
    assert rest(cfn, "killed") == "CREATE_COMPLETE"
    for value in range(1, 5):
        count = 30 + 5 * (value % 2)
        cfn.update_stack(StackName="killed", TemplateBody=template(value, count))
        time.sleep(0.02 * value)
        fresh_tarn.restart(kill=True)
        assert rest(cfn, "killed") == "UPDATE_COMPLETE"
        ssm = fresh_tarn.client("ssm")
        names = [p["Name"] for page in ssm.get_paginator("describe_parameters").paginate()
                 for p in page["Parameters"]]
        found = [ssm.get_parameter(Name=name)["Parameter"]["Value"] for name in names]
        assert sorted(found) == sorted(f"{value}-{i}" for i in range(count))


def test_deploy_goes_on_where_it_failed_and_was_left(tarn, cfn, unique, tmp_path):
    name, taken, template = unique("deploy"), unique("taken"), tmp_path / "template.yaml"
    ssm = tarn.client("ssm")
    ssm.put_parameter(Name=taken, Type="String", Value="theirs")
    template.write_text(f"""
Resources:
  A: {{Type: AWS::SSM::Parameter, Properties: {{Type: String, Value: a}}}}
  B: {{Type: AWS::SSM::Parameter, DependsOn: A,
       Properties: {{Type: String, Value: b, Name: {taken}}}}}
""")
    command = ["cloudformation", "deploy", "--stack-name", name, "--template-file", str(template),
               "--disable-rollback"]
    tarn.aws(*command, check=False)
    assert status(cfn, name) == "CREATE_FAILED"
    ssm.delete_parameter(Name=taken)
    cfn.create_change_set(StackName=name, ChangeSetName="look", TemplateBody=template.read_text())
    changes = cfn.describe_change_set(StackName=name, ChangeSetName="look")["Changes"]
    assert [(c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"])
            for c in changes] == [("Add", "B")]
    assert "Successfully created/updated" in tarn.aws(*command).stdout
    assert ssm.get_parameter(Name=taken)["Parameter"]["Value"] == "b"
    cfn.delete_stack(StackName=name)
    until(lambda: not exists(cfn, name))


def test_a_stack_tells_why_one_inside_it_failed(tarn, cfn, stack, unique):
    bucket, taken = unique("nested"), unique("taken")
    tarn.client("ssm").put_parameter(Name=taken, Type="String", Value="theirs")
    s3 = tarn.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="child.yaml", Body=(
        f"Resources: {{P: {{Type: AWS::SSM::Parameter, Properties: {{Type: String, Value: x, "
        f"Name: {taken}}}}}}}").encode())
    name = stack(f"""
Resources:
  Child: {{Type: AWS::CloudFormation::Stack,
           Properties: {{TemplateURL: "{tarn.endpoint}/{bucket}/child.yaml"}}}}
""")
    assert rest(cfn, name) == "ROLLBACK_COMPLETE"
    reason = next(e["ResourceStatusReason"]
                  for e in cfn.describe_stack_events(StackName=name)["StackEvents"]
                  if (e["LogicalResourceId"], e["ResourceStatus"]) == ("Child", "CREATE_FAILED"))
    assert "was not successfully created: The following resource(s) failed to create: [P]" in reason


def test_an_export_of_another_stack_is_not_taken_over(cfn, stack):
    first = stack(TWO_PARAMETERS)
    rest(cfn, first)
    second = stack(TWO_PARAMETERS.replace("${AWS::StackName}-name", f"{first}-name"))
    assert rest(cfn, second) == "ROLLBACK_COMPLETE"
    reasons = [e.get("ResourceStatusReason")
               for e in cfn.describe_stack_events(StackName=second)["StackEvents"]]
    assert (f"Export with name {first}-name is already exported by stack {first}. "
            "Rollback requested by user.") in reasons
