// SPDX-License-Identifier: Apache-2.0
// Wait conditions: a stack stands still until enough signals have come by PUT to a handle's URL.
//
// The URL's last part is a secret, as the signature of AWS's presigned URL is. A signal is a record
// before its PUT is acknowledged, so it counts whenever it comes: before the condition begins to
// wait, or while the process that waits is down. Thread-safe.
#pragma once
#include <string>

#include "kernel/record.hpp"
#include "platform/resource_type.hpp"
#include "platform/service.hpp"

namespace tarn::cloudformation {

inline constexpr const char* k_signal_path = "/_tarn/cloudformation/signal/";

// All three belong to no account, because the token alone says whose they are.
struct WaitHandleRecord {
  static constexpr kernel::RecordKind k_kind{"cloudformation", "wait-handle", 1};
  std::string token;
  Timestamp created{};
  auto key() const { return kernel::Key(token); }
  void fields(auto& f) { f(token, created); }
};

struct WaitSignalRecord {
  static constexpr kernel::RecordKind k_kind{"cloudformation", "wait-signal", 1};
  std::string token, unique_id, status, data, reason;
  Timestamp received{};
  auto key() const { return kernel::Key(token, unique_id); }
  void fields(auto& f) { f(token, unique_id, status, data, reason, received); }
};

// What a condition was made with: an update is refused, but one back to the same is none.
struct WaitConditionRecord {
  static constexpr kernel::RecordKind k_kind{"cloudformation", "wait-condition", 1};
  std::string id, properties;
  auto key() const { return kernel::Key(id); }
  void fields(auto& f) { f(id, properties); }
};

void add_wait_types(platform::ResourceTypes& types, platform::Environment& environment);
// Serves the PUTs, if there is an HTTP server.
void mount_wait_signals(platform::Environment& environment);

}  // namespace tarn::cloudformation
