// SPDX-License-Identifier: Apache-2.0
#include "services/sqs/service.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "aws/sqs/errors.hpp"
#include "base/log.hpp"

namespace tarn::sqs {
namespace {
constexpr std::size_t k_tags_max = 50;

// Requests in the query protocol may name their queue by the path they are sent to.
std::optional<QueueAddress> address_of(const platform::Call& call, const std::string& url) {
  if (url.empty() && call.http()) return QueueAddress::parse_url(call.http()->path);
  return QueueAddress::parse_url(url);
}
}  // namespace

Sqs::Sqs(platform::Environment& environment)
    : environment_(environment),
      store_(environment.store) {
  kernel::Subscription purge;
  purge.topic = "sqs.queue-gone";
  purge.subscriber = "sqs.purge";
  purge.deliver = [this](kernel::Delivery delivery) { return purge_gone(std::move(delivery)); };
  environment.bus.subscribe(std::move(purge));
}

void Sqs::operations(platform::OpTable& t) {
  const auto arn = [](Call& call, const auto& in) {
    const auto address = address_of(call, in.queue_url);
    if (!address) return std::string("*");
    return queue_arn({address->account, call.region()}, address->name);
  };
  const auto arn_by_name = [](Call& call, const auto& in) {
    return queue_arn(call.scope(), in.queue_name);
  };
  const auto policy = [this](Call& call, const auto& in) -> std::optional<std::string> {
    const auto address = address_of(call, in.queue_url);
    if (!address) return std::nullopt;
    Txn txn = store_.begin({address->account, call.region()});
    const auto queue = txn.peek<QueueRecord>(address->name);
    if (!queue) return std::nullopt;
    const std::string text = attribute(*queue, "Policy");
    return text.empty() ? std::nullopt : std::optional(text);
  };
  t.op<CreateQueue>(&Sqs::create_queue).on(arn_by_name);
  t.op<GetQueueUrl>(&Sqs::get_queue_url).on(arn_by_name);
  t.op<ListQueues>(&Sqs::list_queues);
  t.op<DeleteQueue>(&Sqs::delete_queue).on(arn).resource_policy(policy);
  t.op<GetQueueAttributes>(&Sqs::get_attributes).on(arn).resource_policy(policy);
  t.op<SetQueueAttributes>(&Sqs::set_attributes).on(arn).resource_policy(policy);
  t.op<PurgeQueue>(&Sqs::purge_queue).on(arn).resource_policy(policy);
  t.op<ListDeadLetterSourceQueues>(&Sqs::list_sources).on(arn).resource_policy(policy);
  t.op<TagQueue>(&Sqs::tag_queue).on(arn).resource_policy(policy);
  t.op<UntagQueue>(&Sqs::untag_queue).on(arn).resource_policy(policy);
  t.op<ListQueueTags>(&Sqs::list_tags).on(arn).resource_policy(policy);
  t.op<AddPermission>(&Sqs::add_permission).on(arn).resource_policy(policy);
  t.op<RemovePermission>(&Sqs::remove_permission).on(arn).resource_policy(policy);
  t.op<SendMessage>(&Sqs::send_message).on(arn).resource_policy(policy);
  t.op<ReceiveMessage>(&Sqs::receive_message).on(arn).resource_policy(policy);
  t.op<DeleteMessage>(&Sqs::delete_message).on(arn).resource_policy(policy);
  t.op<ChangeMessageVisibility>(&Sqs::change_visibility).on(arn).resource_policy(policy);
  // The batch forms need the permission of the single ones.
  t.op<SendMessageBatch>(&Sqs::send_batch)
      .action("sqs:SendMessage")
      .on(arn)
      .resource_policy(policy);
  t.op<DeleteMessageBatch>(&Sqs::delete_batch)
      .action("sqs:DeleteMessage")
      .on(arn)
      .resource_policy(policy);
  t.op<ChangeMessageVisibilityBatch>(&Sqs::change_visibility_batch)
      .action("sqs:ChangeMessageVisibility")
      .on(arn)
      .resource_policy(policy);
}

Sqs::Located Sqs::locate(const Call& call, const std::string& url) {
  const auto address = address_of(call, url);
  if (!address) throw QueueDoesNotExist("The specified queue does not exist.");
  return {{address->account, call.region()}, address->name};
}

QueueRecord Sqs::require(Txn& txn, const Located& at, Txn::Lock lock) {
  auto queue = lock == Txn::Lock::exclusive ? txn.find_for_update<QueueRecord>(at.name)
               : lock == Txn::Lock::shared  ? txn.find<QueueRecord>(at.name)
                                            : txn.peek<QueueRecord>(at.name);
  if (!queue) throw QueueDoesNotExist("The specified queue does not exist.");
  return *std::move(queue);
}

QueueRecord Sqs::look_up(const Located& at) {
  Txn txn = store_.begin(at.scope);
  return require(txn, at, Txn::Lock::none);
}

Messages Sqs::messages_of(const kernel::Scope& scope, const QueueRecord& queue) {
  std::lock_guard lock(mutex_);
  auto& messages = open_[queue.uid];
  if (!messages) {
    messages = std::make_shared<kernel::MessageQueue>(store_, scope, queue.uid, queue.fifo());
  }
  return messages;
}

std::string Sqs::url_of(const Call& call, const Located& at) const {
  const std::string& base = call.endpoint().empty() ? environment_.endpoint : call.endpoint();
  return fmt::format("{}/{}/{}", base, at.scope.account, at.name);
}

TagQueueOutput Sqs::tag_queue(Call& call, const TagQueueInput& in) {
  const Located at = locate(call, in.queue_url);
  Txn txn = store_.begin(at.scope);
  auto queue = require(txn, at, Txn::Lock::exclusive);
  for (const auto& [key, value] : in.tags) queue.tags[key] = value;
  if (queue.tags.size() > k_tags_max) {
    throw aws::ApiError("InvalidParameterValue",
                        fmt::format("Too many tags added for queue {}.", at.name));
  }
  txn.put(queue);
  txn.commit();
  return {};
}

UntagQueueOutput Sqs::untag_queue(Call& call, const UntagQueueInput& in) {
  const Located at = locate(call, in.queue_url);
  Txn txn = store_.begin(at.scope);
  auto queue = require(txn, at, Txn::Lock::exclusive);
  for (const auto& key : in.tag_keys) queue.tags.erase(key);
  txn.put(queue);
  txn.commit();
  return {};
}

ListQueueTagsOutput Sqs::list_tags(Call& call, const ListQueueTagsInput& in) {
  ListQueueTagsOutput out;
  auto queue = look_up(locate(call, in.queue_url));
  if (!queue.tags.empty()) out.tags = std::move(queue.tags);
  return out;
}

AddPermissionOutput Sqs::add_permission(Call& call, const AddPermissionInput& in) {
  const Located at = locate(call, in.queue_url);
  Txn txn = store_.begin(at.scope);
  auto queue = require(txn, at, Txn::Lock::exclusive);
  const std::string text = attribute(queue, "Policy");
  const std::string arn = queue_arn(at.scope, at.name);
  Json policy = text.empty() ? Json(JsonObject{{"Version", "2012-10-17"},
                                               {"Id", arn + "/SQSDefaultPolicy"},
                                               {"Statement", JsonArray{}}})
                             : parse_json(text);
  Json& statements = policy.get_object()["Statement"];
  if (!statements.is_array()) statements = JsonArray{statements};
  for (const Json& statement : statements.get_array()) {
    if (string_or(statement, "Sid") != in.label) continue;
    throw aws::ApiError("InvalidParameterValue",
                        fmt::format("Value {} for parameter Label is invalid. Reason: Already "
                                    "exists.",
                                    in.label));
  }
  JsonArray principals, actions;
  for (const auto& account : in.aws_account_ids) {
    principals.emplace_back("arn:aws:iam::" + account + ":root");
  }
  for (const auto& action : in.actions) actions.emplace_back("SQS:" + action);
  statements.get_array().emplace_back(JsonObject{{"Sid", in.label},
                                                 {"Effect", "Allow"},
                                                 {"Principal", JsonObject{{"AWS", principals}}},
                                                 {"Action", actions},
                                                 {"Resource", arn}});
  queue.attributes["Policy"] = dump_json(policy);
  queue.modified = call.now();
  txn.put(queue);
  txn.commit();
  return {};
}

RemovePermissionOutput Sqs::remove_permission(Call& call, const RemovePermissionInput& in) {
  const Located at = locate(call, in.queue_url);
  Txn txn = store_.begin(at.scope);
  auto queue = require(txn, at, Txn::Lock::exclusive);
  const std::string text = attribute(queue, "Policy");
  JsonArray kept;
  bool found = false;
  Json policy = text.empty() ? Json(JsonObject{}) : parse_json(text);
  if (const Json* statements = find_member(policy, "Statement"); statements) {
    if (statements->is_array()) {
      for (const Json& statement : statements->get_array()) {
        const bool labelled = string_or(statement, "Sid") == in.label;
        found = found || labelled;
        if (!labelled) kept.push_back(statement);
      }
    }
  }
  if (!found) {
    throw aws::ApiError(
        "InvalidParameterValue",
        fmt::format("Value {} for parameter Label is invalid. Reason: can't find label on existing "
                    "policy.",
                    in.label));
  }
  if (kept.empty()) {
    queue.attributes.erase("Policy");
  } else {
    policy.get_object()["Statement"] = std::move(kept);
    queue.attributes["Policy"] = dump_json(policy);
  }
  queue.modified = call.now();
  txn.put(queue);
  txn.commit();
  return {};
}

// The messages of a deleted queue go in the background: there may be many.
Task<void> Sqs::purge_gone(kernel::Delivery delivery) {
  const auto gone = kernel::decode_record<QueueGone>(delivery.payload);
  QueueRecord queue;
  queue.name = gone.name;
  queue.uid = gone.uid;
  const kernel::Scope scope{gone.account, gone.region};
  messages_of(scope, queue)->purge();
  {
    std::lock_guard lock(mutex_);
    open_.erase(gone.uid);
  }
  while (true) {
    Txn txn = store_.begin(scope);
    kernel::ScanOptions page;
    page.limit = 1000;
    const auto rows = txn.list<DedupTime>(kernel::Key(gone.uid), page);
    if (rows.empty()) break;
    for (const auto& row : rows) {
      txn.erase<DedupRecord>(row.uid, row.id);
      txn.erase<DedupTime>(row.uid, row.sent, row.id);
    }
    txn.commit();
  }
  co_return;
}

}  // namespace tarn::sqs
