// SPDX-License-Identifier: Apache-2.0
// The command `tarn`.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <functional>

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/connection.hpp"
#include "server/doctor.hpp"
#include "server/ops.hpp"
#include "server/up.hpp"

namespace {

using Action = std::function<int()>;

struct Arguments {
  std::string data;
  tarn::server::Options up;
  std::string profile;
  tarn::cli::DeployOptions deploy;
  tarn::cli::RunOptions run;
  tarn::cli::SqlOptions sql;
  tarn::cli::LogsOptions logs;
  bool json = false;

  tarn::cli::DataDirectory data_directory() const {
    if (data.empty()) return std::nullopt;
    return std::filesystem::absolute(data);
  }
};

void add_data(CLI::App& command, Arguments& arguments) {
  command.add_option("--data", arguments.data,
                     "Data directory (default: $TARN_DATA or ~/.local/share/tarn)");
}

void add_server(CLI::App& app, Arguments& a, Action& action) {
  auto& up = *app.add_subcommand("up", "Serve the AWS APIs and the warehouses until stopped");
  add_data(up, a);
  up.add_option("--host", a.up.host, "Address to listen on")->capture_default_str();
  up.add_option("--port", a.up.port, "Port of the AWS APIs; 0: any free one")
      ->capture_default_str();
  up.add_option("--pg-port", a.up.pg_port, "Port of the default warehouse; 0: any free one")
      ->capture_default_str();
  up.add_option("--region", a.up.region, "Default region")->capture_default_str();
  up.add_flag("--allow-egress", a.up.allow_egress,
              "Let tasks that ask for it use this machine's network");
  up.add_flag("--verbose", a.up.verbose, "Log more");
  up.callback([&a, &action] {
    action = [&a] {
      a.up.data_directory = a.data_directory().value_or(tarn::cli::default_data_directory());
      return tarn::server::up(a.up);
    };
  });

  auto& ops = *app.add_subcommand("ops", "List the implemented operations");
  ops.add_flag("--json", a.json, "As JSON");
  ops.callback([&a, &action] { action = [&a] { return tarn::server::print_operations(a.json); }; });

  auto& doctor = *app.add_subcommand("doctor", "Say what this machine allows");
  doctor.callback([&action] { action = [] { return tarn::server::doctor(); }; });
}

void add_clients(CLI::App& app, Arguments& a, Action& action) {
  auto& env = *app.add_subcommand("env", "Print the exports that point clients at the server");
  add_data(env, a);
  env.add_option("--profile", a.profile, "Write an AWS profile of this name instead");
  env.callback(
      [&a, &action] { action = [&a] { return tarn::cli::env(a.data_directory(), a.profile); }; });

  auto& deploy = *app.add_subcommand("deploy", "Create or update a stack and show its events");
  add_data(deploy, a);
  deploy.add_option("template", a.deploy.template_file, "Template (YAML or JSON)")->required();
  deploy.add_option("--stack", a.deploy.stack, "Name of the stack")->required();
  deploy.add_option("--parameters", a.deploy.parameters_file, "JSON file of parameters");
  deploy.callback(
      [&a, &action] { action = [&a] { return tarn::cli::deploy(a.data_directory(), a.deploy); }; });

  auto& run = *app.add_subcommand("run", "Start an execution and follow it to its end");
  add_data(run, a);
  run.add_option("state-machine", a.run.state_machine, "Name or ARN")->required();
  run.add_option("--input", a.run.input, "JSON, or @FILE")->capture_default_str();
  run.callback(
      [&a, &action] { action = [&a] { return tarn::cli::run(a.data_directory(), a.run); }; });

  auto& sql = *app.add_subcommand("sql", "Run SQL in a warehouse");
  add_data(sql, a);
  sql.add_option("query", a.sql.query, "The statement")->required();
  sql.add_option("-d,--database", a.sql.database, "Database (default: dev)");
  sql.add_option("-c,--cluster", a.sql.cluster, "Cluster")->capture_default_str();
  sql.add_option("-f,--format", a.sql.format, "Form of the result")
      ->check(CLI::IsMember({"csv", "json", "table"}))
      ->capture_default_str();
  sql.callback(
      [&a, &action] { action = [&a] { return tarn::cli::sql(a.data_directory(), a.sql); }; });

  auto& logs = *app.add_subcommand("logs", "Show a log group");
  add_data(logs, a);
  logs.add_option("group", a.logs.group, "Name of the log group")->required();
  logs.add_flag("-f,--follow", a.logs.follow, "Go on with new events");
  logs.add_option("--since", a.logs.since, "How far back: 90s, 10m, 2h, 1d")->capture_default_str();
  logs.callback(
      [&a, &action] { action = [&a] { return tarn::cli::logs(a.data_directory(), a.logs); }; });
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Tarn: the data and analytics half of AWS on one machine", "tarn");
  app.require_subcommand(1);
  app.set_version_flag("--version", "tarn 0.1.0");
  Arguments arguments;
  Action action;
  add_server(app, arguments, action);
  add_clients(app, arguments, action);
  CLI11_PARSE(app, argc, argv);
  try {
    return action();
  } catch (const std::exception& error) {
    fmt::print(stderr, "tarn: {}\n", error.what());
    return 1;
  }
}
