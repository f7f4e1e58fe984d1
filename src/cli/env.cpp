// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include <fmt/format.h>

#include "base/strings.hpp"
#include "cli/commands.hpp"
#include "cli/connection.hpp"

namespace tarn::cli {
namespace {

namespace fs = std::filesystem;

std::string shell_quoted(const std::string& text) {
  return "'" + replace_all(text, "'", "'\\''") + "'";
}

fs::path aws_file(const char* variable, const char* name) {
  if (const char* given = std::getenv(variable); given && *given) return given;
  const char* home = std::getenv("HOME");
  if (!home || !*home) throw std::runtime_error("HOME is not set: where do AWS profiles go?");
  return fs::path(home) / ".aws" / name;
}

// Replaces one [section] of an INI file, keeping everything else; written aside and renamed.
void replace_section(const fs::path& file, const std::string& section, const std::string& body) {
  fs::create_directories(file.parent_path());
  std::string kept;
  std::ifstream in(file);
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    const auto text = trim(line);
    if (text.starts_with("[")) inside = text == "[" + section + "]";
    if (!inside) kept += line + "\n";
  }
  if (!kept.empty() && !kept.ends_with("\n\n")) kept += "\n";
  const fs::path temporary = file.string() + ".tarn-new";
  {
    std::ofstream out(temporary, std::ios::trunc);
    ::chmod(temporary.c_str(), 0600);
    out << kept << "[" << section << "]\n" << body;
    if (!out.flush()) throw std::runtime_error(temporary.string() + " cannot be written");
  }
  fs::rename(temporary, file);
}

}  // namespace

int env(const DataDirectory& data, const std::string& profile) {
  const Connection c = find_connection(data.value_or(default_data_directory()));
  if (!profile.empty()) {
    const auto credentials = aws_file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
    const auto config = aws_file("AWS_CONFIG_FILE", "config");
    replace_section(credentials, profile,
                    fmt::format("aws_access_key_id = {}\naws_secret_access_key = {}\n",
                                c.access_key, c.secret_key));
    replace_section(config, profile == "default" ? profile : "profile " + profile,
                    fmt::format("region = {}\nendpoint_url = {}\n", c.region, c.endpoint));
    fmt::print(stderr, "profile {} written to {} and {}\n", profile, credentials.string(),
               config.string());
    return 0;
  }
  const std::pair<const char*, std::string> variables[] = {
      {"AWS_ENDPOINT_URL", c.endpoint},        {"AWS_REGION", c.region},
      {"AWS_DEFAULT_REGION", c.region},        {"AWS_ACCESS_KEY_ID", c.access_key},
      {"AWS_SECRET_ACCESS_KEY", c.secret_key}, {"PGHOST", c.pg_host},
      {"PGPORT", std::to_string(c.pg_port)},   {"PGUSER", c.pg_user},
      {"PGPASSWORD", c.pg_password},           {"PGDATABASE", c.pg_database}};
  for (const auto& [name, value] : variables) {
    fmt::print("export {}={}\n", name, shell_quoted(value));
  }
  fmt::print("unset AWS_SESSION_TOKEN AWS_PROFILE\n");
  return 0;
}

}  // namespace tarn::cli
