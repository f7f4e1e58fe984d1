// SPDX-License-Identifier: Apache-2.0
// How a command finds a server: the environment's AWS_ENDPOINT_URL and keys, or what a running
// server wrote into its data directory (connection.json, mode 0600).
#pragma once
#include <filesystem>
#include <optional>
#include <string>

namespace tarn::cli {

struct Connection {
  std::string endpoint, region, access_key, secret_key, session_token;
  std::string pg_host, pg_user, pg_password, pg_database;
  int pg_port = 0;
  int process = 0;  // the server's process id; 0 when taken from the environment
};

// TARN_DATA, or ~/.local/share/tarn.
std::filesystem::path default_data_directory();

void write_connection(const std::filesystem::path& data_directory, const Connection& connection);
std::optional<Connection> read_connection(const std::filesystem::path& data_directory);

// What clients use: `data` if given, else the environment, else the default directory. Throws
// std::runtime_error that says how to start a server.
Connection find_connection(const std::optional<std::filesystem::path>& data);

}  // namespace tarn::cli
