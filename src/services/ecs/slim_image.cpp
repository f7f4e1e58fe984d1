// SPDX-License-Identifier: Apache-2.0
#include "services/ecs/slim_image.hpp"

#include <fmt/format.h>

namespace tarn::ecs {
namespace {

constexpr int k_wrong_use = 64, k_bad_archive = 65, k_no_object = 66;
constexpr const char* k_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::optional<S3Uri> parse_s3(const std::string& uri) {
  if (!uri.starts_with("s3://")) return std::nullopt;
  const auto slash = uri.find('/', 5);
  if (slash == std::string::npos || slash == 5 || slash + 1 == uri.size()) return std::nullopt;
  return S3Uri{uri.substr(5, slash - 5), uri.substr(slash + 1)};
}

}  // namespace

bool is_slim_image(const std::string& image) {
  return image == "tarn/slim" || image.starts_with("tarn/slim:");
}

SlimPlan plan_slim(std::map<std::string, std::string> environment) {
  SlimPlan plan;
  const std::string script = environment["COMMAND"];
  if (script.empty()) {
    plan.failure = SlimFailure{k_wrong_use, "COMMAND is not set: nothing to run"};
    return plan;
  }
  for (const bool code : {true, false}) {
    const char* variable = code ? "CODE_ARCHIVE" : "VENV_ARCHIVE";
    const auto found = environment.find(variable);
    if (found == environment.end() || found->second.empty()) continue;
    const auto object = parse_s3(found->second);
    if (!object) {
      plan.failure = SlimFailure{
          k_wrong_use,
          fmt::format("{} is '{}', not an s3:// URI of an object", variable, found->second)};
      return plan;
    }
    plan.archives.push_back(
        {variable, found->second, code ? "/opt/code" : "/opt/venv", *object, code});
    if (code) continue;
    const std::string path = environment.contains("PATH") ? environment["PATH"] : k_path;
    environment["PATH"] = "/opt/venv/bin:" + path;
    environment["VIRTUAL_ENV"] = "/opt/venv";
    // The environment is mounted read-only.
    environment.try_emplace("PYTHONDONTWRITEBYTECODE", "1");
  }
  plan.command = {"/bin/sh", "-ec", script};
  plan.environment = std::move(environment);
  return plan;
}

SlimFailure cannot_fetch(const SlimArchive& archive, const std::string& problem) {
  return {k_no_object,
          fmt::format("{}: cannot fetch {}: {}", archive.variable, archive.uri, problem)};
}

SlimFailure cannot_unpack(const SlimArchive& archive, const std::string& problem) {
  return {k_bad_archive,
          fmt::format("{}: cannot unpack {}: {}", archive.variable, archive.uri, problem)};
}

}  // namespace tarn::ecs
