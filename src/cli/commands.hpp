// SPDX-License-Identifier: Apache-2.0
// The client commands of `tarn`: ordinary clients of the same APIs that everybody uses. Each
// returns the process's exit code and throws std::exception with a message for the user.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

namespace tarn::cli {

using DataDirectory = std::optional<std::filesystem::path>;

// `tarn env`: exports for a shell; or, with a profile, into ~/.aws/{config,credentials}.
int env(const DataDirectory& data, const std::string& profile);

struct DeployOptions {
  std::string template_file, stack;
  std::string parameters_file;  // {"Key": "value"} or AWS's list of ParameterKey/ParameterValue
};
// Creates or updates the stack by a change set and shows its events as they come.
int deploy(const DataDirectory& data, const DeployOptions& options);

struct RunOptions {
  std::string state_machine;  // name or ARN
  std::string input = "{}";   // JSON, or @file
};
// Starts an execution and shows its states until it ends.
int run(const DataDirectory& data, const RunOptions& options);

struct SqlOptions {
  std::string query, database, cluster = "dev", format = "table";  // csv | json | table
};
int sql(const DataDirectory& data, const SqlOptions& options);

struct LogsOptions {
  std::string group;
  bool follow = false;
  std::string since = "1h";
};
int logs(const DataDirectory& data, const LogsOptions& options);

}  // namespace tarn::cli
