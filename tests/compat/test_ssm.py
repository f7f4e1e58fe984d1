# SPDX-License-Identifier: Apache-2.0
"""Systems Manager's Parameter Store."""
import pytest

from support.refusals import refused


@pytest.fixture
def ssm(tarn):
    return tarn.client("ssm")


@pytest.fixture
def path(unique):
    return "/" + unique("app")


def put(ssm, name, value, **more):
    return ssm.put_parameter(Name=name, Value=value, **({"Type": "String"} | more))


def test_a_parameter_lives_from_creation_to_deletion(ssm, path):
    name = f"{path}/url"
    assert put(ssm, name, "http://x", Description="where")["Version"] == 1
    got = ssm.get_parameter(Name=name)["Parameter"]
    assert (got["Value"], got["Type"], got["Version"]) == ("http://x", "String", 1)
    assert got["ARN"].endswith(f":parameter{name}") and got["DataType"] == "text"
    assert ssm.get_parameter(Name=got["ARN"])["Parameter"]["Name"] == name
    with refused("ParameterAlreadyExists", "set the overwrite option in the request to true."):
        put(ssm, name, "other")
    assert put(ssm, name, "other", Overwrite=True)["Version"] == 2
    assert ssm.get_parameter(Name=f"{name}:1")["Parameter"]["Selector"] == ":1"
    history = ssm.get_parameter_history(Name=name)["Parameters"]
    assert [(one["Version"], one["Value"]) for one in history] == [(1, "http://x"), (2, "other")]
    assert history[0]["Description"] == "where"
    ssm.delete_parameter(Name=name)
    with refused("ParameterNotFound", status=400):
        ssm.get_parameter(Name=name)
    with refused("ParameterNotFound"):
        ssm.delete_parameter(Name=name)


def test_names_follow_the_rules(ssm, unique):
    for name in (f"{unique()}/x", f"/{unique()}//x", f"/{unique()} x", "ssmThing"):
        with refused("ValidationException"):
            put(ssm, name, "v")
    with refused("AccessDeniedException", "No access to reserved parameter name"):
        put(ssm, "/aws/thing", "v")
    with refused("HierarchyLevelLimitExceededException"):
        put(ssm, "/x" * 16, "v")


def test_a_secure_string_opens_only_when_asked(ssm, path):
    put(ssm, path, "hunter2", Type="SecureString")
    closed = ssm.get_parameter(Name=path)["Parameter"]
    assert closed["Type"] == "SecureString" and "hunter2" not in closed["Value"]
    assert ssm.get_parameter(Name=path, WithDecryption=True)["Parameter"]["Value"] == "hunter2"
    described = ssm.describe_parameters(
        ParameterFilters=[{"Key": "Name", "Values": [path]}])["Parameters"][0]
    assert described["KeyId"] == "alias/aws/ssm"


def test_several_at_once(ssm, path):
    put(ssm, f"{path}/a", "1")
    put(ssm, f"{path}/b", "x,y", Type="StringList")
    got = ssm.get_parameters(Names=[f"{path}/a", f"{path}/b", f"{path}/none", f"{path}/a:7"])
    assert {one["Name"]: one["Value"] for one in got["Parameters"]} == {
        f"{path}/a": "1", f"{path}/b": "x,y"}
    assert sorted(got["InvalidParameters"]) == [f"{path}/a:7", f"{path}/none"]
    gone = ssm.delete_parameters(Names=[f"{path}/a", f"{path}/none"])
    assert gone["DeletedParameters"] == [f"{path}/a"]
    assert gone["InvalidParameters"] == [f"{path}/none"]


def test_paths(ssm, path):
    for name in ("a", "b", "c/d", "c/e/f"):
        put(ssm, f"{path}/{name}", "v", Type="SecureString" if name == "b" else "String")

    def names(**arguments):
        return [one["Name"].removeprefix(path + "/") for page in ssm.get_paginator(
            "get_parameters_by_path").paginate(PaginationConfig={"PageSize": 2}, **arguments)
            for one in page["Parameters"]]

    assert names(Path=path) == ["a", "b"]
    assert names(Path=path, Recursive=True) == ["a", "b", "c/d", "c/e/f"]
    assert names(Path=f"{path}/c") == ["c/d"]
    assert names(Path=path, Recursive=True, ParameterFilters=[
        {"Key": "Type", "Values": ["SecureString"]}]) == ["b"]
    with refused("ValidationException", "must begin with a forward slash"):
        ssm.get_parameters_by_path(Path="nothing")
    with refused("InvalidFilterKey", "Valid filter keys include"):
        ssm.get_parameters_by_path(Path=path,
                                   ParameterFilters=[{"Key": "Name", "Values": ["x"]}])


def test_descriptions_and_their_filters(ssm, path):
    put(ssm, f"{path}/a", "1", Tags=[{"Key": "team", "Value": path}])
    put(ssm, f"{path}/b/c", "2", Tier="Advanced")

    def names(*filters):
        return [one["Name"].removeprefix(path) for page in ssm.get_paginator(
            "describe_parameters").paginate(ParameterFilters=list(filters))
            for one in page["Parameters"]]

    below = {"Key": "Path", "Option": "Recursive", "Values": [path]}
    assert names(below) == ["/a", "/b/c"]
    assert names({"Key": "Path", "Values": [path]}) == ["/a"]
    assert names({"Key": "Name", "Option": "BeginsWith", "Values": [path]}) == ["/a", "/b/c"]
    assert names({"Key": "tag:team", "Values": [path]}) == ["/a"]
    assert names(below, {"Key": "Tier", "Values": ["Advanced"]}) == ["/b/c"]
    old = ssm.describe_parameters(Filters=[{"Key": "Name", "Values": [path]}])["Parameters"]
    assert len(old) == 2 and old[0]["LastModifiedUser"].endswith(":root")
    with refused("InvalidFilterOption"):
        names({"Key": "Type", "Option": "Contains", "Values": ["S"]})


def test_labels(ssm, path):
    put(ssm, path, "one")
    put(ssm, path, "two", Overwrite=True)
    assert ssm.label_parameter_version(Name=path, ParameterVersion=1, Labels=["live", "2x"])[
        "InvalidLabels"] == ["2x"]
    assert ssm.get_parameter(Name=f"{path}:live")["Parameter"]["Value"] == "one"
    ssm.label_parameter_version(Name=path, Labels=["live"])
    assert ssm.get_parameter(Name=f"{path}:live")["Parameter"]["Value"] == "two"
    assert ssm.get_parameter_history(Name=path)["Parameters"][1]["Labels"] == ["live"]
    with refused("ParameterVersionNotFound", "could not find version 9"):
        ssm.label_parameter_version(Name=path, ParameterVersion=9, Labels=["x"])
    with refused("ParameterVersionLabelLimitExceeded"):
        ssm.label_parameter_version(Name=path, Labels=[f"l{i}" for i in range(10)])
    gone = ssm.unlabel_parameter_version(Name=path, ParameterVersion=2, Labels=["live", "none"])
    assert (gone["RemovedLabels"], gone["InvalidLabels"]) == (["live"], ["none"])


def test_values_are_checked(ssm, path):
    put(ssm, path, "12", AllowedPattern="^\\d+$")
    with refused("ParameterPatternMismatchException", "cannot be validated against allowedPattern"):
        put(ssm, path, "ab", Overwrite=True)
    with refused("InvalidAllowedPatternException"):
        put(ssm, path + "x", "ab", AllowedPattern="(")
    with refused("ValidationException", "4096 characters"):
        put(ssm, path + "y", "x" * 4097)
    assert put(ssm, path + "y", "x" * 4097, Tier="Intelligent-Tiering")["Tier"] == "Advanced"
    with refused("ValidationException", "can't downgrade"):
        put(ssm, path + "y", "x", Tier="Standard", Overwrite=True)
    with refused("ValidationException", "A parameter type is required"):
        ssm.put_parameter(Name=path + "z", Value="v")
    with refused("NotImplemented", "Policies", 501):
        put(ssm, path + "p", "v", Policies="[]", Tier="Advanced")


def test_tags(ssm, path):
    put(ssm, path, "v", Tags=[{"Key": "a", "Value": "1"}])
    ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=path,
                             Tags=[{"Key": "b", "Value": "2"}])
    ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId=path, TagKeys=["a"])
    assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=path)["TagList"] == [
        {"Key": "b", "Value": "2"}]
    with refused("InvalidResourceId", "The resource ID is not valid."):
        ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=path + "none")
    with refused("ValidationException", "tags and overwrite can't be used together"):
        put(ssm, path, "v", Overwrite=True, Tags=[{"Key": "a", "Value": "1"}])


def test_the_cli_reads_a_value(tarn, path):
    tarn.aws("ssm", "put-parameter", "--name", path, "--value", "v", "--type", "SecureString")
    got = tarn.aws("ssm", "get-parameter", "--name", path, "--with-decryption", "--query",
                   "Parameter.Value", "--output", "text")
    assert got.stdout.strip() == "v"


def test_a_user_reads_only_its_own(tarn, ssm, path, unique):
    import json
    iam, name = tarn.client("iam"), unique("user")
    put(ssm, f"{path}/mine", "v")
    put(ssm, f"{path}/theirs", "v")
    arn = ssm.get_parameter(Name=f"{path}/mine")["Parameter"]["ARN"]
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "ssm:GetParameter*", "Resource": arn}]}))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    own = tarn.client("ssm", access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    assert own.get_parameter(Name=f"{path}/mine")["Parameter"]["Value"] == "v"
    with refused("AccessDeniedException", "is not authorized to perform: ssm:GetParameter"):
        own.get_parameter(Name=f"{path}/theirs")
    with refused("AccessDeniedException"):
        own.get_parameters(Names=[f"{path}/mine", f"{path}/theirs"])


def test_parameters_survive_a_kill(fresh_tarn):
    ssm = fresh_tarn.client("ssm")
    put(ssm, "/kept", "one")
    put(ssm, "/kept", "hunter2", Overwrite=True, Type="SecureString")
    fresh_tarn.restart(kill=True)
    ssm = fresh_tarn.client("ssm")
    assert ssm.get_parameter(Name="/kept", WithDecryption=True)["Parameter"]["Value"] == "hunter2"
    assert ssm.get_parameter(Name="/kept:1")["Parameter"]["Value"] == "one"
