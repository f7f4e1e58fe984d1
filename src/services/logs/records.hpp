// SPDX-License-Identifier: Apache-2.0
// The durable records of CloudWatch Logs. A field is added at the end, under f.since(version).
// Groups and streams have unique ids, so that what is deleted and made again starts empty.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "base/time.hpp"
#include "kernel/record.hpp"

namespace tarn::logs {

struct GroupRecord {
  static constexpr kernel::RecordKind k_kind{"logs", "group", 1};
  std::string name, uid;
  Timestamp created{};
  std::int32_t retention_days = 0;  // 0: for ever
  std::string kms_key, log_group_class = "STANDARD";
  bool deletion_protection = false;
  std::map<std::string, std::string> tags;
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) {
    f(name, uid, created, retention_days, kms_key, log_group_class, deletion_protection, tags);
  }
};

struct StreamRecord {
  static constexpr kernel::RecordKind k_kind{"logs", "stream", 1};
  std::string group_uid, name, uid;
  Timestamp created{};
  std::int64_t first_event_ms = -1, last_event_ms = -1, last_ingestion_ms = -1;
  std::int64_t stored_bytes = 0;
  auto key() const { return kernel::Key(group_uid, name); }
  void fields(auto& f) {
    f(group_uid, name, uid, created, first_event_ms, last_event_ms, last_ingestion_ms,
      stored_bytes);
  }
};

// By group and time.
struct EventRecord {
  static constexpr kernel::RecordKind k_kind{"logs", "event", 1, kernel::Family::events};
  std::string group_uid;
  std::int64_t timestamp_ms = 0;
  std::uint64_t sequence = 0;  // unique, and ascending in the order of ingestion
  std::string stream_name, stream_uid, message;
  std::int64_t ingestion_ms = 0;
  auto key() const { return kernel::Key(group_uid, timestamp_ms, sequence); }
  void fields(auto& f) {
    f(group_uid, timestamp_ms, sequence, stream_name, stream_uid, message, ingestion_ms);
  }
};

// By stream and time: which event.
struct StreamEventRecord {
  static constexpr kernel::RecordKind k_kind{"logs", "stream-event", 1, kernel::Family::events};
  std::string stream_uid;
  std::int64_t timestamp_ms = 0;
  std::uint64_t sequence = 0;
  auto key() const { return kernel::Key(stream_uid, timestamp_ms, sequence); }
  void fields(auto& f) { f(stream_uid, timestamp_ms, sequence); }
};

}  // namespace tarn::logs
