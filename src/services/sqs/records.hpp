// SPDX-License-Identifier: Apache-2.0
// SQS's durable records. The messages themselves lie in the kernel's MessageQueue named by the
// queue's uid.
#pragma once
#include <map>
#include <string>

#include "kernel/record.hpp"

namespace tarn::sqs {

struct QueueRecord {
  static constexpr kernel::RecordKind k_kind{"sqs", "queue", 1};
  std::string name;
  std::string uid;                                // of this incarnation of the name
  std::map<std::string, std::string> attributes;  // those that were set
  std::map<std::string, std::string> tags;
  Timestamp created{}, modified{}, purged{};
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) { f(name, uid, attributes, tags, created, modified, purged); }
  bool fifo() const { return name.ends_with(".fifo"); }
};

struct StoredAttribute {
  std::string type, value;  // value: text, or the bytes of a binary
  void fields(auto& f) { f(type, value); }
};

// A message's row in the MessageQueue.
struct StoredMessage {
  static constexpr kernel::RecordKind k_kind{"sqs", "message", 1, kernel::Family::queues};
  std::string id, body, sender, dedup_id, group, trace_header, dead_letter_source;
  std::map<std::string, StoredAttribute> attributes;
  Timestamp sent{};
  auto key() const { return kernel::Key(id); }
  void fields(auto& f) {
    f(id, body, sender, dedup_id, group, trace_header, dead_letter_source, attributes, sent);
  }
};

// A deduplication id of a FIFO queue that was seen within the last five minutes.
struct DedupRecord {
  static constexpr kernel::RecordKind k_kind{"sqs", "dedup", 1, kernel::Family::queues};
  std::string uid, id, message_id;
  std::uint64_t number = 0;
  Timestamp sent{};
  auto key() const { return kernel::Key(uid, id); }
  void fields(auto& f) { f(uid, id, message_id, number, sent); }
};

// The same by time, so that old ones are found from the front.
struct DedupTime {
  static constexpr kernel::RecordKind k_kind{"sqs", "dedup-time", 1, kernel::Family::queues};
  std::string uid, id;
  Timestamp sent{};
  auto key() const { return kernel::Key(uid, sent, id); }
  void fields(auto& f) { f(uid, id, sent); }
};

// What the purger is told when a queue was deleted.
struct QueueGone {
  static constexpr kernel::RecordKind k_kind{"sqs", "queue-gone", 1};
  std::string account, region, name, uid;
  bool fifo = false;
  auto key() const { return kernel::Key(uid); }
  void fields(auto& f) { f(account, region, name, uid, fifo); }
};

}  // namespace tarn::sqs
