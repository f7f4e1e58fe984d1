// SPDX-License-Identifier: Apache-2.0
// Receiving: long polls, the move to dead-letter queues, deletion and visibility.
#include <algorithm>

#include <fmt/format.h>

#include "aws/arn.hpp"
#include "aws/digest.hpp"
#include "aws/sqs/errors.hpp"
#include "base/strings.hpp"
#include "services/sqs/batch.hpp"
#include "services/sqs/service.hpp"

namespace tarn::sqs {
namespace {

using Names = std::vector<std::string>;

constexpr std::uint64_t k_in_flight_max = 120'000;

std::int64_t in_range(const std::optional<std::int32_t>& given, std::int64_t fallback,
                      std::int64_t low, std::int64_t high, std::string_view name) {
  if (!given) return fallback;
  if (*given >= low && *given <= high) return *given;
  throw aws::ApiError(
      "InvalidParameterValue",
      name == "WaitTimeSeconds"
          ? fmt::format("Value {} for parameter {} is invalid. Reason: Must be >= {} and <= {}, if "
                        "provided.",
                        *given, name, low, high)
          : fmt::format("Value {} for parameter {} is invalid. Reason: Must be between {} and {}, "
                        "if provided.",
                        *given, name, low, high));
}

// "All", ".*", a name, or a prefix written "name.*".
bool asked_for(const Names& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& wanted) {
    if (wanted == "All" || wanted == ".*" || wanted == name) return true;
    return wanted.ends_with(".*") &&
           name.starts_with(std::string_view(wanted).substr(0, wanted.size() - 2));
  });
}

std::map<std::string, std::string> system_attributes(const kernel::QueuedMessage& taken,
                                                     const StoredMessage& stored, bool fifo) {
  std::map<std::string, std::string> all{
      {"SenderId", stored.sender},
      {"SentTimestamp", std::to_string(to_millis(stored.sent))},
      {"ApproximateReceiveCount", std::to_string(taken.receives)},
      {"ApproximateFirstReceiveTimestamp", std::to_string(to_millis(taken.first_received))}};
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) all.emplace(name, value);
  };
  add("MessageGroupId", stored.group);
  add("MessageDeduplicationId", stored.dedup_id);
  add("AWSTraceHeader", stored.trace_header);
  add("DeadLetterQueueSourceArn", stored.dead_letter_source);
  if (fifo) all.emplace("SequenceNumber", sequence_number(taken.number));
  return all;
}

Message shown(const kernel::QueuedMessage& taken, const QueueRecord& queue,
              const Names& system_names, const Names& names) {
  auto stored = kernel::decode_record<StoredMessage>(taken.payload);
  Message out;
  out.message_id = stored.id;
  out.receipt_handle = ReceiptHandle{queue.uid, taken.number, taken.receives}.text();
  out.md5_of_body = to_hex(aws::digest(aws::Digest::md5, stored.body));
  std::map<std::string, std::string> system;
  for (auto& [name, value] : system_attributes(taken, stored, queue.fifo())) {
    const bool wanted = std::any_of(system_names.begin(), system_names.end(),
                                    [&](const auto& n) { return n == "All" || n == name; });
    if (wanted) system.emplace(name, value);
  }
  if (!system.empty()) out.attributes = std::move(system);
  std::erase_if(stored.attributes,
                [&](const auto& entry) { return !asked_for(names, entry.first); });
  if (!stored.attributes.empty()) {
    out.md5_of_message_attributes = attributes_md5(stored.attributes);
    auto& shown_attributes = out.message_attributes.emplace();
    for (auto& [name, value] : stored.attributes) {
      MessageAttributeValue attribute;
      attribute.data_type = value.type;
      (value.type.starts_with("Binary") ? attribute.binary_value : attribute.string_value) =
          std::move(value.value);
      shown_attributes.emplace(name, std::move(attribute));
    }
  }
  out.body = std::move(stored.body);
  return out;
}

// A wake-up that the clock gives, taken back when nobody waits any more.
class Alarm {
 public:
  Alarm(Clock& clock, Timestamp when, OneShot<void> bell)
      : clock_(clock),
        id_(clock.call_at(when, [bell] { bell.set(); })) {}
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  ~Alarm() { clock_.cancel(id_); }

 private:
  Clock& clock_;
  Clock::TimerId id_;
};

}  // namespace

Task<ReceiveMessageOutput> Sqs::receive_message(CallPtr call, ReceiveMessageInput in) {
  const Located at = locate(*call, in.queue_url);
  QueueRecord queue = look_up(at);
  const auto max = static_cast<std::size_t>(
      in_range(in.max_number_of_messages, 1, 1, 10, "MaxNumberOfMessages"));
  const Seconds visibility(in_range(in.visibility_timeout,
                                    number_attribute(queue, "VisibilityTimeout"), 0, 43200,
                                    "VisibilityTimeout"));
  const Seconds wait(in_range(in.wait_time_seconds,
                              number_attribute(queue, "ReceiveMessageWaitTimeSeconds"), 0, 20,
                              "WaitTimeSeconds"));
  const Timestamp deadline = call->now() + wait;
  Names system_names = in.attribute_names.value_or(Names{});
  if (in.message_system_attribute_names) {
    system_names.insert(system_names.end(), in.message_system_attribute_names->begin(),
                        in.message_system_attribute_names->end());
  }
  const Names names = in.message_attribute_names.value_or(Names{});
  const Messages messages = messages_of(at.scope, queue);
  ReceiveMessageOutput out;
  while (true) {
    if (!queue.fifo() && messages->counts().taken >= k_in_flight_max) {
      throw OverLimit("Too many messages in flight.");
    }
    const OneShot<void> bell = messages->changed();  // before looking: nothing is missed
    const auto taken = take(at, queue, *messages, max, visibility);
    for (const auto& message : taken) {
      if (!out.messages) out.messages.emplace();
      out.messages->push_back(shown(message, queue, system_names, names));
    }
    if (out.messages || call->now() >= deadline) co_return out;
    const Alarm alarm(call->clock(),
                      std::min(deadline, messages->next_visible().value_or(deadline)), bell);
    co_await bell;
    queue = look_up(at);  // it may be gone, or have new attributes
  }
}

std::vector<kernel::QueuedMessage> Sqs::take(const Located& at, const QueueRecord& queue,
                                             kernel::MessageQueue& messages, std::size_t max,
                                             Seconds visibility) {
  const Timestamp expired_before =
      store_.clock().now() - Seconds(number_attribute(queue, "MessageRetentionPeriod"));
  const auto redrive = RedrivePolicy::parse(attribute(queue, "RedrivePolicy"));
  std::vector<kernel::QueuedMessage> out;
  while (out.size() < max) {
    auto taken = messages.receive(max - out.size(), visibility, expired_before);
    if (taken.empty()) break;
    for (auto& message : taken) {
      const bool dead = redrive && message.receives > redrive->receives_max &&
                        move_to_dead_letters(at, queue, messages, message, *redrive);
      if (!dead) out.push_back(std::move(message));
    }
  }
  return out;
}

// False if the dead-letter queue is gone: then the message stays, as in AWS.
bool Sqs::move_to_dead_letters(const Located& at, const QueueRecord& queue,
                               kernel::MessageQueue& messages, const kernel::QueuedMessage& taken,
                               const RedrivePolicy& policy) {
  const auto arn = aws::Arn::parse(policy.target_arn);
  if (!arn) return false;
  return store_.transact({arn->account, arn->region}, [&](Txn& txn) {
    const auto target = txn.find<QueueRecord>(arn->resource);
    if (!target) return false;
    const auto dead_letters = messages_of(txn.scope(), *target);
    auto stored = kernel::decode_record<StoredMessage>(taken.payload);
    stored.dead_letter_source = queue_arn(at.scope, queue.name);
    const std::string group = target->fifo() ? stored.group : std::string();
    dead_letters->send(txn, kernel::encode_record(stored), store_.clock().now(), group);
    messages.remove(txn, taken.number);
    return true;
  });
}

void Sqs::erase_message(const QueueRecord& queue, kernel::MessageQueue& messages,
                        const std::string& receipt) {
  const auto handle = ReceiptHandle::parse(receipt, queue.uid);
  const auto receives = messages.receives(handle.number);
  // Received again since: this receipt does not count any more, and AWS says nothing.
  if (receives && *receives != handle.receives) return;
  if (!receives && queue.fifo() && messages.contains(handle.number)) {
    throw aws::ApiError("InvalidParameterValue",
                        fmt::format("Value {} for parameter ReceiptHandle is invalid. Reason: The "
                                    "receipt handle has expired.",
                                    receipt));
  }
  messages.remove({handle.number});
}

DeleteMessageOutput Sqs::delete_message(Call& call, const DeleteMessageInput& in) {
  const Located at = locate(call, in.queue_url);
  const auto queue = look_up(at);
  erase_message(queue, *messages_of(at.scope, queue), in.receipt_handle);
  return {};
}

DeleteMessageBatchOutput Sqs::delete_batch(Call& call, const DeleteMessageBatchInput& in) {
  check_batch(in.entries, "DeleteMessageBatchRequestEntry");
  const Located at = locate(call, in.queue_url);
  const auto queue = look_up(at);
  const auto messages = messages_of(at.scope, queue);
  DeleteMessageBatchOutput out;
  for (const auto& entry : in.entries) {
    try {
      erase_message(queue, *messages, entry.receipt_handle);
      out.successful.push_back({.id = entry.id});
    } catch (const aws::ApiError& error) {
      out.failed.push_back(batch_error(entry.id, error));
    }
  }
  return out;
}

void Sqs::set_visibility(const QueueRecord& queue, kernel::MessageQueue& messages,
                         const std::string& receipt, std::int32_t seconds) {
  const auto checked = in_range(seconds, 0, 0, 43200, "VisibilityTimeout");
  const auto handle = ReceiptHandle::parse(receipt, queue.uid);
  const bool current = messages.receives(handle.number) == handle.receives;
  if (!current || !messages.hide_until(handle.number, store_.clock().now() + Seconds(checked))) {
    throw aws::ApiError("InvalidParameterValue",
                        fmt::format("Value {} for parameter ReceiptHandle is invalid. Reason: "
                                    "Message does not exist or is not available for visibility "
                                    "timeout change.",
                                    receipt));
  }
}

ChangeMessageVisibilityOutput Sqs::change_visibility(Call& call,
                                                     const ChangeMessageVisibilityInput& in) {
  const Located at = locate(call, in.queue_url);
  const auto queue = look_up(at);
  set_visibility(queue, *messages_of(at.scope, queue), in.receipt_handle, in.visibility_timeout);
  return {};
}

ChangeMessageVisibilityBatchOutput Sqs::change_visibility_batch(
    Call& call, const ChangeMessageVisibilityBatchInput& in) {
  check_batch(in.entries, "ChangeMessageVisibilityBatchRequestEntry");
  const Located at = locate(call, in.queue_url);
  const auto queue = look_up(at);
  const auto messages = messages_of(at.scope, queue);
  ChangeMessageVisibilityBatchOutput out;
  for (const auto& entry : in.entries) {
    try {
      set_visibility(queue, *messages, entry.receipt_handle, entry.visibility_timeout.value_or(0));
      out.successful.push_back({.id = entry.id});
    } catch (const aws::ApiError& error) {
      out.failed.push_back(batch_error(entry.id, error));
    }
  }
  return out;
}

}  // namespace tarn::sqs
