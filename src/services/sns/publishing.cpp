// SPDX-License-Identifier: Apache-2.0
// Publishing: checks, deduplication, and one delivery per subscription that wants the message.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "aws/digest.hpp"
#include "aws/sns/errors.hpp"
#include "base/strings.hpp"
#include "services/sns/service.hpp"

namespace tarn::sns {
namespace {

constexpr std::size_t k_message_bytes_max = 256 * 1024;  // unless the topic says otherwise
constexpr std::size_t k_batch_max = 10;
constexpr auto k_dedup_window = std::chrono::minutes(5);

InvalidParameterException invalid(std::string text) {
  return InvalidParameterException("Invalid parameter: " + std::move(text));
}

std::size_t message_bytes_max(const TopicRecord& topic) {
  return parse_uint(topic_attribute(topic, "MaximumMessageSize")).value_or(k_message_bytes_max);
}

bool valid_token(const std::string& text) {
  return !text.empty() && text.size() <= 128 &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

std::map<std::string, MessageAttribute> checked_attributes(
    const std::optional<std::map<std::string, MessageAttributeValue>>& given) {
  std::map<std::string, MessageAttribute> out;
  if (!given) return out;
  for (const auto& [name, value] : *given) {
    const std::string_view kind =
        std::string_view(value.data_type).substr(0, value.data_type.find('.'));
    if (kind != "String" && kind != "Number" && kind != "Binary") {
      throw InvalidParameterValueException(fmt::format(
          "The message attribute '{}' has an invalid message attribute type, the set of supported "
          "type prefixes is Binary, Number, and String.",
          name));
    }
    const auto& text = kind == "Binary" ? value.binary_value : value.string_value;
    if (!text || text->empty()) {
      throw InvalidParameterValueException(fmt::format(
          "The message attribute '{}' must contain non-empty message attribute value for message "
          "attribute type '{}'.",
          name, kind));
    }
    if (kind == "Number" && !parse_double(*text)) {
      throw InvalidParameterValueException(
          fmt::format("Could not cast message attribute '{}' value to number.", name));
    }
    out.emplace(name, MessageAttribute{value.data_type, *text});
  }
  return out;
}

void check_subject(const std::optional<std::string>& subject) {
  if (!subject) return;
  // UTF-8 without control characters; its length is counted in characters.
  const auto characters =
      std::count_if(subject->begin(), subject->end(), [](char c) { return (c & 0xC0) != 0x80; });
  const bool plain = characters > 0 && characters <= 100 && is_valid_utf8(*subject) &&
                     std::all_of(subject->begin(), subject->end(), [](char c) {
                       return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
                     });
  if (!plain || subject->front() == ' ') throw invalid("Subject");
}

void check_structure(const std::optional<std::string>& structure, const std::string& message) {
  if (!structure || structure->empty()) return;
  if (*structure != "json") throw invalid("MessageStructure");
  Json bodies;
  try {
    bodies = parse_json(message);
  } catch (const JsonError&) {
    throw invalid("Message Structure - JSON message body failed to parse");
  }
  if (!find_string(bodies, "default")) {
    throw invalid("Message Structure - No default entry in JSON message body");
  }
}

BatchResultErrorEntry failed(const std::string& id, const aws::ApiError& error) {
  return {
      .id = id, .code = error.code, .message = error.message, .sender_fault = error.sender_fault};
}

}  // namespace

template <class Message>
Sns::Posted Sns::post(Txn& txn, Call& call, const TopicRecord& topic, const Message& message) {
  if (message.message.empty()) throw invalid("Empty message");
  Published published;
  published.attributes = checked_attributes(message.message_attributes);
  std::size_t size = message.message.size();
  for (const auto& [name, attribute] : published.attributes) {
    size += name.size() + attribute.type.size() + attribute.value.size();
  }
  if (size > message_bytes_max(topic)) throw invalid("Message too long");
  check_subject(message.subject);
  check_structure(message.message_structure, message.message);
  published.topic_arn = topic_arn(txn.scope(), topic.name);
  published.id = environment_.random.uuid();
  published.subject = message.subject.value_or("");
  published.body = message.message;
  published.structure = message.message_structure.value_or("");
  published.time = call.now();
  published.signature_version = topic_attribute(topic, "SignatureVersion", "1");
  published.group = message.message_group_id.value_or("");
  if (message.message_group_id && !valid_token(published.group)) throw invalid("MessageGroupId");
  if (!topic.fifo()) {
    if (message.message_deduplication_id) {
      throw invalid(
          "MessageDeduplicationId Reason: The request includes MessageDeduplicationId "
          "parameter that is not valid for this topic type");
    }
    fan_out(txn, topic, published);
    return {published.id, std::nullopt};
  }
  if (published.group.empty()) {
    throw invalid("The MessageGroupId parameter is required for FIFO topics");
  }
  if (message.message_deduplication_id) {
    published.dedup_id = *message.message_deduplication_id;
    if (!valid_token(published.dedup_id)) throw invalid("MessageDeduplicationId");
  } else if (topic_attribute(topic, "ContentBasedDeduplication") == "true") {
    published.dedup_id = aws::sha256_hex(message.message);
  } else {
    throw invalid(
        "The topic should either have ContentBasedDeduplication enabled or "
        "MessageDeduplicationId provided explicitly");
  }
  return post_in_order(txn, topic, std::move(published));
}

// A FIFO topic's way: not what was seen within five minutes, and each with its number.
Sns::Posted Sns::post_in_order(Txn& txn, const TopicRecord& topic, Published published) {
  const bool per_group = topic_attribute(topic, "FifoThroughputScope") == "MessageGroup";
  const std::string key =
      per_group ? published.group + "\n" + published.dedup_id : published.dedup_id;
  const auto known = txn.find_for_update<DedupRecord>(topic.name, key);
  if (known && known->sent + k_dedup_window > published.time) {
    return {known->message_id, known->sequence};
  }
  if (known) txn.erase<DedupTime>(topic.name, known->sent, key);
  // Its lock also makes the order of commits the order of the topic.
  auto counter = txn.find_for_update<SequenceRecord>(topic.name)
                     .value_or(SequenceRecord{topic.name, 10'000'000'000'000'000'000ULL - 1});
  ++counter.last;
  txn.put(counter);
  published.sequence = fmt::format("{:020}", counter.last);
  txn.put(DedupRecord{topic.name, key, published.id, published.sequence, published.time});
  txn.put(DedupTime{topic.name, key, published.time});
  forget_old_dedup(txn, topic.name, published.time);
  fan_out(txn, topic, published);
  return {published.id, published.sequence};
}

// Each message clears away two ids whose window is over: the table stays as small as the traffic.
void Sns::forget_old_dedup(Txn& txn, const std::string& topic, Timestamp now) {
  std::vector<DedupTime> old;
  txn.scan<DedupTime>(kernel::Key(topic), {.limit = 2}, [&](DedupTime& row, const std::string&) {
    if (row.sent + k_dedup_window > now) return false;
    old.push_back(std::move(row));
    return true;
  });
  for (const auto& row : old) {
    txn.erase<DedupTime>(topic, row.sent, row.id);
    const auto record = txn.find_for_update<DedupRecord>(topic, row.id);
    if (record && record->sent == row.sent) txn.erase<DedupRecord>(topic, row.id);
  }
}

void Sns::fan_out(Txn& txn, const TopicRecord& topic, Published published) {
  std::vector<SubscriptionRecord> receivers;
  bool signature_needed = false;
  txn.scan<SubscriptionRecord>(
      kernel::Key(topic.name), {}, [&](SubscriptionRecord& subscription, const std::string&) {
        if (!subscription.confirmed || !wanted(subscription, published)) return true;
        const auto raw = subscription.attributes.find("RawMessageDelivery");
        const bool is_raw = raw != subscription.attributes.end() && raw->second == "true";
        signature_needed = signature_needed || (!is_raw && subscription.protocol != "email");
        receivers.push_back(std::move(subscription));
        return true;
      });
  for (const auto& receiver : receivers) {
    PendingDelivery pending;
    pending.account = txn.scope().account;
    pending.region = txn.scope().region;
    pending.topic = topic.name;
    pending.subscription_id = receiver.id;
    pending.message = published;
    if (signature_needed && published.sequence.empty()) {
      // Over the text that this protocol gets.
      pending.message.signature =
          signer_.sign(text_to_sign(published, body_for(published, receiver.protocol)),
                       published.signature_version);
    }
    // Only FIFO topics number their messages and keep their order.
    const std::string order =
        published.sequence.empty() ? std::string() : receiver.id + "/" + published.group;
    txn.emit({Deliveries::k_topic, order, kernel::encode_record(pending)});
  }
}

PublishOutput Sns::publish(Call& call, const PublishInput& in) {
  if (in.phone_number) {
    throw aws::ApiError("NotImplemented",
                        "sns Publish: PhoneNumber (SMS) is not implemented by "
                        "Tarn",
                        501);
  }
  const auto& arn = in.topic_arn ? in.topic_arn : in.target_arn;
  if (!arn) throw invalid("TopicArn or TargetArn Reason: no value for required parameter");
  const auto at = TopicAddress::parse(*arn, in.topic_arn ? "TopicArn" : "TargetArn");
  Txn txn = store_.begin(at.scope);
  const auto topic = require_topic(txn, at.topic, false);
  const auto posted = post(txn, call, topic, in);
  txn.commit();
  return {.message_id = posted.message_id, .sequence_number = posted.sequence};
}

PublishBatchOutput Sns::publish_batch(Call& call, const PublishBatchInput& in) {
  const auto& entries = in.publish_batch_request_entries;
  if (entries.empty()) {
    throw EmptyBatchRequestException("The batch request doesn't contain any entries.");
  }
  if (entries.size() > k_batch_max) {
    throw TooManyEntriesInBatchRequestException(
        "The batch request contains more entries than permissible.");
  }
  std::set<std::string> ids;
  std::size_t bytes = 0;
  for (const auto& entry : entries) {
    bytes += entry.message.size();
    const bool plain = !entry.id.empty() && entry.id.size() <= 80 &&
                       std::all_of(entry.id.begin(), entry.id.end(), [](unsigned char c) {
                         return std::isalnum(c) || c == '-' || c == '_';
                       });
    if (!plain) {
      throw InvalidBatchEntryIdException(
          "The Id of a batch entry in a batch request doesn't abide by the specification.");
    }
    if (!ids.insert(entry.id).second) {
      throw BatchEntryIdsNotDistinctException(
          "Two or more batch entries in the request have the same Id.");
    }
  }
  const auto at = TopicAddress::parse(in.topic_arn, "TopicArn");
  Txn txn = store_.begin(at.scope);
  const auto topic = require_topic(txn, at.topic, false);
  if (bytes > message_bytes_max(topic)) {
    throw BatchRequestTooLongException(
        "The length of all the messages put together is more than the limit.");
  }
  PublishBatchOutput out;
  auto& good = out.successful.emplace();
  auto& bad = out.failed.emplace();
  for (const auto& entry : entries) {
    try {
      const auto posted = post(txn, call, topic, entry);
      good.push_back(
          {.id = entry.id, .message_id = posted.message_id, .sequence_number = posted.sequence});
    } catch (const aws::ApiError& error) {
      bad.push_back(failed(entry.id, error));
    }
  }
  txn.commit();
  return out;
}

}  // namespace tarn::sns
