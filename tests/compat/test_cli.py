# SPDX-License-Identifier: Apache-2.0
"""The command's own subcommands, each as a user types it."""
import configparser
import json
import resource
import signal
import subprocess
import time

import pytest

from support.server import binary


def test_help_names_every_command():
    text = subprocess.run([binary(), "--help"], capture_output=True, text=True, check=True).stdout
    for command in ("up", "env", "deploy", "run", "sql", "logs", "ops", "doctor"):
        assert command in text
        one = subprocess.run([binary(), command, "--help"], capture_output=True, text=True)
        assert one.returncode == 0 and "--help" in one.stdout


def test_ops_lists_operations_and_resource_types_without_a_server():
    listed = json.loads(subprocess.run([binary(), "ops", "--json"], capture_output=True, text=True,
                                       check=True).stdout)
    names = {(row["service"], row["operation"]) for row in listed["operations"]}
    assert ("s3", "PutObject") in names and ("sts", "AssumeRole") in names
    assert "AWS::S3::Bucket" in listed["resourceTypes"]
    text = subprocess.run([binary(), "ops"], capture_output=True, text=True, check=True).stdout
    assert f"{len(names)} operations" in text


def test_env_prints_what_a_shell_needs(tarn):
    script = f'eval "$({binary()} env --data {tarn.data})"; env'
    printed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    variables = dict(line.split("=", 1) for line in printed.stdout.splitlines() if "=" in line)
    assert variables["AWS_ENDPOINT_URL"] == tarn.endpoint
    assert variables["PGDATABASE"] == "dev" and variables["PGPORT"] == str(tarn.env["PGPORT"])


def test_env_writes_a_profile_and_keeps_the_others(tarn, tmp_path):
    files = {"AWS_CONFIG_FILE": str(tmp_path / "config"),
             "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    (tmp_path / "config").write_text("[profile other]\nregion = eu-west-1\n")
    environment = tarn.client_environment(**files)
    for _ in range(2):  # a second time replaces it
        subprocess.run([binary(), "env", "--data", str(tarn.data), "--profile", "tarn"],
                       env=environment, check=True, capture_output=True)
    config = configparser.ConfigParser()
    config.read(tmp_path / "config")
    assert config["profile other"]["region"] == "eu-west-1"
    assert config["profile tarn"]["endpoint_url"] == tarn.endpoint
    credentials = configparser.ConfigParser()
    credentials.read(tmp_path / "credentials")
    assert credentials["tarn"]["aws_access_key_id"] == tarn.access_key
    assert (tmp_path / "credentials").stat().st_mode & 0o077 == 0


def test_commands_without_a_server_say_how_to_start_one(tmp_path):
    result = subprocess.run([binary(), "sql", "--data", str(tmp_path), "select 1"],
                            capture_output=True, text=True)
    assert result.returncode == 1 and "tarn up" in result.stderr


@pytest.mark.parametrize("form, expected", [
    ("csv", "a,b\n1,x\n"),
    ("json", None),
    ("table", None),
])
def test_sql_prints_rows(tarn, form, expected):
    out = tarn.tarn("sql", "--data", str(tarn.data), "-f", form,
                    "select 1 as a, cast('x' as varchar(5)) as b").stdout
    if expected:
        assert out == expected
    elif form == "json":
        assert json.loads(out) == [{"a": 1, "b": "x"}]
    else:
        assert "(1 row)" in out


def test_sql_errors_are_the_warehouses(tarn):
    result = tarn.tarn("sql", "--data", str(tarn.data), "select * from no_such_table", check=False)
    assert result.returncode == 1 and "no_such_table" in result.stderr


def test_run_follows_an_execution(tarn, unique):
    name = unique("machine")
    role = tarn.client("iam").create_role(
        RoleName=unique("role"), AssumeRolePolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"},
                 "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
    states = {"Wait": {"Type": "Wait", "Seconds": 1, "Next": "Done"}, "Done": {"Type": "Succeed"}}
    tarn.client("stepfunctions").create_state_machine(
        name=name, roleArn=role, definition=json.dumps({"StartAt": "Wait", "States": states}))
    out = tarn.tarn("run", "--data", str(tarn.data), name, "--input", '{"a": 1}').stdout
    assert "Wait" in out and "Done" in out and "SUCCEEDED" in out and '"a"' in out


def test_deploy_shows_events_and_outputs(tarn, unique, tmp_path):
    template = tmp_path / "template.json"
    template.write_text(json.dumps({
        "Parameters": {"Suffix": {"Type": "String"}},
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue",
                                "Properties": {"QueueName": {"Fn::Sub": "q-${Suffix}"}}}},
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}}}}))
    parameters = tmp_path / "parameters.json"
    parameters.write_text(json.dumps({"Suffix": unique()}))
    stack = unique("stack")
    command = ["deploy", "--data", str(tarn.data), str(template), "--stack", stack,
               "--parameters", str(parameters)]
    out = tarn.tarn(*command).stdout
    assert "CREATE_COMPLETE" in out and "Arn = arn:aws:sqs:" in out
    assert "up to date" in tarn.tarn(*command).stdout


def test_logs_prints_events(tarn, unique):
    logs = tarn.client("logs")
    group = unique("/group")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    import time
    now = int(time.time() * 1000)
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[
        {"timestamp": now + i, "message": f"line {i}"} for i in range(3)])
    out = tarn.tarn("logs", "--data", str(tarn.data), group).stdout.splitlines()
    assert [line.rsplit(" ", 2)[-2:] for line in out] == [["line", str(i)] for i in range(3)]


def test_doctor_says_what_the_machine_allows():
    result = subprocess.run([binary(), "doctor"], capture_output=True, text=True)
    assert "bubblewrap" in result.stdout
    assert result.returncode in (0, 1)
    assert (result.returncode == 1) == ("MISSING" in result.stdout)


def test_ctrl_c_cancels_the_statement(tarn):
    data = tarn.client("redshift-data")
    sql = ("select count(*) from generate_series(1, 100000) a, generate_series(1, 1000000) b "
           "where a.generate_series % 7 = b.generate_series % 5")

    def statuses():
        listed = data.list_statements(Status="ALL")["Statements"]
        return [s["Status"] for s in listed if s.get("QueryString") == sql]

    command = subprocess.Popen([binary(), "sql", "--data", str(tarn.data), sql],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 20
    while statuses() != ["STARTED"]:
        assert time.monotonic() < end
        time.sleep(0.02)
    command.send_signal(signal.SIGINT)
    _, errors = command.communicate(timeout=20)
    assert command.returncode == 130 and "cancelled" in errors
    assert statuses() == ["ABORTED"]


def test_up_opens_as_many_files_as_it_may(start_tarn):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
    try:
        tarn = start_tarn()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert resource.prlimit(tarn.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
