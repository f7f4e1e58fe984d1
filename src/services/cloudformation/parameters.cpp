// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/parameters.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <regex>

#include "base/strings.hpp"

namespace tarn::cloudformation {
namespace {

[[noreturn]] void fail(const ParameterDefinition& definition, std::string_view rule) {
  if (!definition.constraint_description.empty()) {
    throw TemplateError(fmt::format("Parameter '{}' failed to satisfy constraint: {}",
                                    definition.name, definition.constraint_description));
  }
  throw TemplateError(fmt::format("Parameter '{}' {}", definition.name, rule));
}

std::vector<std::string> list_items(const std::string& text) {
  std::vector<std::string> items;
  if (text.empty()) return items;
  for (const auto& item : split(text, ',')) items.emplace_back(trim(item));
  return items;
}

// RE2 first (linear time); patterns with look-around fall back to the standard library's.
bool matches(const ParameterDefinition& definition, const std::string& text) {
  const std::string& pattern = *definition.allowed_pattern;
  RE2::Options quiet;
  quiet.set_log_errors(false);
  const RE2 fast(pattern, quiet);
  if (fast.ok()) return RE2::FullMatch(text, fast);
  try {
    return std::regex_match(text, std::regex(pattern));
  } catch (const std::regex_error&) {
    throw TemplateError(
        fmt::format("Template format error: Parameter '{}' has an invalid "
                    "AllowedPattern {}",
                    definition.name, pattern));
  }
}

void check_text(const ParameterDefinition& definition, const std::string& text) {
  const auto& allowed = definition.allowed_values;
  if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
    fail(definition, fmt::format("must be one of AllowedValues"));
  }
  if (definition.allowed_pattern && !matches(definition, text)) {
    fail(definition, "must match pattern " + *definition.allowed_pattern);
  }
  const auto length = static_cast<std::int64_t>(text.size());
  if (definition.length_min && length < *definition.length_min) {
    fail(definition, fmt::format("must contain at least {} characters", *definition.length_min));
  }
  if (definition.length_max && length > *definition.length_max) {
    fail(definition, fmt::format("must contain at most {} characters", *definition.length_max));
  }
  if (!definition.is_number()) return;
  const auto number = parse_double(text);
  if (!number) {
    throw TemplateError(fmt::format("Parameter '{}' must be a number.", definition.name));
  }
  if (definition.value_min && *number < *definition.value_min) {
    fail(definition, fmt::format("must be a number not less than {}", *definition.value_min));
  }
  if (definition.value_max && *number > *definition.value_max) {
    fail(definition, fmt::format("must be a number not greater than {}", *definition.value_max));
  }
}

void check_value(const ParameterDefinition& definition, const std::string& text) {
  if (!definition.is_list() || !definition.ssm_value_type().empty()) {
    check_text(definition, text);
    return;
  }
  for (const auto& item : list_items(text)) check_text(definition, item);
}

std::string bracketed(const std::vector<std::string>& names) {
  return "[" + join(names, ", ") + "]";
}

template <class Items>
auto find_by_name(const Items& items, const std::string& name) -> decltype(&*items.begin()) {
  for (const auto& item : items) {
    if (item.name == name) return &item;
  }
  return nullptr;
}

}  // namespace

std::vector<ParameterValue> choose_parameters(const Template& whole,
                                              const std::vector<ParameterInput>& inputs,
                                              const std::vector<ParameterValue>& previous) {
  std::vector<std::string> unknown;
  for (const auto& input : inputs) {
    if (!whole.parameter(input.name)) unknown.push_back(input.name);
  }
  if (!unknown.empty()) {
    throw TemplateError("Parameters: " + bracketed(unknown) + " do not exist in the template");
  }
  std::vector<ParameterValue> values;
  std::vector<std::string> missing;
  for (const auto& definition : whole.parameters) {
    const auto* input = find_by_name(inputs, definition.name);
    const auto* before = find_by_name(previous, definition.name);
    std::optional<std::string> text;
    if (input && input->use_previous_value) {
      if (!before) {
        throw TemplateError(
            fmt::format("Invalid input for parameter key {}. Cannot specify usePreviousValue as "
                        "true for a parameter key not in the previous template",
                        definition.name));
      }
      text = before->text;
    } else if (input && input->value) {
      text = input->value;
    } else {
      text = definition.fallback;
    }
    if (!text) {
      missing.push_back(definition.name);
      continue;
    }
    check_value(definition, *text);
    values.push_back({definition.name, *text, "", definition.no_echo});
  }
  if (!missing.empty())
    throw TemplateError("Parameters: " + bracketed(missing) + " must have values");
  return values;
}

std::map<std::string, Json, std::less<>> bind_parameters(
    const Template& whole, const std::vector<ParameterValue>& values) {
  std::map<std::string, Json, std::less<>> bound;
  for (const auto& value : values) {
    const auto* definition = whole.parameter(value.name);
    if (!definition) continue;
    const auto& text = definition->ssm_value_type().empty() ? value.text : value.resolved;
    if (!definition->is_list()) {
      bound[value.name] = Json(text);
      continue;
    }
    JsonArray items;
    for (const auto& item : list_items(text)) items.push_back(Json(item));
    bound[value.name] = std::move(items);
  }
  return bound;
}

}  // namespace tarn::cloudformation
