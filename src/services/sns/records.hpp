// SPDX-License-Identifier: Apache-2.0
// SNS's durable records, and what its bus topics carry.
#pragma once
#include <map>
#include <string>

#include "kernel/record.hpp"

namespace tarn::sns {

struct TopicRecord {
  static constexpr kernel::RecordKind k_kind{"sns", "topic", 1};
  std::string name;
  std::map<std::string, std::string> attributes;  // those that were set
  std::map<std::string, std::string> tags;
  Timestamp created{};
  std::uint64_t deleted_subscriptions = 0;
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) { f(name, attributes, tags, created, deleted_subscriptions); }
  bool fifo() const { return name.ends_with(".fifo"); }
};

struct SubscriptionRecord {
  static constexpr kernel::RecordKind k_kind{"sns", "subscription", 1};
  std::string topic, id;  // the last part of its ARN
  std::string protocol, endpoint, owner;
  std::map<std::string, std::string> attributes;
  bool confirmed = false;
  std::string token;  // while it is not
  Timestamp created{};
  auto key() const { return kernel::Key(topic, id); }
  void fields(auto& f) {
    f(topic, id, protocol, endpoint, owner, attributes, confirmed, token, created);
  }
};

struct MessageAttribute {
  std::string type, value;  // value: text, or the bytes of a binary
  void fields(auto& f) { f(type, value); }
};

// What was published, as the topic saw it.
struct Published {
  std::string topic_arn, id, subject, body, group, dedup_id, sequence;
  std::string signature, signature_version = "1";
  std::string structure;  // "json": body holds one text per protocol
  std::map<std::string, MessageAttribute> attributes;
  Timestamp time{};
  void fields(auto& f) {
    f(topic_arn, id, subject, body, group, dedup_id, sequence, signature, signature_version,
      structure, attributes, time);
  }
};

// Topic "sns.delivery": one message for one subscription, or its request to confirm.
struct PendingDelivery {
  static constexpr kernel::RecordKind k_kind{"sns", "delivery", 1};
  std::string account, region, subscription_id, topic;
  bool confirmation = false;
  Published message;
  auto key() const { return kernel::Key(); }
  void fields(auto& f) { f(account, region, subscription_id, topic, confirmation, message); }
};

// A deduplication id of a FIFO topic that was seen within the last five minutes.
struct DedupRecord {
  static constexpr kernel::RecordKind k_kind{"sns", "dedup", 1, kernel::Family::queues};
  std::string topic, id, message_id, sequence;
  Timestamp sent{};
  auto key() const { return kernel::Key(topic, id); }
  void fields(auto& f) { f(topic, id, message_id, sequence, sent); }
};

// The same by time, so that old ones are found from the front.
struct DedupTime {
  static constexpr kernel::RecordKind k_kind{"sns", "dedup-time", 1, kernel::Family::queues};
  std::string topic, id;
  Timestamp sent{};
  auto key() const { return kernel::Key(topic, sent, id); }
  void fields(auto& f) { f(topic, id, sent); }
};

// Counts a FIFO topic's messages.
struct SequenceRecord {
  static constexpr kernel::RecordKind k_kind{"sns", "sequence", 1};
  std::string topic;
  std::uint64_t last = 0;
  auto key() const { return kernel::Key(topic); }
  void fields(auto& f) { f(topic, last); }
};

// The key that signs messages, sealed, and its certificate.
struct SigningKeyRecord {
  static constexpr kernel::RecordKind k_kind{"sns", "signing-key", 1};
  std::string sealed_key, certificate;  // PEM
  auto key() const { return kernel::Key("key"); }
  void fields(auto& f) { f(sealed_key, certificate); }
};

}  // namespace tarn::sns
