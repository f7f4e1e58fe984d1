// SPDX-License-Identifier: Apache-2.0
// Queues and their attributes.
#include <algorithm>

#include <fmt/format.h>

#include "aws/arn.hpp"
#include "aws/sqs/errors.hpp"
#include "base/strings.hpp"
#include "services/sqs/service.hpp"

namespace tarn::sqs {
namespace {

constexpr std::size_t k_page_max = 1000;
constexpr std::size_t k_uid_digits = 24;
constexpr auto k_purge_pause = Seconds(60);

std::string seconds_text(Timestamp time) { return std::to_string(to_millis(time) / 1000); }

// A token is the last key of the page before.
std::string after_token(const std::optional<std::string>& token) {
  if (!token) return {};
  const auto key = from_base64(*token);
  if (!key) {
    throw aws::ApiError("InvalidParameterValue", "Invalid or expired next token.");
  }
  return *key;
}

std::size_t page_size(const std::optional<std::int32_t>& asked) {
  if (!asked) return k_page_max;
  if (*asked < 1 || *asked > static_cast<std::int32_t>(k_page_max)) {
    throw aws::ApiError("InvalidParameterValue",
                        fmt::format("Value {} for parameter MaxResults is invalid. Reason: Must be "
                                    "an integer from 1 to 1000.",
                                    *asked));
  }
  return static_cast<std::size_t>(*asked);
}

}  // namespace

// Creating a queue that exists with the same attributes is a success, as in AWS.
CreateQueueOutput Sqs::create_queue(Call& call, const CreateQueueInput& in) {
  AttributeMap wanted = in.attributes.value_or(AttributeMap{});
  const bool fifo = wanted.contains("FifoQueue") && wanted.at("FifoQueue") == "true";
  check_name(in.queue_name, fifo);
  check_attributes(wanted, fifo);
  const Located at{call.scope(), in.queue_name};
  Txn txn = store_.begin(at.scope);
  if (const auto existing = txn.find_for_update<QueueRecord>(at.name)) {
    if (const auto name = first_difference(*existing, wanted)) {
      throw QueueNameExists(fmt::format(
          "A queue already exists with the same name and a different value for attribute {}",
          *name));
    }
    return {.queue_url = url_of(call, at)};
  }
  check_dead_letter_queue(txn, at, wanted);
  std::erase_if(wanted, [](const auto& entry) { return entry.second.empty(); });
  QueueRecord queue;
  queue.name = at.name;
  queue.uid = environment_.random.hex(k_uid_digits);
  queue.attributes = std::move(wanted);
  if (in.tags) queue.tags = *in.tags;
  queue.created = queue.modified = call.now();
  txn.put(queue);
  txn.commit();
  return {.queue_url = url_of(call, at)};
}

// The queue of a redrive policy must exist, be of the same kind, and allow it.
void Sqs::check_dead_letter_queue(Txn& txn, const Located& source, const AttributeMap& attributes) {
  const auto text = attributes.find("RedrivePolicy");
  if (text == attributes.end()) return;
  const auto policy = RedrivePolicy::parse(text->second);
  if (!policy) return;
  const auto bad = [&](std::string_view reason) {
    return aws::ApiError("InvalidParameterValue",
                         fmt::format("Value {} for parameter RedrivePolicy is invalid. Reason: {}",
                                     text->second, reason));
  };
  const auto arn = *aws::Arn::parse(policy->target_arn);
  if (arn.account != source.scope.account || arn.region != source.scope.region) {
    throw bad("Dead-letter target owner should be same as the source.");
  }
  const auto target = txn.find<QueueRecord>(arn.resource);
  if (!target && arn.resource != source.name) throw bad("Dead letter target does not exist.");
  if (arn.resource.ends_with(".fifo") != source.name.ends_with(".fifo")) {
    throw bad("Dead letter queue must be same type of queue as the source.");
  }
  if (target && !redrive_allowed(*target, queue_arn(source.scope, source.name))) {
    throw bad("The dead-letter queue's redrive allow policy does not allow this queue.");
  }
}

DeleteQueueOutput Sqs::delete_queue(Call& call, const DeleteQueueInput& in) {
  const Located at = locate(call, in.queue_url);
  Txn txn = store_.begin(at.scope);
  const auto queue = require(txn, at, Txn::Lock::exclusive);
  txn.erase<QueueRecord>(at.name);
  QueueGone gone{at.scope.account, at.scope.region, queue.name, queue.uid, queue.fifo()};
  txn.emit({"sqs.queue-gone", {}, kernel::encode_record(gone)});
  txn.commit();
  return {};
}

GetQueueUrlOutput Sqs::get_queue_url(Call& call, const GetQueueUrlInput& in) {
  const Located at{{in.queue_owner_aws_account_id.value_or(call.account()), call.region()},
                   in.queue_name};
  look_up(at);
  return {.queue_url = url_of(call, at)};
}

ListQueuesOutput Sqs::list_queues(Call& call, const ListQueuesInput& in) {
  ListQueuesOutput out;
  std::vector<std::string> urls;
  kernel::Key prefix;
  if (in.queue_name_prefix) prefix.add_open_prefix(*in.queue_name_prefix);
  const std::size_t page = page_size(in.max_results);
  kernel::ScanOptions options;
  options.after = after_token(in.next_token);
  options.limit = page + 1;
  std::string last;
  Txn txn = store_.begin(call.scope());
  txn.scan<QueueRecord>(prefix, options, [&](QueueRecord& queue, const std::string& key) {
    if (urls.size() == page) {
      // Without MaxResults AWS gives no token, and at most a thousand queues.
      if (in.max_results) out.next_token = to_base64(last);
      return false;
    }
    urls.push_back(url_of(call, {call.scope(), queue.name}));
    last = key;
    return true;
  });
  if (!urls.empty()) out.queue_urls = std::move(urls);
  return out;
}

ListDeadLetterSourceQueuesOutput Sqs::list_sources(Call& call,
                                                   const ListDeadLetterSourceQueuesInput& in) {
  const Located at = locate(call, in.queue_url);
  look_up(at);
  const std::string arn = queue_arn(at.scope, at.name);
  const std::size_t page = page_size(in.max_results);
  ListDeadLetterSourceQueuesOutput out;
  kernel::ScanOptions options;
  options.after = after_token(in.next_token);
  std::string last;
  Txn txn = store_.begin(at.scope);
  txn.scan<QueueRecord>({}, options, [&](QueueRecord& queue, const std::string& key) {
    const auto policy = RedrivePolicy::parse(attribute(queue, "RedrivePolicy"));
    if (!policy || policy->target_arn != arn) return true;
    if (out.queue_urls.size() == page) {
      out.next_token = to_base64(last);
      return false;
    }
    out.queue_urls.push_back(url_of(call, {at.scope, queue.name}));
    last = key;
    return true;
  });
  return out;
}

GetQueueAttributesOutput Sqs::get_attributes(Call& call, const GetQueueAttributesInput& in) {
  const Located at = locate(call, in.queue_url);
  const auto queue = look_up(at);
  const auto counts = messages_of(at.scope, queue)->counts();
  AttributeMap all = settings(queue);
  all["QueueArn"] = queue_arn(at.scope, at.name);
  all["CreatedTimestamp"] = seconds_text(queue.created);
  all["LastModifiedTimestamp"] = seconds_text(queue.modified);
  all["ApproximateNumberOfMessages"] = std::to_string(counts.visible);
  all["ApproximateNumberOfMessagesNotVisible"] = std::to_string(counts.taken);
  all["ApproximateNumberOfMessagesDelayed"] = std::to_string(counts.delayed);
  static const std::set<std::string> k_unset = {"Policy", "RedrivePolicy", "RedriveAllowPolicy",
                                                "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"};
  static const std::set<std::string> k_fifo = {"FifoQueue", "ContentBasedDeduplication",
                                               "DeduplicationScope", "FifoThroughputLimit"};
  GetQueueAttributesOutput out;
  AttributeMap asked;
  for (const auto& name : in.attribute_names.value_or(std::vector<std::string>{})) {
    if (name == "All") {
      asked = all;
      break;
    }
    const auto found = all.find(name);
    if (found != all.end()) {
      asked.insert(*found);
    } else if (!k_unset.contains(name) && !k_fifo.contains(name)) {
      throw InvalidAttributeName(fmt::format("Unknown Attribute {}.", name));
    }
  }
  if (!asked.empty()) out.attributes = std::move(asked);
  return out;
}

SetQueueAttributesOutput Sqs::set_attributes(Call& call, const SetQueueAttributesInput& in) {
  const Located at = locate(call, in.queue_url);
  Txn txn = store_.begin(at.scope);
  auto queue = require(txn, at, Txn::Lock::exclusive);
  check_attributes(in.attributes, queue.fifo());
  check_dead_letter_queue(txn, at, in.attributes);
  for (const auto& [name, value] : in.attributes) {
    if (value.empty()) {
      queue.attributes.erase(name);
    } else {
      queue.attributes[name] = value;
    }
  }
  queue.modified = call.now();
  txn.put(queue);
  txn.commit();
  // Who polls goes by the new attributes.
  return {};
}

PurgeQueueOutput Sqs::purge_queue(Call& call, const PurgeQueueInput& in) {
  const Located at = locate(call, in.queue_url);
  Txn txn = store_.begin(at.scope);
  auto queue = require(txn, at, Txn::Lock::exclusive);
  if (call.now() < queue.purged + k_purge_pause) {
    throw PurgeQueueInProgress(
        fmt::format("Only one PurgeQueue operation on {} is allowed every 60 seconds.", at.name));
  }
  queue.purged = call.now();
  txn.put(queue);
  txn.commit();
  messages_of(at.scope, queue)->purge();
  return {};
}

}  // namespace tarn::sqs
