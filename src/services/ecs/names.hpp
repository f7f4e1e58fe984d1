// SPDX-License-Identifier: Apache-2.0
// How clusters, definitions and tasks are named: short names or ARNs. Pure functions.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "kernel/record.hpp"

namespace tarn::ecs {

std::string cluster_arn(const kernel::Scope& scope, const std::string& name);
std::string definition_arn(const kernel::Scope& scope, const std::string& family,
                           std::int64_t revision);
std::string task_arn(const kernel::Scope& scope, const std::string& cluster, const std::string& id);

// A name from a name or an ARN; "default" where none is given.
std::string cluster_name(const std::optional<std::string>& text);
// The id from an id or an ARN.
std::string task_id(const std::string& text);

struct DefinitionId {
  std::string family;
  std::optional<std::int64_t> revision;  // none: the newest active one
  static DefinitionId parse(const std::string& text);
};

}  // namespace tarn::ecs
