// SPDX-License-Identifier: Apache-2.0
#include "services/ssm/parameter_filter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "aws/ssm/errors.hpp"
#include "base/strings.hpp"
#include "services/ssm/parameter_name.hpp"

namespace tarn::ssm {
namespace {

using Texts = std::vector<std::string>;

bool is_tag(const std::string& key) { return key.starts_with("tag:"); }

Texts valid_keys(FilterPlace place) {
  if (place == FilterPlace::by_path) return {"Type", "KeyId", "Label"};
  return {"Path", "Name", "Type", "KeyId", "Tier", "DataType"};
}

Texts valid_options(const std::string& key) {
  if (key == "Path") return {"Recursive", "OneLevel"};
  if (key == "Name") return {"BeginsWith", "Equals", "Contains"};
  return {"BeginsWith", "Equals"};
}

// The keys whose values are a closed set.
Texts valid_values(const std::string& key) {
  if (key == "Type") return {"String", "StringList", "SecureString"};
  if (key == "Tier") return {"Standard", "Advanced", "Intelligent-Tiering"};
  return {};
}

bool contains(const Texts& list, const std::string& text) {
  return std::ranges::find(list, text) != list.end();
}

void check_values(const ParameterFilter& filter) {
  if (filter.values.empty() && !is_tag(filter.key)) {
    throw InvalidFilterValue(
        fmt::format("The following filter values are missing: null for filter key {}", filter.key));
  }
  const Texts allowed = valid_values(filter.key);
  for (const auto& value : filter.values) {
    if (!allowed.empty() && filter.option == "Equals" && !contains(allowed, value)) {
      throw InvalidFilterOption(
          fmt::format("The following filter value is not valid: {}. Valid values include: [{}].",
                      value, join(allowed, ", ")));
    }
    if (filter.key == "Path") check_path(value);
  }
}

bool text_matches(const std::string& text, const ParameterFilter& filter) {
  return std::ranges::any_of(filter.values, [&](const std::string& value) {
    if (filter.option == "BeginsWith") return text.starts_with(value);
    if (filter.option == "Contains") return text.find(value) != std::string::npos;
    return text == value;
  });
}

// "/name" and "name" are the same to a filter.
bool name_matches(const std::string& name, const ParameterFilter& filter) {
  if (text_matches(name, filter)) return true;
  return name.starts_with('/') ? text_matches(name.substr(1), filter)
                               : text_matches("/" + name, filter);
}

bool tag_matches(const TagMap& tags, const ParameterFilter& filter) {
  const auto found = tags.find(filter.key.substr(4));
  if (found == tags.end()) return false;
  return filter.values.empty() || text_matches(found->second, filter);
}

bool one_matches(const ParameterRecord& parameter, const ParameterFilter& filter) {
  const auto& current = parameter.current;
  if (is_tag(filter.key)) return tag_matches(parameter.tags, filter);
  if (filter.key == "Name") return name_matches(parameter.name, filter);
  if (filter.key == "Type") return text_matches(current.type, filter);
  if (filter.key == "KeyId") return text_matches(current.key_id, filter);
  if (filter.key == "Tier") return text_matches(current.tier, filter);
  if (filter.key == "DataType") return text_matches(current.data_type, filter);
  if (filter.key == "Path") {
    return std::ranges::any_of(filter.values, [&](const std::string& path) {
      return is_below(parameter.name, path, filter.option == "Recursive");
    });
  }
  return true;  // Label
}

}  // namespace

std::vector<ParameterFilter> check_filters(std::vector<ParameterFilter> filters,
                                           FilterPlace place) {
  std::set<std::string> seen;
  for (auto& filter : filters) {
    const Texts keys = valid_keys(place);
    const bool tag = place == FilterPlace::describe && is_tag(filter.key);
    if (!tag && !contains(keys, filter.key)) {
      throw InvalidFilterKey(
          fmt::format("The following filter key is not valid: {}. Valid filter keys include: [{}].",
                      filter.key, join(keys, ", ")));
    }
    if (!seen.insert(filter.key).second) {
      throw InvalidFilterKey(
          fmt::format("The following filter is duplicated in the request: {}. A request can "
                      "contain only one occurrence of a specific filter.",
                      filter.key));
    }
    const Texts options = valid_options(filter.key);
    if (filter.option.empty()) filter.option = filter.key == "Path" ? "OneLevel" : "Equals";
    if (!contains(options, filter.option)) {
      throw InvalidFilterOption(
          fmt::format("The following filter option is not valid: {}. Valid options include: [{}].",
                      filter.option, join(options, ", ")));
    }
    check_values(filter);
  }
  return filters;
}

bool matches(const ParameterRecord& parameter, const std::vector<ParameterFilter>& filters) {
  return std::ranges::all_of(
      filters, [&](const ParameterFilter& filter) { return one_matches(parameter, filter); });
}

std::int64_t labelled_version(const ParameterRecord& parameter,
                              const std::vector<ParameterFilter>& filters) {
  const auto wanted = std::ranges::find(filters, "Label", &ParameterFilter::key);
  if (wanted == filters.end()) return parameter.current.number;
  std::int64_t newest = 0;
  for (const auto& [label, version] : parameter.labels) {
    if (text_matches(label, *wanted)) newest = std::max(newest, version);
  }
  return newest;
}

}  // namespace tarn::ssm
