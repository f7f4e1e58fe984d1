// SPDX-License-Identifier: Apache-2.0
// Sending: checks, deduplication, and the message's way into its queue.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "aws/digest.hpp"
#include "aws/sqs/errors.hpp"
#include "base/strings.hpp"
#include "services/sqs/batch.hpp"
#include "services/sqs/service.hpp"

namespace tarn::sqs {
namespace {

aws::ApiError invalid(std::string text) {
  return aws::ApiError("InvalidParameterValue", std::move(text));
}

template <class Value>
StoredAttribute stored_attribute(const std::string& name, const Value& value) {
  const std::string type = value.data_type;
  const std::string_view kind = std::string_view(type).substr(0, type.find('.'));
  const bool plain = !name.empty() && name.size() <= 256 &&
                     std::all_of(name.begin(), name.end(), [](unsigned char c) {
                       return std::isalnum(c) || c == '_' || c == '-' || c == '.';
                     });
  if (!plain) {
    throw invalid(
        fmt::format("The message attribute name '{}' is invalid. Attribute name can "
                    "contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) "
                    "characters.",
                    name));
  }
  if (kind != "String" && kind != "Number" && kind != "Binary") {
    throw invalid(fmt::format(
        "The message attribute '{}' has an invalid message attribute type, the set of supported "
        "type prefixes is Binary, Number, and String.",
        name));
  }
  const auto& given = kind == "Binary" ? value.binary_value : value.string_value;
  if (!given || given->empty()) {
    throw invalid(fmt::format(
        "The message attribute '{}' must contain a non-empty message attribute value for message "
        "attribute type '{}'.",
        name, kind));
  }
  if (kind == "Number" && !parse_double(*given)) {
    throw invalid(fmt::format("Can't cast the value of message attribute '{}' to a number.", name));
  }
  return {type, *given};
}

bool valid_token(const std::string& text) {
  return !text.empty() && text.size() <= 128 &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

template <class Entry>
Sqs::Draft Sqs::draft_of(const Entry& entry) {
  Draft draft;
  if constexpr (requires { entry.id; }) draft.id = entry.id;
  draft.body = entry.message_body;
  draft.delay_seconds = entry.delay_seconds;
  draft.dedup_id = entry.message_deduplication_id;
  draft.group = entry.message_group_id;
  if (entry.message_attributes) {
    for (const auto& [name, value] : *entry.message_attributes) {
      draft.attributes.emplace(name, stored_attribute(name, value));
    }
  }
  if (draft.attributes.size() > 10) {
    throw invalid("Number of message attributes [" + std::to_string(draft.attributes.size()) +
                  "] exceeds the allowed maximum [10].");
  }
  if (entry.message_system_attributes) {
    for (const auto& [name, value] : *entry.message_system_attributes) {
      if (name != "AWSTraceHeader") {
        throw invalid(fmt::format("Message system attribute name '{}' is invalid.", name));
      }
      draft.trace_header = value.string_value.value_or("");
    }
  }
  return draft;
}

Sqs::Sent Sqs::send(Txn& txn, const Call& call, const Located&, const QueueRecord& queue,
                    kernel::MessageQueue& messages, Draft draft) {
  if (draft.body.empty()) {
    throw aws::ApiError("MissingParameter", "The request must contain the parameter MessageBody.");
  }
  if (!valid_characters(draft.body)) {
    throw InvalidMessageContents(
        "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | "
        "#xE000 to #xFFFD | #x10000 to #x10FFFF");
  }
  const auto size_max = number_attribute(queue, "MaximumMessageSize");
  if (message_size(draft.body, draft.attributes) > static_cast<std::size_t>(size_max)) {
    throw invalid(
        fmt::format("One or more parameters are invalid. Reason: Message must be shorter "
                    "than {} bytes.",
                    size_max));
  }
  if (draft.delay_seconds && (*draft.delay_seconds < 0 || *draft.delay_seconds > 900)) {
    throw invalid(
        fmt::format("Value {} for parameter DelaySeconds is invalid. Reason: DelaySeconds "
                    "must be >= 0 and <= 900.",
                    *draft.delay_seconds));
  }
  if (draft.group && !valid_token(*draft.group)) {
    throw invalid(
        fmt::format("Value {} for parameter MessageGroupId is invalid. Reason: "
                    "MessageGroupId can only include alphanumeric and punctuation "
                    "characters. 1 to 128 in length.",
                    *draft.group));
  }
  if (queue.fifo()) {
    if (!draft.group) {
      throw aws::ApiError("MissingParameter",
                          "The request must contain the parameter MessageGroupId.");
    }
    if (draft.delay_seconds.value_or(0) != 0) {
      throw invalid(
          fmt::format("Value {} for parameter DelaySeconds is invalid. Reason: The "
                      "request include parameter that is not valid for this queue type.",
                      *draft.delay_seconds));
    }
    if (!draft.dedup_id && flag_attribute(queue, "ContentBasedDeduplication")) {
      draft.dedup_id = aws::sha256_hex(draft.body);
    }
    if (!draft.dedup_id) {
      throw invalid(
          "The queue should either have ContentBasedDeduplication enabled or "
          "MessageDeduplicationId provided explicitly");
    }
    if (!valid_token(*draft.dedup_id)) {
      throw invalid(
          fmt::format("Value {} for parameter MessageDeduplicationId is invalid. Reason: "
                      "MessageDeduplicationId can only include alphanumeric and "
                      "punctuation characters. 1 to 128 in length.",
                      *draft.dedup_id));
    }
  } else if (draft.dedup_id) {
    throw invalid(
        fmt::format("Value {} for parameter MessageDeduplicationId is invalid. Reason: "
                    "The request include parameter that is not valid for this queue "
                    "type.",
                    *draft.dedup_id));
  }
  return enqueue(txn, call, queue, messages, std::move(draft));
}

Sqs::Sent Sqs::enqueue(Txn& txn, const Call& call, const QueueRecord& queue,
                       kernel::MessageQueue& messages, Draft draft) {
  Sent sent;
  sent.body_md5 = to_hex(aws::digest(aws::Digest::md5, draft.body));
  if (!draft.attributes.empty()) sent.attributes_md5 = attributes_md5(draft.attributes);
  if (!draft.trace_header.empty()) {
    sent.system_md5 = attributes_md5({{"AWSTraceHeader", {"String", draft.trace_header}}});
  }
  const Timestamp now = call.now();
  const std::string group = draft.group.value_or("");
  std::string dedup_key;
  if (queue.fifo()) {
    // Per queue, or per group in high-throughput mode.
    dedup_key = attribute(queue, "DeduplicationScope") == "messageGroup"
                    ? group + "\n" + *draft.dedup_id
                    : *draft.dedup_id;
    const auto known = txn.find_for_update<DedupRecord>(queue.uid, dedup_key);
    if (known && known->sent + k_dedup_window > now) {
      // Accepted, not enqueued: the first one's answer.
      sent.message_id = known->message_id;
      sent.sequence = sequence_number(known->number);
      return sent;
    }
    if (known) txn.erase<DedupTime>(queue.uid, known->sent, dedup_key);
  }
  StoredMessage message;
  message.id = environment_.random.uuid();
  message.body = std::move(draft.body);
  message.sender = call.identity().principal_id;
  message.dedup_id = draft.dedup_id.value_or("");
  message.group = group;
  message.trace_header = std::move(draft.trace_header);
  message.attributes = std::move(draft.attributes);
  message.sent = now;
  sent.message_id = message.id;
  const std::int64_t delay =
      draft.delay_seconds ? *draft.delay_seconds : number_attribute(queue, "DelaySeconds");
  const auto number = messages.send(txn, kernel::encode_record(message), now + Seconds(delay),
                                    queue.fifo() ? group : std::string());
  if (queue.fifo()) {
    sent.sequence = sequence_number(number);
    txn.put(DedupRecord{queue.uid, dedup_key, sent.message_id, number, now});
    txn.put(DedupTime{queue.uid, dedup_key, now});
    forget_old_dedup(txn, queue.uid, now);
  }
  return sent;
}

// Each send clears away two ids whose window is over: the table stays as small as the traffic.
void Sqs::forget_old_dedup(Txn& txn, const std::string& uid, Timestamp now) {
  kernel::ScanOptions few;
  few.limit = 2;
  std::vector<DedupTime> old;
  txn.scan<DedupTime>(kernel::Key(uid), few, [&](DedupTime& row, const std::string&) {
    if (row.sent + k_dedup_window > now) return false;
    old.push_back(std::move(row));
    return true;
  });
  for (const auto& row : old) {
    txn.erase<DedupTime>(uid, row.sent, row.id);
    const auto record = txn.find_for_update<DedupRecord>(uid, row.id);
    if (record && record->sent == row.sent) txn.erase<DedupRecord>(uid, row.id);
  }
}

SendMessageOutput Sqs::send_message(Call& call, const SendMessageInput& in) {
  const Located at = locate(call, in.queue_url);
  Txn txn = store_.begin(at.scope);
  const auto queue = require(txn, at, Txn::Lock::shared);
  const auto messages = messages_of(at.scope, queue);
  const auto sent = send(txn, call, at, queue, *messages, draft_of(in));
  txn.commit();
  return {.md5_of_message_body = sent.body_md5,
          .md5_of_message_attributes = sent.attributes_md5,
          .md5_of_message_system_attributes = sent.system_md5,
          .message_id = sent.message_id,
          .sequence_number = sent.sequence};
}

SendMessageBatchOutput Sqs::send_batch(Call& call, const SendMessageBatchInput& in) {
  check_batch(in.entries, "SendMessageBatchRequestEntry");
  const Located at = locate(call, in.queue_url);
  Txn txn = store_.begin(at.scope);
  const auto queue = require(txn, at, Txn::Lock::shared);
  const auto messages = messages_of(at.scope, queue);
  std::size_t bytes = 0;
  for (const auto& entry : in.entries) bytes += entry.message_body.size();
  if (bytes > k_message_bytes_max) {
    throw BatchRequestTooLong(
        fmt::format("Batch requests cannot be longer than {} bytes. You have sent {} bytes.",
                    k_message_bytes_max, bytes));
  }
  SendMessageBatchOutput out;
  for (const auto& entry : in.entries) {
    try {
      const auto sent = send(txn, call, at, queue, *messages, draft_of(entry));
      out.successful.push_back({.id = entry.id,
                                .message_id = sent.message_id,
                                .md5_of_message_body = sent.body_md5,
                                .md5_of_message_attributes = sent.attributes_md5,
                                .md5_of_message_system_attributes = sent.system_md5,
                                .sequence_number = sent.sequence});
    } catch (const aws::ApiError& error) {
      out.failed.push_back(batch_error(entry.id, error));
    }
  }
  txn.commit();
  return out;
}

}  // namespace tarn::sqs
