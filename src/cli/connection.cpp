// SPDX-License-Identifier: Apache-2.0
#include "cli/connection.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "base/json.hpp"

namespace tarn::cli {
namespace {

std::string environment(const char* name, const char* fallback = "") {
  const char* value = std::getenv(name);
  return value && *value ? value : fallback;
}

std::filesystem::path connection_file(const std::filesystem::path& data_directory) {
  return data_directory / "connection.json";
}

}  // namespace

std::filesystem::path default_data_directory() {
  const std::string given = environment("TARN_DATA");
  if (!given.empty()) return given;
  return std::filesystem::path(environment("HOME", "/root")) / ".local/share/tarn";
}

void write_connection(const std::filesystem::path& data_directory, const Connection& c) {
  const JsonObject json{{"endpoint", c.endpoint},      {"region", c.region},
                        {"accessKeyId", c.access_key}, {"secretAccessKey", c.secret_key},
                        {"pgHost", c.pg_host},         {"pgPort", c.pg_port},
                        {"pgUser", c.pg_user},         {"pgPassword", c.pg_password},
                        {"pgDatabase", c.pg_database}, {"process", static_cast<int>(getpid())}};
  const std::string text = dump_json_pretty(json) + "\n";
  const auto file = connection_file(data_directory).string();
  const auto temporary = file + ".new";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == ssize_t(text.size());
  if (fd >= 0) ::close(fd);
  if (!written || ::rename(temporary.c_str(), file.c_str()) != 0) {
    throw std::runtime_error(fmt::format("{} cannot be written", file));
  }
}

std::optional<Connection> read_connection(const std::filesystem::path& data_directory) {
  std::ifstream in(connection_file(data_directory));
  if (!in) return std::nullopt;
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const Json json = parse_json(text);
  Connection c;
  c.endpoint = string_or(json, "endpoint");
  c.region = string_or(json, "region");
  c.access_key = string_or(json, "accessKeyId");
  c.secret_key = string_or(json, "secretAccessKey");
  c.pg_host = string_or(json, "pgHost");
  c.pg_user = string_or(json, "pgUser");
  c.pg_password = string_or(json, "pgPassword");
  c.pg_database = string_or(json, "pgDatabase");
  if (const Json* port = find_member(json, "pgPort")) c.pg_port = port->to_number<int>();
  if (const Json* process = find_member(json, "process")) c.process = process->to_number<int>();
  return c;
}

Connection find_connection(const std::optional<std::filesystem::path>& data) {
  if (!data) {
    Connection c;
    c.endpoint = environment("AWS_ENDPOINT_URL");
    c.access_key = environment("AWS_ACCESS_KEY_ID");
    c.secret_key = environment("AWS_SECRET_ACCESS_KEY");
    c.session_token = environment("AWS_SESSION_TOKEN");
    c.region = environment("AWS_REGION", environment("AWS_DEFAULT_REGION", "us-east-1").c_str());
    if (!c.endpoint.empty() && !c.access_key.empty()) return c;
  }
  const auto directory = data.value_or(default_data_directory());
  auto connection = read_connection(directory);
  if (!connection) {
    throw std::runtime_error(
        fmt::format("no server has run on {}: start one with `tarn up --data {}`, or set "
                    "AWS_ENDPOINT_URL and the keys",
                    directory.string(), directory.string()));
  }
  if (connection->process > 0 && ::kill(connection->process, 0) != 0 && errno == ESRCH) {
    throw std::runtime_error(fmt::format("the server on {} is not running: `tarn up --data {}`",
                                         directory.string(), directory.string()));
  }
  return *std::move(connection);
}

}  // namespace tarn::cli
