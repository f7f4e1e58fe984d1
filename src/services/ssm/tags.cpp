// SPDX-License-Identifier: Apache-2.0
// Tags of parameters. Systems Manager tags other things too; Tarn has parameters only.
#include "aws/ssm/errors.hpp"
#include "services/ssm/service.hpp"

namespace tarn::ssm {
namespace {

constexpr std::size_t k_tags_max = 50;

[[noreturn]] void throw_invalid_id() {
  throw InvalidResourceId(
      "The resource ID is not valid. Verify that you entered the correct ID and try again.");
}

ParameterReference read_resource(const std::string& type, const std::string& id) {
  if (type != "Parameter") throw aws::not_implemented("ssm", "tags of resource type " + type);
  return ParameterReference::parse(id);
}

ParameterRecord require_tagged_for_update(kernel::Txn& txn, const ParameterReference& reference) {
  for (const auto& name : {reference.name, reference.other_name}) {
    if (name.empty()) continue;
    if (auto record = txn.find_for_update<ParameterRecord>(name)) return *std::move(record);
  }
  throw_invalid_id();
}

}  // namespace

void Ssm::tag_operations(platform::OpTable& t) {
  const auto arn = [](Call& call, const auto& in) {
    return parameter_arn(call.region(), call.account(),
                         ParameterReference::parse(in.resource_id).name);
  };
  t.op<AddTagsToResource>(&Ssm::add_tags).on(arn);
  t.op<RemoveTagsFromResource>(&Ssm::remove_tags).on(arn);
  t.op<ListTagsForResource>(&Ssm::list_tags).on(arn);
}

AddTagsToResourceOutput Ssm::add_tags(Call& call, const AddTagsToResourceInput& in) {
  const auto reference = read_resource(in.resource_type, in.resource_id);
  auto txn = store_.begin(call.scope());
  auto record = require_tagged_for_update(txn, reference);
  for (const auto& tag : in.tags) record.tags[tag.key] = tag.value;
  if (record.tags.size() > k_tags_max) {
    throw TooManyTagsError("The Targets parameter includes too many tags.");
  }
  txn.put(record);
  txn.commit();
  return {};
}

RemoveTagsFromResourceOutput Ssm::remove_tags(Call& call, const RemoveTagsFromResourceInput& in) {
  const auto reference = read_resource(in.resource_type, in.resource_id);
  auto txn = store_.begin(call.scope());
  auto record = require_tagged_for_update(txn, reference);
  for (const auto& key : in.tag_keys) record.tags.erase(key);
  txn.put(record);
  txn.commit();
  return {};
}

ListTagsForResourceOutput Ssm::list_tags(Call& call, const ListTagsForResourceInput& in) {
  const auto reference = read_resource(in.resource_type, in.resource_id);
  auto txn = store_.begin(call.scope());
  auto record = txn.peek<ParameterRecord>(reference.name);
  if (!record && !reference.other_name.empty()) {
    record = txn.peek<ParameterRecord>(reference.other_name);
  }
  if (!record) throw_invalid_id();
  ListTagsForResourceOutput out;
  out.tag_list.emplace();
  for (const auto& [key, value] : record->tags) out.tag_list->push_back({key, value});
  return out;
}

}  // namespace tarn::ssm
