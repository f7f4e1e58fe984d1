// SPDX-License-Identifier: Apache-2.0
#include "services/ecs/names.hpp"

#include <fmt/format.h>

#include "aws/ecs/errors.hpp"
#include "base/strings.hpp"

namespace tarn::ecs {

std::string cluster_arn(const kernel::Scope& scope, const std::string& name) {
  return fmt::format("arn:aws:ecs:{}:{}:cluster/{}", scope.region, scope.account, name);
}

std::string definition_arn(const kernel::Scope& scope, const std::string& family,
                           std::int64_t revision) {
  return fmt::format("arn:aws:ecs:{}:{}:task-definition/{}:{}", scope.region, scope.account, family,
                     revision);
}

std::string task_arn(const kernel::Scope& scope, const std::string& cluster,
                     const std::string& id) {
  return fmt::format("arn:aws:ecs:{}:{}:task/{}/{}", scope.region, scope.account, cluster, id);
}

std::string cluster_name(const std::optional<std::string>& text) {
  if (!text || text->empty()) return "default";
  const auto slash = text->rfind('/');
  return slash == std::string::npos ? *text : text->substr(slash + 1);
}

std::string task_id(const std::string& text) {
  const auto slash = text.rfind('/');
  return slash == std::string::npos ? text : text.substr(slash + 1);
}

DefinitionId DefinitionId::parse(const std::string& text) {
  const auto slash = text.rfind('/');
  const std::string name = slash == std::string::npos ? text : text.substr(slash + 1);
  const auto colon = name.find(':');
  if (colon == std::string::npos) return {name, std::nullopt};
  const auto revision = parse_int(name.substr(colon + 1));
  if (!revision) {
    throw ClientException(
        fmt::format("Invalid revision number. Number: {}", name.substr(colon + 1)));
  }
  return {name.substr(0, colon), *revision};
}

}  // namespace tarn::ecs
