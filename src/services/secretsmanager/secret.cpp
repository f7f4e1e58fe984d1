// SPDX-License-Identifier: Apache-2.0
#include "services/secretsmanager/secret.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "aws/arn.hpp"
#include "aws/error.hpp"

namespace tarn::secretsmanager {
namespace {

constexpr std::size_t k_suffix = 6;
constexpr std::string_view k_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

}  // namespace

void check_name(const std::string& name) {
  const bool valid = std::ranges::all_of(name, [](char c) {
    return k_alphabet.find(c) != std::string_view::npos ||
           std::string_view("/_+=.@-!").find(c) != std::string_view::npos;
  });
  if (valid && !name.empty()) return;
  throw aws::validation_error(
      "Invalid name. Must be a valid name containing alphanumeric characters, or any of the "
      "following: -/_+=.@!");
}

std::string new_arn(std::string_view region, std::string_view account, const std::string& name,
                    Random& random) {
  return fmt::format("arn:aws:secretsmanager:{}:{}:secret:{}-{}", region, account, name,
                     random.text(k_suffix, k_alphabet));
}

SecretReference SecretReference::parse(const std::string& id) {
  SecretReference reference;
  if (!id.starts_with("arn:")) {
    reference.candidates.push_back({id, {}});
    return reference;
  }
  const auto arn = aws::Arn::parse(id);
  constexpr std::string_view k_kind = "secret:";
  if (!arn || arn->service != "secretsmanager" || !arn->resource.starts_with(k_kind)) {
    return reference;
  }
  reference.account = arn->account;
  reference.region = arn->region;
  const std::string name = arn->resource.substr(k_kind.size());
  const auto dash = name.rfind('-');
  if (dash != std::string::npos && name.size() - dash - 1 == k_suffix) {
    reference.candidates.push_back({name.substr(0, dash), id});
  }
  reference.candidates.push_back({name, {}});
  return reference;
}

const VersionInfo* find_version(const SecretRecord& secret, std::string_view id) {
  const auto found = std::ranges::find(secret.versions, id, &VersionInfo::id);
  return found == secret.versions.end() ? nullptr : &*found;
}

std::vector<std::string> stages_of(const SecretRecord& secret, std::string_view version) {
  std::vector<std::string> stages;
  for (const auto& [stage, id] : secret.stages) {
    if (id == version) stages.push_back(stage);
  }
  return stages;
}

void move_stage(SecretRecord& secret, const std::string& stage, const std::string& version) {
  if (stage == k_current) {
    const auto current = secret.stages.find(stage);
    if (current != secret.stages.end() && current->second != version) {
      secret.stages[std::string(k_previous)] = current->second;
    }
  }
  secret.stages[stage] = version;
}

std::vector<std::string> drop_deprecated(SecretRecord& secret) {
  std::vector<std::string> dropped;
  for (auto version = secret.versions.begin();
       version != secret.versions.end() && secret.versions.size() > k_versions_max;) {
    if (stages_of(secret, version->id).empty()) {
      dropped.push_back(version->id);
      version = secret.versions.erase(version);
    } else {
      ++version;
    }
  }
  return dropped;
}

Timestamp day_of(Timestamp time) { return std::chrono::floor<std::chrono::days>(time); }

}  // namespace tarn::secretsmanager
