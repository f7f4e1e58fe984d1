// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/intrinsics.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "services/cloudformation/cidr.hpp"
#include "services/cloudformation/references.hpp"

namespace tarn::cloudformation {
namespace {

constexpr std::size_t k_depth_of_conditions_max = 200;

[[noreturn]] void fail(std::string message) { throw TemplateError(std::move(message)); }

Json function(std::string_view name, Json argument) {
  JsonObject object;
  object[name] = std::move(argument);
  return object;
}

const JsonArray& list_of(const Json& argument, std::size_t count_min, std::size_t count_max,
                         const char* message) {
  const auto* list = argument.if_array();
  if (!list || list->size() < count_min || list->size() > count_max) fail(message);
  return *list;
}

constexpr const char* k_join_arguments =
    "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) "
    "a list of strings to be joined or a function that returns a list of strings (such as "
    "Fn::GetAZs) to be joined.";
constexpr const char* k_split_arguments =
    "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and "
    "(2) "
    "a string to be split or a function that returns a string to be split.";
constexpr const char* k_select_arguments =
    "Template error: Fn::Select requires a list argument with two elements: an integer index and a "
    "list";
constexpr const char* k_sub_arguments =
    "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. "
    "Specify a string as first argument, and an optional second argument to specify a mapping of "
    "values to replace in the string";
constexpr const char* k_map_arguments =
    "Template error: every Fn::FindInMap object requires three parameters, the map name, map key "
    "and the attribute for return value";

// Joins what is text; the rest stays a Fn::Join of runs of text and functions.
Json join_parts(const std::string& separator, const JsonArray& parts) {
  JsonArray runs;
  std::string text;
  bool begun = false;  // `text` holds a part
  for (const auto& part : parts) {
    const auto piece = is_function(part) ? std::nullopt : scalar_text(part);
    if (!piece && !is_unresolved(part)) fail(k_join_arguments);
    if (piece) {
      if (begun) text += separator;
      text += *piece;
      begun = true;
      continue;
    }
    if (begun) runs.push_back(Json(text));
    text.clear();
    begun = false;
    runs.push_back(part);
  }
  if (runs.empty()) return Json(text);
  if (begun) runs.push_back(Json(text));
  return function("Fn::Join", JsonArray{Json(separator), std::move(runs)});
}

}  // namespace

Json Evaluator::evaluate(const Json& value) {
  if (const auto* list = value.if_array()) {
    JsonArray out;
    for (const auto& item : *list) {
      Json result = evaluate(item);
      if (!is_no_value(result)) out.push_back(std::move(result));
    }
    return out;
  }
  const auto* object = value.if_object();
  if (!object) return value;
  if (is_function(value)) return call(function_name(value), function_argument(value));
  JsonObject out;
  for (const auto& [key, member] : *object) {
    if (key == "Fn::Transform") return call(key, member);
    if (key.starts_with("Fn::")) {
      fail(fmt::format("Template error: {} must be the only member of its object",
                       std::string_view(key)));
    }
    Json result = evaluate(member);
    if (!is_no_value(result)) out[key] = std::move(result);
  }
  return out;
}

Json Evaluator::call(std::string_view name, const Json& argument) {
  if (name == "Ref") return ref(argument);
  if (name == "Fn::GetAtt") return attribute(argument);
  if (name == "Fn::Sub") return sub(argument);
  if (name == "Fn::Join") return join(argument);
  if (name == "Fn::Select") return select(argument);
  if (name == "Fn::Split") return split_text(argument);
  if (name == "Fn::FindInMap") return find_in_map(argument);
  if (name == "Fn::Base64") return base64(argument);
  if (name == "Fn::Cidr") return cidr(argument);
  if (name == "Fn::GetAZs") return zones(argument);
  if (name == "Fn::ImportValue") return import_value(argument);
  if (name == "Fn::If") return if_else(argument);
  if (name == "Fn::Length") return length(argument);
  if (name == "Fn::ToJsonString") return json_string(argument);
  if (name == "Fn::And" || name == "Fn::Or" || name == "Fn::Not" || name == "Fn::Equals") {
    return boolean(function(name, argument));
  }
  if (name == "Fn::Transform") {
    fail(fmt::format("No transform named {} found.", string_or(argument, "Name", "(unnamed)")));
  }
  fail(fmt::format("Template error: unsupported function: {}", name));
}

std::optional<Json> Evaluator::ref_value(const std::string& name) {
  const auto& pseudo = surroundings_.pseudo;
  if (name == "AWS::AccountId") return Json(pseudo.account);
  if (name == "AWS::Region") return Json(pseudo.region);
  if (name == "AWS::Partition") return Json(pseudo.partition);
  if (name == "AWS::StackName") return Json(pseudo.stack_name);
  if (name == "AWS::StackId") return Json(pseudo.stack_id);
  if (name == "AWS::URLSuffix") return Json(pseudo.url_suffix);
  if (name == "AWS::NotificationARNs") {
    JsonArray arns;
    for (const auto& arn : pseudo.notification_arns) arns.push_back(Json(arn));
    return arns;
  }
  const auto it = surroundings_.parameters.find(name);
  if (it != surroundings_.parameters.end()) return it->second;
  if (surroundings_.ref) return surroundings_.ref(name);
  return std::nullopt;
}

Json Evaluator::ref(const Json& argument) {
  if (!argument.is_string()) {
    fail("Template format error: every Ref object must have a single String value.");
  }
  const std::string name(json_text(argument.get_string()));
  if (name == "AWS::NoValue") return no_value();
  auto value = ref_value(name);
  return value ? *std::move(value) : function("Ref", Json(name));
}

std::optional<Json> Evaluator::attribute_value(const std::string& logical_id,
                                               const std::string& attribute) {
  return surroundings_.attribute ? surroundings_.attribute(logical_id, attribute) : std::nullopt;
}

Json Evaluator::attribute(const Json& argument) {
  std::string id;
  Json name;
  if (argument.is_string()) {
    const std::string text(json_text(argument.get_string()));
    const auto dot = text.find('.');
    id = text.substr(0, dot);
    if (dot != std::string::npos) name = text.substr(dot + 1);
  } else if (const auto* list = argument.if_array();
             list && list->size() == 2 && (*list)[0].is_string()) {
    id = json_text((*list)[0].get_string());
    name = evaluate((*list)[1]);
  }
  if (id.empty() || name.is_null()) {
    fail(
        "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource "
        "name and the resource attribute");
  }
  if (is_unresolved(name)) return function("Fn::GetAtt", JsonArray{Json(id), name});
  const auto text = scalar_text(name);
  if (!text) fail("Template error: the attribute of Fn::GetAtt must be a string");
  auto value = attribute_value(id, *text);
  if (value) return *std::move(value);
  return function("Fn::GetAtt", JsonArray{Json(id), Json(*text)});
}

Json Evaluator::sub(const Json& argument) {
  const Json* text = &argument;
  JsonObject variables;
  if (const auto* list = argument.if_array()) {
    if (list->empty() || list->size() > 2) fail(k_sub_arguments);
    text = &(*list)[0];
    if (list->size() == 2) {
      if (!(*list)[1].is_object()) fail(k_sub_arguments);
      for (const auto& [name, value] : (*list)[1].get_object()) variables[name] = evaluate(value);
    }
  }
  if (!text->is_string()) fail(k_sub_arguments);
  JsonArray parts;
  for (auto& part : parse_sub(json_text(text->get_string()))) {
    if (!part.is_variable) {
      parts.push_back(Json(part.text));
      continue;
    }
    Json value;
    if (const auto* variable = variables.if_contains(part.text)) {
      value = *variable;
    } else if (const auto dot = part.text.find('.'); dot != std::string::npos) {
      value = attribute(JsonArray{Json(part.text.substr(0, dot)), Json(part.text.substr(dot + 1))});
    } else {
      value = ref(Json(part.text));
    }
    if (!is_unresolved(value) && !scalar_text(value)) {
      fail(fmt::format("Template error: Fn::Sub variable {} does not resolve to a string",
                       part.text));
    }
    parts.push_back(std::move(value));
  }
  return join_parts("", parts);
}

Json Evaluator::join(const Json& argument) {
  const auto& list = list_of(argument, 2, 2, k_join_arguments);
  if (!list[0].is_string()) fail(k_join_arguments);
  const std::string separator(json_text(list[0].get_string()));
  const Json items = evaluate(list[1]);
  if (is_function(items)) return function("Fn::Join", JsonArray{list[0], items});
  if (!items.is_array()) fail(k_join_arguments);
  return join_parts(separator, items.get_array());
}

Json Evaluator::select(const Json& argument) {
  const auto& list = list_of(argument, 2, 2, k_select_arguments);
  const Json index = evaluate(list[0]);
  const Json items = evaluate(list[1]);
  if (is_unresolved(index) || is_function(items)) {
    return function("Fn::Select", JsonArray{index, items});
  }
  const auto text = scalar_text(index);
  const auto position = text ? parse_int(*text) : std::nullopt;
  if (!position || !items.is_array()) fail(k_select_arguments);
  if (*position < 0 || static_cast<std::size_t>(*position) >= items.get_array().size()) {
    fail(fmt::format("Template error: Fn::Select cannot select nonexistent value at index {}",
                     *position));
  }
  return items.get_array()[static_cast<std::size_t>(*position)];
}

Json Evaluator::split_text(const Json& argument) {
  const auto& list = list_of(argument, 2, 2, k_split_arguments);
  const auto* separator = list[0].if_string();
  if (!separator || separator->empty()) fail(k_split_arguments);
  const Json text = evaluate(list[1]);
  if (is_unresolved(text)) return function("Fn::Split", JsonArray{list[0], text});
  if (!text.is_string()) fail(k_split_arguments);
  JsonArray parts;
  std::string_view rest = json_text(text.get_string());
  const std::string_view by = json_text(*separator);
  for (auto at = rest.find(by); at != std::string_view::npos; at = rest.find(by)) {
    parts.push_back(Json(rest.substr(0, at)));
    rest.remove_prefix(at + by.size());
  }
  parts.push_back(Json(rest));
  return parts;
}

std::string Evaluator::mapping_key(const Json& value) const {
  const auto text = scalar_text(value);
  if (!text) fail(k_map_arguments);
  return *text;
}

Json Evaluator::find_in_map(const Json& argument) {
  const auto& list = list_of(argument, 3, 4, k_map_arguments);
  const Json* fallback = nullptr;
  if (list.size() == 4) {
    fallback = find_member(list[3], "DefaultValue");
    if (!fallback) fail(k_map_arguments);
    require_extensions("DefaultValue of Fn::FindInMap");
  }
  JsonArray keys;
  for (std::size_t i = 0; i < 3; ++i) keys.push_back(evaluate(list[i]));
  if (is_unresolved(keys)) {
    fail("Template error: Fn::FindInMap must not depend on resources or imported values");
  }
  const auto name = mapping_key(keys[0]);
  const auto first = mapping_key(keys[1]);
  const auto second = mapping_key(keys[2]);
  const Json* found = nullptr;
  const auto* map = template_.mappings.if_contains(name);
  if (!map && !fallback) {
    fail(
        fmt::format("Template error: Mapping named '{}' is not present in the 'Mappings' section "
                    "of template.",
                    name));
  }
  if (map) {
    if (const Json* row = find_member(*map, first)) found = find_member(*row, second);
  }
  if (found) return *found;
  if (fallback) return evaluate(*fallback);
  fail(fmt::format("Template error: Unable to get mapping for {}::{}::{}", name, first, second));
}

Json Evaluator::base64(const Json& argument) {
  const Json text = evaluate(argument);
  if (is_unresolved(text)) return function("Fn::Base64", text);
  const auto plain = scalar_text(text);
  if (!plain) fail("Template error: every Fn::Base64 object must have a String-typed value.");
  return Json(to_base64(*plain));
}

Json Evaluator::cidr(const Json& argument) {
  static constexpr const char* k_arguments =
      "Template error: every Fn::Cidr object requires two parameters, (1) ipBlock and (2) count, "
      "and "
      "an optional third, cidrBits";
  const auto& list = list_of(argument, 2, 3, k_arguments);
  JsonArray values;
  for (const auto& item : list) values.push_back(evaluate(item));
  if (is_unresolved(values)) return function("Fn::Cidr", values);
  const auto number = [&](const Json& value) {
    const auto text = scalar_text(value);
    const auto parsed = text ? parse_int(*text) : std::nullopt;
    if (!parsed || *parsed < 0 || *parsed > 1000) fail(k_arguments);
    return static_cast<int>(*parsed);
  };
  const auto block = scalar_text(values[0]);
  if (!block) fail(k_arguments);
  std::optional<int> bits;
  if (values.size() == 3) bits = number(values[2]);
  JsonArray out;
  for (const auto& subnet : cidr_subnets(*block, number(values[1]), bits))
    out.push_back(Json(subnet));
  return out;
}

Json Evaluator::zones(const Json& argument) {
  const Json region = evaluate(argument);
  if (is_unresolved(region)) return function("Fn::GetAZs", region);
  auto name = scalar_text(region);
  if (!name) fail("Template error: every Fn::GetAZs object must have a String-typed value.");
  if (name->empty()) name = surroundings_.pseudo.region;
  return JsonArray{Json(*name + "a"), Json(*name + "b"), Json(*name + "c")};
}

Json Evaluator::import_value(const Json& argument) {
  const Json name = evaluate(argument);
  if (is_unresolved(name)) {
    fail(
        "Template error: the attribute in Fn::ImportValue must not depend on any resources, "
        "imported values, or Fn::GetAZs");
  }
  const auto text = scalar_text(name);
  if (!text) fail("Template error: the attribute in Fn::ImportValue must be a string");
  if (!surroundings_.import_value) return function("Fn::ImportValue", Json(*text));
  const auto value = surroundings_.import_value(*text);
  if (!value) fail(fmt::format("No export named {} found.", *text));
  return Json(*value);
}

Json Evaluator::if_else(const Json& argument) {
  const auto* list = argument.if_array();
  if (!list || list->size() != 3) {
    fail(
        "Template error: Fn::If requires a list argument with three elements: a condition name, "
        "the value if true and the value if false");
  }
  const bool truth = (*list)[0].is_string()
                         ? condition(std::string(json_text((*list)[0].get_string())))
                         : boolean((*list)[0]);
  return evaluate((*list)[truth ? 1 : 2]);
}

Json Evaluator::length(const Json& argument) {
  require_extensions("Fn::Length");
  const Json list = evaluate(argument);
  if (is_function(list)) return function("Fn::Length", list);
  if (!list.is_array()) fail("Template error: Fn::Length requires a list");
  return static_cast<std::int64_t>(list.get_array().size());
}

Json Evaluator::json_string(const Json& argument) {
  require_extensions("Fn::ToJsonString");
  const Json value = evaluate(argument);
  if (!value.is_array() && !value.is_object()) {
    fail("Template error: Fn::ToJsonString requires an object or a list");
  }
  if (is_unresolved(value)) return function("Fn::ToJsonString", value);
  return Json(dump_json(value));
}

void Evaluator::require_extensions(std::string_view function) const {
  if (template_.has_transform(k_language_extensions)) return;
  fail(fmt::format("Template error: {} needs the transform AWS::LanguageExtensions", function));
}

bool Evaluator::condition(const std::string& name) {
  if (const auto it = known_conditions_.find(name); it != known_conditions_.end())
    return it->second;
  const auto* definition = template_.conditions.if_contains(name);
  if (!definition) {
    fail(
        fmt::format("Template format error: Unresolved condition dependency {} in the Conditions "
                    "block of the template",
                    name));
  }
  const auto begin = std::find(open_conditions_.begin(), open_conditions_.end(), name);
  if (begin != open_conditions_.end() || open_conditions_.size() > k_depth_of_conditions_max) {
    const std::vector<std::string> circle(begin, open_conditions_.end());
    fail("Template format error: Circular dependencies for Conditions [" +
         tarn::join(circle, ", ") + "]");
  }
  open_conditions_.push_back(name);
  const bool truth = boolean(*definition);
  open_conditions_.pop_back();
  known_conditions_[name] = truth;
  return truth;
}

bool Evaluator::equals(const Json& argument) {
  static constexpr const char* k_arguments =
      "Template error: every Fn::Equals object requires a list of 2 string parameters.";
  const auto& list = list_of(argument, 2, 2, k_arguments);
  const Json left = evaluate(list[0]);
  const Json right = evaluate(list[1]);
  if (is_unresolved(left) || is_unresolved(right)) fail(k_arguments);
  const auto left_text = scalar_text(left);
  const auto right_text = scalar_text(right);
  if (left_text && right_text) return *left_text == *right_text;
  return json_equal(left, right);
}

bool Evaluator::boolean(const Json& value) {
  if (value.is_bool()) return value.get_bool();
  if (value.is_string() && (value == Json("true") || value == Json("false"))) {
    return value == Json("true");
  }
  const auto* object = value.if_object();
  if (object && object->size() == 1) {
    const auto& [key, argument] = *object->begin();
    if (key == "Condition" && argument.is_string()) {
      return condition(std::string(json_text(argument.get_string())));
    }
    if (key == "Fn::Equals") return equals(argument);
    if (key == "Fn::Not") {
      return !boolean(list_of(argument, 1, 1,
                              "Template error: every Fn::Not object requires one "
                              "boolean parameter.")[0]);
    }
    if (key == "Fn::And" || key == "Fn::Or") {
      const bool all = key == "Fn::And";
      const auto& list = list_of(argument, 2, 10,
                                 all ? "Template error: every Fn::And object requires a list of at "
                                       "least 2 and at most 10 boolean parameters."
                                     : "Template error: every Fn::Or object requires a list of at "
                                       "least 2 and at most 10 boolean parameters.");
      bool result = all;
      for (const auto& item : list) {
        const bool truth = boolean(item);  // each is checked, whatever the others say
        result = all ? (result && truth) : (result || truth);
      }
      return result;
    }
    if (key == "Fn::Contains" || key == "Fn::EachMemberIn" || key == "Fn::EachMemberEquals") {
      return rule_function(key, argument);
    }
  }
  fail(
      "Template format error: Conditions can only be boolean operations on parameters and other "
      "conditions");
}

bool Evaluator::rule_function(std::string_view name, const Json& argument) {
  const std::string message = fmt::format(
      "Template error: {} requires two parameters, a list and "
      "what it is compared with",
      name);
  const auto& list = list_of(argument, 2, 2, message.c_str());
  const Json left = evaluate(list[0]);
  const Json right = evaluate(list[1]);
  const auto* members = left.if_array();
  if (!members) fail(message);
  const auto same = [](const Json& a, const Json& b) { return scalar_text(a) == scalar_text(b); };
  if (name == "Fn::Contains") {
    return std::any_of(members->begin(), members->end(),
                       [&](const Json& item) { return same(item, right); });
  }
  if (name == "Fn::EachMemberEquals") {
    return std::all_of(members->begin(), members->end(),
                       [&](const Json& item) { return same(item, right); });
  }
  const auto* allowed = right.if_array();
  if (!allowed) fail(message);
  return std::all_of(members->begin(), members->end(), [&](const Json& item) {
    return std::any_of(allowed->begin(), allowed->end(),
                       [&](const Json& other) { return same(item, other); });
  });
}

std::map<std::string, bool> Evaluator::conditions() {
  for (const auto& [name, definition] : template_.conditions) condition(std::string(name));
  return known_conditions_;
}

void Evaluator::check_rules() {
  for (const auto& rule : template_.rules) {
    if (!rule.condition.is_null() && !boolean(rule.condition)) continue;
    for (const auto& [assertion, description] : rule.assertions) {
      if (boolean(assertion)) continue;
      fail(fmt::format("Template validation error: Rule {} failed: {}", rule.name,
                       description.empty() ? "an assertion does not hold" : description));
    }
  }
}

}  // namespace tarn::cloudformation
