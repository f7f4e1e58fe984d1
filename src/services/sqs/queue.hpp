// SPDX-License-Identifier: Apache-2.0
// What a queue is, apart from wire and store: names, attributes and their rules, digests, receipt
// handles. Pure functions and values. Errors are aws::ApiError in AWS's words.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "kernel/record.hpp"
#include "services/sqs/records.hpp"

namespace tarn::sqs {

using AttributeMap = std::map<std::string, std::string>;

inline constexpr std::size_t k_batch_max = 10;
inline constexpr std::size_t k_message_bytes_max = 1024 * 1024;
inline constexpr auto k_dedup_window = std::chrono::minutes(5);

// Throws InvalidParameterValue.
void check_name(const std::string& name, bool fifo);

// What a client names by URL: account and name; the last two parts of its path.
struct QueueAddress {
  std::string account, name;
  static std::optional<QueueAddress> parse_url(std::string_view url);
};
std::string queue_arn(const kernel::Scope& scope, const std::string& name);

// Checks names and values of attributes to be set; `fifo` is the kind of the queue.
void check_attributes(const AttributeMap& attributes, bool fifo);
// With defaults: what the queue goes by.
std::string attribute(const QueueRecord& queue, const std::string& name);
std::int64_t number_attribute(const QueueRecord& queue, const std::string& name);
bool flag_attribute(const QueueRecord& queue, const std::string& name);
// All settable attributes with their defaults, plus those that exist only when set.
AttributeMap settings(const QueueRecord& queue);
// The first attribute of `wanted` that differs from what the queue goes by.
std::optional<std::string> first_difference(const QueueRecord& queue, const AttributeMap& wanted);

struct RedrivePolicy {
  std::string target_arn;
  std::int64_t receives_max = 0;
  // Throws InvalidParameterValue. None where the attribute is empty.
  static std::optional<RedrivePolicy> parse(const std::string& text);
};
// May `source_arn` use this queue as its dead-letter queue?
bool redrive_allowed(const QueueRecord& dead_letters, const std::string& source_arn);

// AWS's digest of message attributes.
std::string attributes_md5(const std::map<std::string, StoredAttribute>& attributes);
std::size_t message_size(const std::string& body,
                         const std::map<std::string, StoredAttribute>& attributes);
// #x9 | #xA | #xD | #x20–#xD7FF | #xE000–#xFFFD | #x10000–#x10FFFF
bool valid_characters(std::string_view text);

// Names one receipt of one message.
struct ReceiptHandle {
  std::string uid;
  std::uint64_t number = 0;
  std::uint32_t receives = 0;
  std::string text() const;
  // Throws ReceiptHandleIsInvalid, also for another queue's.
  static ReceiptHandle parse(const std::string& text, const std::string& uid);
};

std::string sequence_number(std::uint64_t number);  // twenty digits

}  // namespace tarn::sqs
