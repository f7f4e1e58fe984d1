// SPDX-License-Identifier: Apache-2.0
#include "services/logs/service.hpp"

#include <fmt/format.h>

#include "aws/logs/errors.hpp"
#include "base/strings.hpp"

namespace tarn::logs {

constexpr const char* k_retention_topic = "logs.retention";

Logs::Logs(platform::Environment& environment)
    : environment_(environment),
      store_(environment.store) {}

void Logs::operations(platform::OpTable& t) {
  group_operations(t);
  event_operations(t);
  const auto by_arn = [](Call&, const auto& in) { return in.resource_arn; };
  t.op<TagResource>(&Logs::tag_resource).on(by_arn);
  t.op<UntagResource>(&Logs::untag_resource).on(by_arn);
  t.op<ListTagsForResource>(&Logs::list_tags_for_resource).on(by_arn);
  const auto by_name = [](Call& call, const auto& in) {
    return group_arn(call.scope(), in.log_group_name);
  };
  t.op<TagLogGroup>(&Logs::tag_group).on(by_name);
  t.op<UntagLogGroup>(&Logs::untag_group).on(by_name);
  t.op<ListTagsLogGroup>(&Logs::list_tags_group).on(by_name);
}

void Logs::start() {
  kernel::Subscription gone;
  gone.topic = "logs.gone";
  gone.subscriber = "logs.purge";
  gone.deliver = [this](kernel::Delivery delivery) { return purge(std::move(delivery)); };
  environment_.bus.subscribe(std::move(gone));
  kernel::Subscription expired;
  expired.topic = k_retention_topic;
  expired.subscriber = "logs.purge";
  expired.deliver = [this](kernel::Delivery delivery) {
    return purge_expired(std::move(delivery));
  };
  environment_.bus.subscribe(std::move(expired));
  store_.transact({}, [&](Txn& txn) {
    environment_.schedules.put(txn, "logs.retention", "rate(1 hour)", "UTC",
                               {k_retention_topic, "", ""});
  });
}

std::string group_name_of(const std::string& name_or_arn) {
  if (!name_or_arn.starts_with("arn:")) return name_or_arn;
  const auto start = name_or_arn.find(":log-group:");
  if (start == std::string::npos) {
    throw InvalidParameterException("The specified resource ARN is not a log group's");
  }
  std::string name = name_or_arn.substr(start + 11);
  if (name.ends_with(":*")) name.resize(name.size() - 2);
  return name;
}

std::string group_arn(const kernel::Scope& scope, const std::string& name) {
  return fmt::format("arn:aws:logs:{}:{}:log-group:{}", scope.region, scope.account, name);
}

GroupRecord Logs::require_group(Txn& txn, const std::string& name) {
  auto group = txn.find<GroupRecord>(name);
  if (!group) throw ResourceNotFoundException("The specified log group does not exist.");
  return std::move(*group);
}

// ---- Tags

void Logs::change_tags(Call& call, const std::string& group,
                       const std::map<std::string, std::string>& set,
                       const std::vector<std::string>& unset) {
  auto txn = store_.begin(call.scope());
  auto found = txn.find_for_update<GroupRecord>(group);
  if (!found) throw ResourceNotFoundException("The specified log group does not exist.");
  for (const auto& [key, value] : set) found->tags[key] = value;
  for (const auto& key : unset) found->tags.erase(key);
  if (found->tags.size() > 50) {
    throw InvalidParameterException("A resource can have at most 50 tags");
  }
  txn.put(*found);
  txn.commit();
}

TagResourceOutput Logs::tag_resource(Call& call, const TagResourceInput& in) {
  change_tags(call, group_name_of(in.resource_arn), in.tags, {});
  return {};
}

UntagResourceOutput Logs::untag_resource(Call& call, const UntagResourceInput& in) {
  change_tags(call, group_name_of(in.resource_arn), {}, in.tag_keys);
  return {};
}

ListTagsForResourceOutput Logs::list_tags_for_resource(Call& call,
                                                       const ListTagsForResourceInput& in) {
  auto txn = store_.begin(call.scope());
  return {.tags = require_group(txn, group_name_of(in.resource_arn)).tags};
}

TagLogGroupOutput Logs::tag_group(Call& call, const TagLogGroupInput& in) {
  change_tags(call, in.log_group_name, in.tags, {});
  return {};
}

UntagLogGroupOutput Logs::untag_group(Call& call, const UntagLogGroupInput& in) {
  change_tags(call, in.log_group_name, {}, in.tags);
  return {};
}

ListTagsLogGroupOutput Logs::list_tags_group(Call& call, const ListTagsLogGroupInput& in) {
  auto txn = store_.begin(call.scope());
  return {.tags = require_group(txn, in.log_group_name).tags};
}

}  // namespace tarn::logs
