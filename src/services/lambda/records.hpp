// SPDX-License-Identifier: Apache-2.0
// The durable records of Lambda. A field is added at the end, under f.since(version).
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"
#include "kernel/record.hpp"

namespace tarn::lambda {

inline constexpr const char* k_latest = "$LATEST";

// One version of a function; what the caller may change is at $LATEST.
struct FunctionRecord {
  static constexpr kernel::RecordKind k_kind{"lambda", "function", 1};
  std::string name, version = k_latest;
  std::string description, runtime, handler, role;
  std::int32_t timeout_s = 3, memory_mb = 128, ephemeral_mb = 512;
  std::map<std::string, std::string> variables;
  std::vector<std::string> layers;  // ARNs of layer versions, in order
  std::string code_digest;          // SHA-256, lower hex
  std::int64_t code_bytes = 0;
  Timestamp modified{};
  std::string revision, dead_letter_arn, kms_key, tracing_mode = "PassThrough";
  std::vector<std::string> architectures{"x86_64"};
  std::string log_group;
  Json vpc;                                          // as given; recorded only
  std::map<std::string, std::string> tags;           // of $LATEST
  std::optional<std::int32_t> reserved_concurrency;  // of $LATEST
  std::string client_token;                          // of the CloudFormation step that made it
  auto key() const { return kernel::Key(name, version); }
  void fields(auto& f) {
    f(name, version, description, runtime, handler, role, timeout_s, memory_mb, ephemeral_mb,
      variables, layers, code_digest, code_bytes, modified, revision, dead_letter_arn, kms_key,
      tracing_mode, architectures, log_group, vpc, tags, reserved_concurrency, client_token);
  }
};

struct AliasRecord {
  static constexpr kernel::RecordKind k_kind{"lambda", "alias", 1};
  std::string function, name, version, description, revision;
  auto key() const { return kernel::Key(function, name); }
  void fields(auto& f) { f(function, name, version, description, revision); }
};

// The resource policy of a function, a version or an alias.
struct PolicyRecord {
  static constexpr kernel::RecordKind k_kind{"lambda", "policy", 1};
  std::string function, qualifier;  // empty: the function itself
  std::vector<Json> statements;
  std::string revision;
  auto key() const { return kernel::Key(function, qualifier); }
  void fields(auto& f) { f(function, qualifier, statements, revision); }
};

// The last number that was given out; numbers are not used again.
struct CounterRecord {
  static constexpr kernel::RecordKind k_kind{"lambda", "counter", 1};
  std::string kind, name;  // "function", "layer"
  std::int64_t last = 0;
  auto key() const { return kernel::Key(kind, name); }
  void fields(auto& f) { f(kind, name, last); }
};

struct LayerRecord {
  static constexpr kernel::RecordKind k_kind{"lambda", "layer", 2};
  std::string name;
  std::int64_t version = 0;
  std::string description, license, code_digest;
  std::int64_t code_bytes = 0;
  std::vector<std::string> runtimes, architectures;
  Timestamp created{};
  bool deleted = false;  // functions that have it keep it; since version 2
  auto key() const { return kernel::Key(name, version); }
  void fields(auto& f) {
    f(name, version, description, license, code_digest, code_bytes, runtimes, architectures,
      created);
    if (f.since(2)) f(deleted);
  }
};

// How asynchronous invocations are retried, and who hears of their end.
struct EventInvokeRecord {
  static constexpr kernel::RecordKind k_kind{"lambda", "event-invoke", 1};
  std::string function, qualifier;
  std::int32_t retries_max = 2, age_max_s = 21'600;
  std::string on_success, on_failure;
  Timestamp modified{};
  auto key() const { return kernel::Key(function, qualifier); }
  void fields(auto& f) {
    f(function, qualifier, retries_max, age_max_s, on_success, on_failure, modified);
  }
};

struct EventSourceRecord {
  static constexpr kernel::RecordKind k_kind{"lambda", "event-source", 2};
  std::string uuid, source_arn, function, qualifier;
  std::int32_t batch_size = 10, batch_window_s = 0;
  bool enabled = true, partial_failures = false;
  Timestamp modified{};
  std::string last_result;
  std::vector<std::string> filters;  // patterns; since version 2, as the next
  std::int32_t concurrency_max = 0;  // 0: not limited
  auto key() const { return kernel::Key(uuid); }
  void fields(auto& f) {
    f(uuid, source_arn, function, qualifier, batch_size, batch_window_s, enabled, partial_failures,
      modified, last_result);
    if (f.since(2)) f(filters, concurrency_max);
  }
};

}  // namespace tarn::lambda
