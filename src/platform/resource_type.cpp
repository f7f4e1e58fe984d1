// SPDX-License-Identifier: Apache-2.0
#include "platform/resource_type.hpp"

#include "base/check.hpp"
#include "base/strings.hpp"

namespace tarn::platform {

std::string ResourceType::choose_physical_id(const ResourceRequest&, Random&) const { return {}; }

std::string generated_name(const ResourceRequest& request, Random& random, std::size_t length_max,
                           bool lower_case) {
  constexpr std::string_view k_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  constexpr std::size_t k_suffix = 12;
  std::string stem = request.stack_name + "-" + request.logical_id;
  const std::size_t stem_max = length_max - k_suffix - 1;
  if (stem.size() > stem_max) {
    // As AWS does: the stack's name and the logical id share what room there is.
    const std::size_t half = (stem_max - 1) / 2;
    const std::string stack = request.stack_name.substr(
        0, std::max(half, stem_max - 1 - std::min(stem_max - 1, request.logical_id.size())));
    stem = stack + "-" + request.logical_id.substr(0, stem_max - 1 - stack.size());
  }
  std::string name = stem + "-" + random.text(k_suffix, k_alphabet);
  return lower_case ? to_lower(name) : name;
}

void ResourceTypes::add(std::unique_ptr<ResourceType> type) {
  const std::string name(type->name());
  TARN_CHECK(types_.emplace(name, std::move(type)).second);
}

const ResourceType* ResourceTypes::find(std::string_view name) const {
  const auto found = types_.find(name);
  return found == types_.end() ? nullptr : found->second.get();
}

std::vector<std::string> ResourceTypes::names() const {
  std::vector<std::string> names;
  for (const auto& [name, type] : types_) names.push_back(name);
  return names;
}

}  // namespace tarn::platform
