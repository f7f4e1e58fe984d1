# SPDX-License-Identifier: Apache-2.0
"""Builds and deploys the portfolio platform with the aws CLI, to AWS or, with what `tarn env`
exports, to Tarn:

    python deploy.py --stack portfolio-dev --parameters parameters/dev.json

Doing it again uploads and changes only what differs. It prints the stack's outputs.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import build  # noqa: E402  (beside this file)


class AwsFailed(Exception):
    pass


class Aws:
    """The aws CLI; arguments as one would type them, answers as parsed JSON."""

    def __init__(self, env=None, say=None):
        self._env = dict(env or os.environ) | {"AWS_PAGER": "", "AWS_DEFAULT_OUTPUT": "json"}
        self._say = say or (lambda text: None)

    def run(self, *arguments, check=True):
        # Version 1 of the aws CLI sends SQS to a public address of its own unless the endpoint is
        # an option: it does not look at AWS_ENDPOINT_URL there.
        endpoint = self._env.get("AWS_ENDPOINT_URL")
        options = ["--endpoint-url", endpoint] if endpoint else []
        result = subprocess.run(
            ["aws", *options, *map(str, arguments)], env=self._env, capture_output=True, text=True
        )
        if check and result.returncode:
            text = (result.stderr or result.stdout).strip()
            raise AwsFailed(f"aws {' '.join(map(str, arguments[:2]))}: {text}")
        return result

    def json(self, *arguments):
        return json.loads(self.run(*arguments).stdout or "null")

    def say(self, text):
        self._say(text)


def outputs(aws, stack):
    (found,) = aws.json("cloudformation", "describe-stacks", "--stack-name", stack)["Stacks"]
    return {o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", [])}


def read_parameters(file):
    entries = json.loads(pathlib.Path(file).read_text())
    return {entry["ParameterKey"]: entry["ParameterValue"] for entry in entries}


def deploy_stack(aws, stack, template, parameters):
    overrides = [f"{key}={value}" for key, value in parameters.items()]
    aws.run(
        *("cloudformation", "deploy", "--stack-name", stack, "--template-file", template),
        *("--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset"),
        *(["--parameter-overrides", *overrides] if overrides else []),
    )
    return outputs(aws, stack)


def upload(aws, bucket, out):
    """Uploads the artefacts that the bucket lacks; returns the template's parameters for them."""
    present = aws.json("s3api", "list-objects-v2", "--bucket", bucket) or {}
    keys = {entry["Key"] for entry in present.get("Contents", [])}
    parameters = {"CodeBucket": bucket}
    for parameter, (file, key) in build.artefacts(out).items():
        parameters[parameter] = key
        if key not in keys:
            aws.say(f"{file.name} ({file.stat().st_size / 1e6:.1f} MB) to s3://{bucket}/{key}")
            aws.run("s3", "cp", "--only-show-errors", file, f"s3://{bucket}/{key}")
    return parameters


def deploy(aws, stack, parameters, out, template=HERE / "template.yaml"):
    """Both stacks, the artefacts, and the file of prices. Returns the outputs."""
    aws.say(f"stack {stack}-code")
    code = deploy_stack(aws, f"{stack}-code", HERE / "bootstrap.yaml", {})
    parameters = parameters | upload(aws, code["CodeBucket"], out)
    aws.say(f"stack {stack}")
    result = deploy_stack(aws, stack, template, parameters)
    prices = f"s3://{result['LandingBucket']}/prices/stocks.csv"
    aws.run("s3", "cp", "--only-show-errors", out / "stocks.csv", prices)
    return result | code


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--stack", default="portfolio-dev")
    parser.add_argument("--parameters", default=HERE / "parameters/dev.json")
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "dist")
    args = parser.parse_args()
    aws = Aws(say=print)
    print("building")
    build.build(args.out)
    try:
        result = deploy(aws, args.stack, read_parameters(args.parameters), args.out)
    except AwsFailed as failure:
        sys.exit(f"deploy: {failure}")
    for key, value in sorted(result.items()):
        print(f"{key:20} {value}")


if __name__ == "__main__":
    main()
