// SPDX-License-Identifier: Apache-2.0
// The durable records of ECS. A field is added at the end, under f.since(version). What is only
// given back as it was given is kept as the API's JSON.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "kernel/record.hpp"

namespace tarn::ecs {

struct ClusterRecord {
  static constexpr kernel::RecordKind k_kind{"ecs", "cluster", 1};
  std::string name;
  std::map<std::string, std::string> tags;
  Json settings, configuration, default_strategy;  // as in the API; null where not given
  std::vector<std::string> capacity_providers;
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) {
    f(name, tags, settings, configuration, default_strategy, capacity_providers);
  }
};

struct TaskDefinitionRecord {
  static constexpr kernel::RecordKind k_kind{"ecs", "task-definition", 1};
  std::string family;
  std::int64_t revision = 0;
  std::string status = "ACTIVE";
  Json definition;  // the API's TaskDefinition
  std::map<std::string, std::string> tags;
  auto key() const { return kernel::Key(family, revision); }
  void fields(auto& f) { f(family, revision, status, definition, tags); }
};

// The last revision given out; revisions are not used again.
struct FamilyRecord {
  static constexpr kernel::RecordKind k_kind{"ecs", "family", 1};
  std::string family;
  std::int64_t last = 0;
  auto key() const { return kernel::Key(family); }
  void fields(auto& f) { f(family, last); }
};

struct TaskRecord {
  static constexpr kernel::RecordKind k_kind{"ecs", "task", 1};
  std::string cluster, id;
  std::string definition_arn, family;
  std::string last_status = "PROVISIONING", desired_status = "RUNNING";
  Timestamp created{};
  std::optional<Timestamp> started, stopping, stopped, execution_stopped;
  std::string stop_code, stopped_reason;
  Json overrides, network;  // as in the API
  std::map<std::string, std::string> tags;
  std::string started_by, group, launch_type, capacity_provider, cpu, memory;
  std::string container, image, container_reason, container_status = "PENDING";
  std::optional<std::int32_t> exit_code;
  std::int64_t version = 1;  // of the state; counted up with each change
  bool execute_command = false;
  double cpu_seconds = 0;
  std::int64_t memory_peak_bytes = 0;
  auto key() const { return kernel::Key(cluster, id); }
  void fields(auto& f) {
    f(cluster, id, definition_arn, family, last_status, desired_status, created, started, stopping,
      stopped, execution_stopped, stop_code, stopped_reason, overrides, network, tags, started_by,
      group, launch_type, capacity_provider, cpu, memory, container, image, container_reason,
      container_status, exit_code, version, execute_command, cpu_seconds, memory_peak_bytes);
  }
};

// What a client token of RunTask has started.
struct TokenRecord {
  static constexpr kernel::RecordKind k_kind{"ecs", "token", 1};
  std::string token, cluster, request;  // `request`: what was asked for, to refuse another
  std::vector<std::string> tasks;
  Timestamp used{};
  auto key() const { return kernel::Key(cluster, token); }
  void fields(auto& f) { f(token, cluster, request, tasks, used); }
};

}  // namespace tarn::ecs
