# SPDX-License-Identifier: Apache-2.0
"""Real templates that others wrote: each is accepted, or refused naming exactly what Tarn lacks."""

from __future__ import annotations

import json
import pathlib
import re

import botocore.exceptions
import pytest

FOLDERS = ("templates", "data-platform")
# What may be missing: types, transforms, properties, exports of stacks that are not there.
LACKS = re.compile(
    r"Template format error: Unrecognized resource types: \[(?P<types>[\w:, ]+)\]$"
    r"|No transform named AWS::Serverless-2016-10-31 found\.$"
    r"|Template validation error: Encountered unsupported property [\w.]+ in resource \w+ of type "
    r"AWS::\w+::\w+$")


def given(definition: dict) -> str:
    if definition.get("AllowedValues"):
        return definition["AllowedValues"][0]
    return "1" if definition["ParameterType"] == "Number" else "value||1"


def templates(root: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for folder in FOLDERS for path in (root / folder).iterdir()
                  if path.suffix in (".yaml", ".json", ".template"))


def refusal(cfn, name: str, text: str, parameters: list[dict]) -> str:
    try:
        cfn.create_change_set(StackName=name, ChangeSetName="try", ChangeSetType="CREATE",
                              TemplateURL=text, Parameters=parameters, Capabilities=[
                                  "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"])
        return ""
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Message"]


def test_real_templates_are_accepted_or_what_they_need_is_named(tarn, unique, shared_materials):
    cfn, s3 = tarn.client("cloudformation"), tarn.client("s3")
    bucket = unique("templates")
    s3.create_bucket(Bucket=bucket)
    known = set()
    for path in templates(shared_materials("conformance/cloudformation")):
        text = path.read_text()
        s3.put_object(Bucket=bucket, Key=path.name, Body=text.encode())
        url = f"{tarn.endpoint}/{bucket}/{path.name}"
        try:
            summary = cfn.get_template_summary(TemplateURL=url)
        except botocore.exceptions.ClientError as error:
            assert LACKS.search(error.response["Error"]["Message"]), path
            continue
        parameters = []
        for definition in summary["Parameters"]:
            if "DefaultValue" not in definition:
                constraints = definition.get("ParameterConstraints", {})
                parameters.append({"ParameterKey": definition["ParameterKey"],
                                   "ParameterValue": given(definition | constraints)})
        message = refusal(cfn, unique("real"), url, parameters)
        if message.startswith("Parameter '"):
            continue  # its made-up value is refused; not this test's matter
        assert not message or LACKS.search(message), f"{path.name}: {message}"
        if found := LACKS.search(message):
            types = set((found["types"] or "").split(", ")) - {""}
            assert types <= set(summary["ResourceTypes"]), path
            assert not types & known, f"{path.name}: {types & known} exist elsewhere"
        else:
            known |= set(summary["ResourceTypes"])
    assert known, "no real template was accepted"


def test_every_type_of_the_example_exists(tarn, unique):
    example = pathlib.Path(__file__).parents[2] / "examples/portfolio/template.yaml"
    cfn = tarn.client("cloudformation")
    body = example.read_text()
    summary = cfn.get_template_summary(TemplateBody=body)
    parameters = [{"ParameterKey": one["ParameterKey"], "ParameterValue": given(
        one | one.get("ParameterConstraints", {}))}
        for one in summary["Parameters"] if "DefaultValue" not in one]
    made = cfn.create_change_set(
        StackName=unique("example"), ChangeSetName="look", ChangeSetType="CREATE",
        TemplateBody=body, Parameters=parameters, Capabilities=["CAPABILITY_IAM"])
    told = cfn.describe_change_set(ChangeSetName=made["Id"])
    assert {c["ResourceChange"]["Action"] for c in told["Changes"]} == {"Add"}
    types = {c["ResourceChange"]["ResourceType"] for c in told["Changes"]}
    assert types == set(summary["ResourceTypes"]), json.dumps(sorted(types))
