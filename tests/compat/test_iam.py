# SPDX-License-Identifier: Apache-2.0
"""IAM: users, groups, roles, policies, keys, and what they allow."""
import json

import pytest

from support.refusals import refused

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
     "Action": "sts:AssumeRole"}]})
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource} | more


def deny(action, resource="*", **more):
    return {"Effect": "Deny", "Action": action, "Resource": resource} | more


@pytest.fixture
def iam(tarn):
    return tarn.client("iam")


@pytest.fixture
def user(iam, unique):
    name = unique("user")
    iam.create_user(UserName=name)
    return name


@pytest.fixture
def role(iam, unique):
    name = unique("role")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    return name


@pytest.fixture
def group(iam, unique):
    name = unique("group")
    iam.create_group(GroupName=name)
    return name


@pytest.fixture
def as_user(tarn, iam, user):
    """as_user("s3"): a client with the user's own key."""
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return lambda service: tarn.client(service, access_key=key["AccessKeyId"],
                                       secret_key=key["SecretAccessKey"])


def test_a_user_lives_from_creation_to_deletion(iam, unique):
    name = unique("user")
    made = iam.create_user(UserName=name, Path="/team/", Tags=[{"Key": "a", "Value": "1"}])["User"]
    assert made["Arn"].endswith(f":user/team/{name}") and made["UserId"].startswith("AIDA")
    with refused("EntityAlreadyExists", f"User with name {name} already exists.", 409):
        iam.create_user(UserName=name)
    assert iam.get_user(UserName=name)["User"]["Tags"] == [{"Key": "a", "Value": "1"}]
    assert name in [one["UserName"] for one in iam.list_users(PathPrefix="/team/")["Users"]]
    iam.tag_user(UserName=name, Tags=[{"Key": "b", "Value": "2"}])
    iam.untag_user(UserName=name, TagKeys=["a"])
    assert iam.list_user_tags(UserName=name)["Tags"] == [{"Key": "b", "Value": "2"}]
    iam.delete_user(UserName=name)
    with refused("NoSuchEntity", f"The user with name {name} cannot be found.", 404):
        iam.get_user(UserName=name)


def test_user_policies(iam, user):
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document(allow("s3:*")))
    got = iam.get_user_policy(UserName=user, PolicyName="p")
    assert got["PolicyDocument"]["Statement"][0]["Action"] == "s3:*"
    assert iam.list_user_policies(UserName=user)["PolicyNames"] == ["p"]
    iam.attach_user_policy(UserName=user, PolicyArn=READ_ONLY)
    attached = iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]
    assert attached == [{"PolicyName": "AmazonS3ReadOnlyAccess", "PolicyArn": READ_ONLY}]
    with refused("DeleteConflict", "must detach all policies first", 409):
        iam.delete_user(UserName=user)
    iam.detach_user_policy(UserName=user, PolicyArn=READ_ONLY)
    with refused("DeleteConflict", "must delete policies first"):
        iam.delete_user(UserName=user)
    iam.delete_user_policy(UserName=user, PolicyName="p")
    with refused("NoSuchEntity"):
        iam.get_user_policy(UserName=user, PolicyName="p")
    iam.delete_user(UserName=user)


def test_malformed_policies_are_refused(iam, user, unique):
    with refused("MalformedPolicyDocument"):
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument="{")
    with refused("MalformedPolicyDocument"):
        iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument='{"Version":"x"}')


def test_access_keys(tarn, iam, user):
    key = iam.create_access_key(UserName=user)["AccessKey"]
    assert key["AccessKeyId"].startswith("AKIA") and len(key["SecretAccessKey"]) == 40
    sts = tarn.client("sts", access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    assert sts.get_caller_identity()["Arn"].endswith(f":user/{user}")
    iam.update_access_key(UserName=user, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert iam.list_access_keys(UserName=user)["AccessKeyMetadata"][0]["Status"] == "Inactive"
    with refused("InvalidClientTokenId", status=403):
        sts.get_caller_identity()
    iam.update_access_key(UserName=user, AccessKeyId=key["AccessKeyId"], Status="Active")
    sts.get_caller_identity()
    iam.create_access_key(UserName=user)
    with refused("LimitExceeded", "AccessKeysPerUser: 2"):
        iam.create_access_key(UserName=user)
    iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    with refused("InvalidClientTokenId"):
        sts.get_caller_identity()
    with refused("NoSuchEntity"):
        iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])


def test_groups(iam, group, user):
    assert iam.get_group(GroupName=group)["Group"]["GroupId"].startswith("AGPA")
    iam.add_user_to_group(GroupName=group, UserName=user)
    assert [one["UserName"] for one in iam.get_group(GroupName=group)["Users"]] == [user]
    assert iam.list_groups_for_user(UserName=user)["Groups"][0]["GroupName"] == group
    assert group in [one["GroupName"] for one in iam.list_groups()["Groups"]]
    iam.put_group_policy(GroupName=group, PolicyName="p", PolicyDocument=document(allow("s3:*")))
    assert iam.get_group_policy(GroupName=group, PolicyName="p")["PolicyDocument"]["Statement"]
    assert iam.list_group_policies(GroupName=group)["PolicyNames"] == ["p"]
    iam.attach_group_policy(GroupName=group, PolicyArn=READ_ONLY)
    attached = iam.list_attached_group_policies(GroupName=group)["AttachedPolicies"]
    assert attached[0]["PolicyArn"] == READ_ONLY
    with refused("DeleteConflict"):
        iam.delete_group(GroupName=group)
    iam.detach_group_policy(GroupName=group, PolicyArn=READ_ONLY)
    iam.delete_group_policy(GroupName=group, PolicyName="p")
    with refused("DeleteConflict", "must remove users from group first"):
        iam.delete_group(GroupName=group)
    iam.remove_user_from_group(GroupName=group, UserName=user)
    iam.delete_group(GroupName=group)
    with refused("NoSuchEntity"):
        iam.get_group(GroupName=group)


def test_roles(iam, role):
    made = iam.get_role(RoleName=role)["Role"]
    assert made["RoleId"].startswith("AROA") and made["MaxSessionDuration"] == 3600
    assert made["AssumeRolePolicyDocument"]["Statement"][0]["Action"] == "sts:AssumeRole"
    iam.update_role(RoleName=role, Description="new", MaxSessionDuration=7200)
    other = TRUST.replace("lambda", "states")
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=other)
    changed = iam.get_role(RoleName=role)["Role"]
    assert (changed["Description"], changed["MaxSessionDuration"]) == ("new", 7200)
    assert changed["AssumeRolePolicyDocument"] == json.loads(other)
    assert role in [one["RoleName"] for page in iam.get_paginator("list_roles").paginate()
                    for one in page["Roles"]]
    iam.tag_role(RoleName=role, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    iam.untag_role(RoleName=role, TagKeys=["b"])
    assert iam.list_role_tags(RoleName=role)["Tags"] == [{"Key": "a", "Value": "1"}]
    iam.delete_role(RoleName=role)
    with refused("NoSuchEntity", f"The role with name {role} cannot be found."):
        iam.get_role(RoleName=role)


def test_role_policies(iam, role):
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=document(allow("s3:*")))
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == ["p"]
    assert iam.get_role_policy(RoleName=role, PolicyName="p")["PolicyDocument"]["Version"]
    iam.attach_role_policy(RoleName=role, PolicyArn=READ_ONLY)
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"][0][
        "PolicyArn"] == READ_ONLY
    with refused("NoSuchEntity", "does not exist or is not attachable"):
        iam.attach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/Nothing")
    with refused("DeleteConflict"):
        iam.delete_role(RoleName=role)
    iam.detach_role_policy(RoleName=role, PolicyArn=READ_ONLY)
    iam.delete_role_policy(RoleName=role, PolicyName="p")
    iam.delete_role(RoleName=role)


def test_managed_policies_and_their_versions(iam, role, user, group, unique):
    name = unique("policy")
    arn = iam.create_policy(PolicyName=name, Path="/team/", Description="d",
                            PolicyDocument=document(allow("s3:GetObject")))["Policy"]["Arn"]
    assert arn.endswith(f":policy/team/{name}")
    with refused("EntityAlreadyExists"):
        iam.create_policy(PolicyName=name, Path="/team/", PolicyDocument=document(allow("s3:*")))
    version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(allow("s3:*")),
                                        SetAsDefault=True)["PolicyVersion"]["VersionId"]
    assert version == "v2"
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    body = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"]
    assert body["Statement"][0]["Action"] == "s3:*"
    listed = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [one["VersionId"] for one in listed] == ["v2", "v1"]
    with refused("DeleteConflict", "default version"):
        iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    iam.attach_user_policy(UserName=user, PolicyArn=arn)
    iam.attach_group_policy(GroupName=group, PolicyArn=arn)
    who = iam.list_entities_for_policy(PolicyArn=arn)
    assert who["PolicyRoles"][0]["RoleName"] == role
    assert who["PolicyUsers"][0]["UserName"] == user
    assert who["PolicyGroups"][0]["GroupName"] == group
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 3
    with refused("DeleteConflict", "attached"):
        iam.delete_policy(PolicyArn=arn)
    iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    iam.detach_user_policy(UserName=user, PolicyArn=arn)
    iam.detach_group_policy(GroupName=group, PolicyArn=arn)
    assert arn in [one["Arn"] for one in iam.list_policies(Scope="Local")["Policies"]]
    iam.delete_policy(PolicyArn=arn)
    with refused("NoSuchEntity", f"Policy {arn} was not found."):
        iam.get_policy(PolicyArn=arn)


def test_policies_of_aws_are_there_and_fixed(iam):
    found = [one["Arn"] for page in iam.get_paginator("list_policies").paginate(Scope="AWS")
             for one in page["Policies"]]
    assert ADMINISTRATOR in found and READ_ONLY in found
    with refused("AccessDenied"):
        iam.delete_policy(PolicyArn=ADMINISTRATOR)


def test_instance_profiles(iam, role, unique):
    name = unique("profile")
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    with refused("LimitExceeded"):
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    shown = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    assert shown["Roles"][0]["RoleName"] == role
    listed = iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"]
    assert listed[0]["InstanceProfileName"] == name
    with refused("DeleteConflict"):
        iam.delete_role(RoleName=role)
    iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role)
    iam.delete_instance_profile(InstanceProfileName=name)
    with refused("NoSuchEntity", f"Instance Profile {name} cannot be found."):
        iam.get_instance_profile(InstanceProfileName=name)


# -- what policies allow


def test_a_new_user_may_do_nothing(as_user, user, unique):
    with refused("AccessDenied", "is not authorized to perform: s3:CreateBucket", 403):
        as_user("s3").create_bucket(Bucket=unique("bucket"))
    with refused("AccessDenied"):
        as_user("iam").list_users()
    as_user("sts").get_caller_identity()  # that everybody may


def test_allow_deny_and_wildcards(iam, user, as_user, tarn, unique):
    bucket = unique("bucket")
    tarn.client("s3").create_bucket(Bucket=bucket)
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document(
        allow("s3:*Object", f"arn:aws:s3:::{bucket}/*"),
        deny("s3:*", f"arn:aws:s3:::{bucket}/secret/*")))
    s3 = as_user("s3")
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"
    with refused("AccessDenied", "with an explicit deny"):
        s3.put_object(Bucket=bucket, Key="secret/a", Body=b"x")
    with refused("AccessDenied", "no identity-based policy allows"):
        s3.list_objects_v2(Bucket=bucket)
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"},
                                                                {"Key": "secret/b"}]})
    assert [one["Key"] for one in done["Deleted"]] == ["a"]
    assert [(one["Key"], one["Code"]) for one in done["Errors"]] == [("secret/b", "AccessDenied")]


def test_conditions(iam, user, as_user):
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document(
        allow("iam:ListUsers", Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}),
        allow("iam:ListRoles", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
        allow("iam:ListGroups", Condition={"StringLike": {"aws:PrincipalArn": f"*:user/{user}"}})))
    own = as_user("iam")
    own.list_users()
    own.list_groups()
    with refused("AccessDenied"):
        own.list_roles()


def test_groups_and_managed_policies_count(iam, user, group, as_user):
    own = as_user("iam")
    with refused("AccessDenied"):
        own.list_users()
    iam.attach_group_policy(GroupName=group,
                            PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    iam.add_user_to_group(GroupName=group, UserName=user)
    own.list_users()
    iam.remove_user_from_group(GroupName=group, UserName=user)
    with refused("AccessDenied"):
        own.list_users()


def test_a_permissions_boundary_limits(iam, user, role, as_user):
    iam.attach_user_policy(UserName=user, PolicyArn=ADMINISTRATOR)
    own = as_user("iam")
    own.list_users()
    iam.put_user_permissions_boundary(UserName=user, PermissionsBoundary=READ_ONLY)
    with refused("AccessDenied"):
        own.list_users()
    as_user_boundary = iam.get_user(UserName=user)["User"]["PermissionsBoundary"]
    assert as_user_boundary["PermissionsBoundaryArn"] == READ_ONLY
    iam.delete_user_permissions_boundary(UserName=user)
    own.list_users()
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=READ_ONLY)
    assert iam.get_role(RoleName=role)["Role"]["PermissionsBoundary"]
    iam.delete_role_permissions_boundary(RoleName=role)
    assert "PermissionsBoundary" not in iam.get_role(RoleName=role)["Role"]
    with refused("NoSuchEntity"):
        iam.put_role_permissions_boundary(RoleName=role,
                                          PermissionsBoundary="arn:aws:iam::aws:policy/Nothing")


def test_pages(iam, unique):
    prefix = f"/{unique('p')}/"
    names = [unique("user") for _ in range(5)]
    for name in names:
        iam.create_user(UserName=name, Path=prefix)
    first = iam.list_users(PathPrefix=prefix, MaxItems=2)
    assert first["IsTruncated"] and len(first["Users"]) == 2
    found = [one["UserName"] for page in iam.get_paginator("list_users").paginate(
        PathPrefix=prefix, PaginationConfig={"PageSize": 2}) for one in page["Users"]]
    assert found == sorted(names)


def test_the_cli_makes_a_role(tarn, unique, tmp_path):
    name = unique("role")
    (tmp_path / "trust.json").write_text(TRUST)
    made = tarn.aws("iam", "create-role", "--role-name", name, "--assume-role-policy-document",
                    f"file://{tmp_path}/trust.json").json()
    assert made["Role"]["RoleName"] == name
    tarn.aws("iam", "delete-role", "--role-name", name)
    gone = tarn.aws("iam", "get-role", "--role-name", name, check=False)
    assert "NoSuchEntity" in gone.stderr


def test_a_role_is_handed_to_a_service_only_by_who_may_pass_it(iam, user, role, as_user, unique):
    """iam:PassRole: for Lambda (REST, 403), Step Functions and ECS (JSON, 400)."""
    arn = iam.get_role(RoleName=role)["Role"]["Arn"]
    pass_to = {}

    def may(*services):
        pass_to["iam:PassedToService"] = list(services)
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document(
            allow(["lambda:*", "states:*", "ecs:*", "events:*"]),
            allow("iam:PassRole", arn, Condition={"StringEquals": pass_to})))

    may("glue.amazonaws.com")
    function = {"FunctionName": unique("f"), "Runtime": "python3.11", "Role": arn,
                "Handler": "m.f", "Code": {"ZipFile": b"not looked at"}}
    text = f"is not authorized to perform: iam:PassRole on resource: {arn}"
    with refused("AccessDeniedException", text, 403):
        as_user("lambda").create_function(**function)
    machine = {"name": unique("m"), "roleArn": arn, "definition": json.dumps(
        {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})}
    with refused("AccessDeniedException", text, 400):
        as_user("stepfunctions").create_state_machine(**machine)
    definition = {"family": unique("d"), "taskRoleArn": arn, "executionRoleArn": arn, "cpu": "256",
                  "memory": "512", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
                  "containerDefinitions": [{"name": "c", "image": "tarn/slim"}]}
    with refused("AccessDeniedException", text, 400):
        as_user("ecs").register_task_definition(**definition)
    may("states.amazonaws.com")
    as_user("stepfunctions").create_state_machine(**machine)
    with refused("AccessDeniedException", text, 400):
        as_user("ecs").register_task_definition(**definition)
    may("ecs-tasks.amazonaws.com")
    made = as_user("ecs").register_task_definition(**definition)["taskDefinition"]
    iam.delete_user_policy(UserName=user, PolicyName="p")
    iam.put_user_policy(UserName=user, PolicyName="q", PolicyDocument=document(allow("ecs:*")))
    with refused("AccessDeniedException", text, 400):
        as_user("ecs").run_task(taskDefinition=made["taskDefinitionArn"], launchType="FARGATE")


def test_documents_are_of_their_kind_and_size(iam, user, role, unique):
    put = {"UserName": user, "PolicyName": "p"}
    with refused("MalformedPolicyDocument", "Policy document should not specify a principal.", 400):
        iam.put_user_policy(**put, PolicyDocument=document(allow("s3:*", Principal="*")))
    with refused("MalformedPolicyDocument", "Policy statement must contain resources.", 400):
        iam.put_user_policy(**put, PolicyDocument=document({"Effect": "Allow", "Action": "s3:*"}))
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    for statement, text in (
            (trust, "Missing required field Principal"),
            (trust | {"Principal": "*", "Resource": "*"}, "Has prohibited field Resource"),
            (trust | {"Principal": "*", "Action": "s3:GetObject"},
             "AssumeRole policy may only specify STS AssumeRole actions.")):
        with refused("MalformedPolicyDocument", text, 400):
            iam.update_assume_role_policy(RoleName=role, PolicyDocument=document(statement))
    many = document(*[allow("s3:GetObject", f"arn:aws:s3:::bucket-{i}/*") for i in range(200)])
    with refused("LimitExceeded", f"Maximum policy size of 2048 bytes exceeded for user {user}",
                 409):
        iam.put_user_policy(**put, PolicyDocument=many)
    with refused("LimitExceeded", "Cannot exceed quota for PolicySize: 6144", 409):
        iam.create_policy(PolicyName=unique("p"), PolicyDocument=many)
    assert iam.list_user_policies(UserName=user)["PolicyNames"] == []


def test_quotas_of_attachments(iam, role, unique):
    arns = [iam.create_policy(PolicyName=unique("p"), PolicyDocument=document(allow("s3:*")))
            ["Policy"]["Arn"] for _ in range(11)]
    for arn in arns[:10]:
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    with refused("LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10", 409):
        iam.attach_role_policy(RoleName=role, PolicyArn=arns[10])


def test_a_policy_that_bounds_somebody_stays(iam, user, as_user, unique):
    arn = iam.create_policy(PolicyName=unique("b"), PolicyDocument=document(
        allow("s3:ListAllMyBuckets")))["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName=user, PermissionsBoundary=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    bounded = iam.list_policies(Scope="Local", PolicyUsageFilter="PermissionsBoundary")["Policies"]
    assert arn in [policy["Arn"] for policy in bounded]
    assert [one["UserName"] for one in iam.list_entities_for_policy(
        PolicyArn=arn, PolicyUsageFilter="PermissionsBoundary")["PolicyUsers"]] == [user]
    with refused("DeleteConflict", "Cannot delete a policy attached to entities.", 409):
        iam.delete_policy(PolicyArn=arn)
    iam.delete_user_permissions_boundary(UserName=user)
    iam.delete_policy(PolicyArn=arn)


def test_a_user_with_a_path_is_known_by_its_whole_arn(tarn, iam, unique):
    name = unique("user")
    arn = iam.create_user(UserName=name, Path="/team/")["User"]["Arn"]
    key = iam.create_access_key(UserName=name)["AccessKey"]
    mine = tarn.client("iam", access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    with refused("AccessDenied", f"iam:GetUser on resource: {arn} because no identity-based", 403):
        mine.get_user()
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(
        allow("iam:GetUser", arn.replace(name, "${aws:username}"))))
    assert mine.get_user()["User"]["Arn"] == arn
    assert mine.get_user(UserName=name)["User"]["Path"] == "/team/"


def test_tags_of_the_caller_are_asked_for(tarn, iam, user, as_user):
    iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=document(
        allow("s3:ListAllMyBuckets",
              Condition={"StringEquals": {"aws:PrincipalTag/team": "red"}})))
    mine = as_user("s3")
    with refused("AccessDenied", "s3:ListAllMyBuckets", 403):
        mine.list_buckets()
    iam.tag_user(UserName=user, Tags=[{"Key": "team", "Value": "red"}])
    mine.list_buckets()
    iam.untag_user(UserName=user, TagKeys=["team"])
    with refused("AccessDenied", "s3:ListAllMyBuckets", 403):
        mine.list_buckets()


def test_policies_and_instance_profiles_have_tags(iam, role, unique):
    profile = unique("profile")
    iam.create_instance_profile(InstanceProfileName=profile, Path="/here/",
                                Tags=[{"Key": "a", "Value": "1"}])
    iam.tag_instance_profile(InstanceProfileName=profile, Tags=[{"Key": "b", "Value": "2"}])
    iam.untag_instance_profile(InstanceProfileName=profile, TagKeys=["a"])
    assert iam.list_instance_profile_tags(InstanceProfileName=profile)["Tags"] == [
        {"Key": "b", "Value": "2"}]
    listed = iam.list_instance_profiles(PathPrefix="/here/")["InstanceProfiles"]
    assert profile in [one["InstanceProfileName"] for one in listed]
    arn = iam.create_policy(PolicyName=unique("p"), PolicyDocument=document(
        allow("s3:*")))["Policy"]["Arn"]
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    assert iam.update_role_description(
        RoleName=role, Description="new")["Role"]["Description"] == "new"
