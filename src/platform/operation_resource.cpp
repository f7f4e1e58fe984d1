// SPDX-License-Identifier: Apache-2.0
#include "platform/operation_resource.hpp"

#include <algorithm>

namespace tarn::platform {

bool OperationResource::is_named(const ResourceRequest& request) const {
  return !facts_.name_property.empty() &&
         find_member(request.properties, facts_.name_property) != nullptr;
}

std::string OperationResource::choose_physical_id(const ResourceRequest& request,
                                                  Random& random) const {
  if (is_named(request)) return string_or(request.properties, facts_.name_property);
  if (facts_.name_length_max == 0) return {};
  return generated_name(request, random, facts_.name_length_max, facts_.lower_case);
}

Task<bool> OperationResource::is_ours(ResourceRequest&) const { co_return false; }

Task<ResourceProgress> OperationResource::create(ResourceRequest request) const {
  std::optional<aws::ApiError> existing;
  try {
    co_await make(request);
  } catch (const aws::ApiError& error) {
    if (!facts_.exists.contains(error.code)) throw;
    existing = error;
  }
  if (existing && is_named(request)) {
    const bool ours = co_await is_ours(request);
    if (!ours) throw aws::ApiError(*existing);
  }
  request.previous_properties = JsonObject();
  ResourceProgress progress;
  progress.attributes = co_await settle(request);
  progress.physical_id = request.physical_id;
  co_return progress;
}

Task<ResourceProgress> OperationResource::update(ResourceRequest request) const {
  ResourceProgress progress;
  progress.attributes = co_await settle(request);
  progress.physical_id = request.physical_id;
  co_return progress;
}

Task<ResourceProgress> OperationResource::remove(ResourceRequest request) const {
  try {
    co_await erase(request);
  } catch (const aws::ApiError& error) {
    if (!facts_.gone.contains(error.code)) throw;
  }
  ResourceProgress progress;
  progress.physical_id = request.physical_id;
  co_return progress;
}

namespace {

ResourceTags own_tags(const Json& properties) {
  ResourceTags tags;
  const Json* given = find_member(properties, "Tags");
  if (!given) return tags;
  if (const auto* list = given->if_array()) {
    for (const Json& tag : *list) tags[string_or(tag, "Key")] = string_or(tag, "Value");
  } else if (const auto* map = given->if_object()) {
    for (const auto& [key, value] : *map) {
      tags[key] = value.is_string() ? std::string(json_text(value.get_string())) : dump_json(value);
    }
  }
  return tags;
}

}  // namespace

ResourceTags wanted_tags(const ResourceRequest& request) {
  ResourceTags tags = own_tags(request.properties);
  tags.insert(request.tags.begin(), request.tags.end());
  return tags;
}

std::vector<std::string> dropped_tags(const ResourceRequest& request) {
  const auto wanted = wanted_tags(request);
  std::vector<std::string> keys;
  for (const auto& [key, value] : own_tags(request.previous_properties)) {
    if (!wanted.contains(key)) keys.push_back(key);
  }
  return keys;
}

bool are_our_tags(const ResourceTags& tags, const ResourceRequest& request) {
  const auto same = [&](const char* key, const std::string& value) {
    const auto found = tags.find(key);
    return found != tags.end() && found->second == value;
  };
  return same("aws:cloudformation:stack-id", request.stack_id) &&
         same("aws:cloudformation:logical-id", request.logical_id);
}

std::vector<std::string> text_list(const Json& properties, std::string_view name) {
  std::vector<std::string> texts;
  const Json* member = find_member(properties, name);
  const auto* list = member ? member->if_array() : nullptr;
  if (!list) return texts;
  for (const Json& item : *list) {
    if (item.is_string()) texts.emplace_back(json_text(item.get_string()));
  }
  return texts;
}

std::vector<std::string> missing_from(const std::vector<std::string>& after,
                                      const std::vector<std::string>& before) {
  std::vector<std::string> missing;
  std::ranges::copy_if(before, std::back_inserter(missing), [&](const std::string& text) {
    return std::ranges::find(after, text) == after.end();
  });
  return missing;
}

std::string document_text(const Json& properties, std::string_view name) {
  const Json* document = find_member(properties, name);
  if (!document) return {};
  if (document->is_string()) return std::string(json_text(document->get_string()));
  return dump_json(*document);
}

}  // namespace tarn::platform
