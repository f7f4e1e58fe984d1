// SPDX-License-Identifier: Apache-2.0
// EventBridge's durable records, and what its bus topics carry.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "kernel/record.hpp"

namespace tarn::events {

inline constexpr const char* k_default_bus = "default";

// The default bus exists without a record; it gets one when something is set on it.
struct BusRecord {
  static constexpr kernel::RecordKind k_kind{"events", "bus", 1};
  std::string name, description, policy, kms_key, dead_letter_arn;
  std::map<std::string, std::string> tags;
  Timestamp created{}, modified{};
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) {
    f(name, description, policy, kms_key, dead_letter_arn, tags, created, modified);
  }
};

struct TargetRecord {
  std::string id, arn;
  std::string json;  // the whole Target as the client gave it, SDK-shaped
  void fields(auto& f) { f(id, arn, json); }
};

struct RuleRecord {
  static constexpr kernel::RecordKind k_kind{"events", "rule", 1};
  std::string bus, name, pattern, schedule, state, description, role_arn;
  std::map<std::string, std::string> tags;
  std::vector<TargetRecord> targets;
  Timestamp created{};
  auto key() const { return kernel::Key(bus, name); }
  void fields(auto& f) {
    f(bus, name, pattern, schedule, state, description, role_arn, tags, targets, created);
  }
  bool enabled() const { return state != "DISABLED"; }
};

// Topic "events.delivery": one event for one target.
struct PendingDelivery {
  static constexpr kernel::RecordKind k_kind{"events", "delivery", 1};
  std::string account, region, bus, rule, rule_arn;
  std::string target;  // JSON, as it was when the event came
  std::string event;   // JSON
  Timestamp ingested{};
  int hops = 0;  // from bus to bus
  auto key() const { return kernel::Key(); }
  void fields(auto& f) { f(account, region, bus, rule, rule_arn, target, event, ingested, hops); }
};

// Topic "events.scheduled": a rule whose time has come.
struct ScheduledRule {
  static constexpr kernel::RecordKind k_kind{"events", "scheduled-rule", 1};
  std::string account, region, bus, rule;
  auto key() const { return kernel::Key(); }
  void fields(auto& f) { f(account, region, bus, rule); }
};

}  // namespace tarn::events
