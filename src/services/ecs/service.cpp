// SPDX-License-Identifier: Apache-2.0
#include "services/ecs/service.hpp"

#include "aws/ecs/errors.hpp"
#include "base/strings.hpp"
#include "services/ecs/names.hpp"

namespace tarn::ecs {

Ecs::Ecs(platform::Environment& environment, sandbox::Compute& compute)
    : environment_(environment),
      store_(environment.store),
      runner_(environment, compute) {}

void Ecs::operations(platform::OpTable& t) {
  cluster_operations(t);
  definition_operations(t);
  task_operations(t);
  const auto by_arn = [](Call&, const auto& in) { return in.resource_arn; };
  t.op<TagResource>(&Ecs::tag_resource).on(by_arn);
  t.op<UntagResource>(&Ecs::untag_resource).on(by_arn);
  t.op<ListTagsForResource>(&Ecs::list_tags).on(by_arn);
}

void Ecs::start() {
  for (auto& [scope, task] : runner_.start()) run_again(scope, std::move(task));
}
void Ecs::stop() { runner_.stop(); }

std::map<std::string, std::string> tag_map(const std::optional<std::vector<Tag>>& tags) {
  std::map<std::string, std::string> map;
  for (const auto& tag : tags.value_or(std::vector<Tag>())) {
    map[tag.key.value_or("")] = tag.value.value_or("");
  }
  return map;
}

std::vector<Tag> tag_list(const std::map<std::string, std::string>& tags) {
  std::vector<Tag> list;
  for (const auto& [key, value] : tags) list.push_back({.key = key, .value = value});
  return list;
}

ClusterRecord require_cluster(kernel::Txn& txn, const std::string& name) {
  auto cluster = txn.find<ClusterRecord>(name);
  if (!cluster) throw ClusterNotFoundException("Cluster not found.");
  return std::move(*cluster);
}

TaskDefinitionRecord require_definition(kernel::Txn& txn, const std::string& text) {
  const DefinitionId id = DefinitionId::parse(text);
  std::optional<TaskDefinitionRecord> found;
  if (id.revision) {
    found = txn.find<TaskDefinitionRecord>(id.family, *id.revision);
  } else {
    kernel::ScanOptions options;
    options.reverse = true;
    txn.scan<TaskDefinitionRecord>(kernel::Key(id.family), options,
                                   [&](TaskDefinitionRecord& record, const std::string&) {
                                     if (record.status == "ACTIVE") found = std::move(record);
                                     return !found;
                                   });
  }
  if (!found) throw ClientException("Unable to describe task definition.");
  return std::move(*found);
}

// ---- Tags of clusters, definitions and tasks

void Ecs::with_tags(Call& call, const std::string& arn, bool write,
                    const std::function<void(std::map<std::string, std::string>&)>& change) {
  const auto parts = split(arn, ':');
  if (parts.size() < 6) throw InvalidParameterException("Invalid ARN: " + arn);
  auto txn = store_.begin(call.scope());
  const auto apply = [&](auto record, const char* missing) {
    if (!record) throw InvalidParameterException(missing);
    change(record->tags);
    if (write) txn.put(*record);
  };
  if (parts[5].starts_with("cluster/")) {
    apply(txn.find_for_update<ClusterRecord>(cluster_name(arn)),
          "The specified cluster is inactive. Specify an active cluster and try again.");
  } else if (parts[5].starts_with("task-definition/")) {
    const auto id = DefinitionId::parse(arn);
    apply(txn.find_for_update<TaskDefinitionRecord>(id.family, id.revision.value_or(0)),
          "The specified task definition does not exist.");
  } else if (parts[5].starts_with("task/")) {
    const auto path = split(parts[5], '/');
    apply(txn.find_for_update<TaskRecord>(path.size() > 2 ? path[1] : "default", path.back()),
          "The specified task is not found.");
  } else {
    throw InvalidParameterException("Tarn has no tags for " + arn);
  }
  if (write) txn.commit();
}

TagResourceOutput Ecs::tag_resource(Call& call, const TagResourceInput& in) {
  with_tags(call, in.resource_arn, true, [&](auto& tags) {
    for (const auto& tag : in.tags) tags[tag.key.value_or("")] = tag.value.value_or("");
  });
  return {};
}

UntagResourceOutput Ecs::untag_resource(Call& call, const UntagResourceInput& in) {
  with_tags(call, in.resource_arn, true, [&](auto& tags) {
    for (const auto& key : in.tag_keys) tags.erase(key);
  });
  return {};
}

ListTagsForResourceOutput Ecs::list_tags(Call& call, const ListTagsForResourceInput& in) {
  ListTagsForResourceOutput out;
  with_tags(call, in.resource_arn, false, [&](auto& tags) { out.tags = tag_list(tags); });
  return out;
}

}  // namespace tarn::ecs
