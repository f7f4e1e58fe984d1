// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/references.hpp"

#include <algorithm>
#include <array>

#include "services/cloudformation/template_text.hpp"

namespace tarn::cloudformation {
namespace {

bool is_variable_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == ':';
}

void visit_sub(const Json& argument, const std::function<void(const Reference&)>& visit) {
  const Json* text = &argument;
  const JsonObject* variables = nullptr;
  if (const auto* list = argument.if_array(); list && !list->empty()) {
    text = &(*list)[0];
    if (list->size() > 1) {
      variables = (*list)[1].if_object();
      if (variables) {
        for (const auto& [name, value] : *variables) for_each_reference(value, visit);
      }
    }
  }
  if (!text->is_string()) return;
  for (const auto& part : parse_sub(json_text(text->get_string()))) {
    if (!part.is_variable || (variables && variables->contains(part.text))) continue;
    const auto dot = part.text.find('.');
    if (dot == std::string::npos) {
      visit({Reference::Kind::ref, part.text, "", true});
    } else {
      visit(
          {Reference::Kind::attribute, part.text.substr(0, dot), part.text.substr(dot + 1), true});
    }
  }
}

void visit_attribute(const Json& argument, const std::function<void(const Reference&)>& visit) {
  if (argument.is_string()) {
    const std::string text(json_text(argument.get_string()));
    const auto dot = text.find('.');
    if (dot == std::string::npos) {
      throw TemplateError(
          "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource "
          "name and the resource attribute");
    }
    visit({Reference::Kind::attribute, text.substr(0, dot), text.substr(dot + 1)});
    return;
  }
  const auto* list = argument.if_array();
  if (!list || list->size() != 2 || !(*list)[0].is_string()) {
    throw TemplateError(
        "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource "
        "name and the resource attribute");
  }
  Reference reference{Reference::Kind::attribute, std::string(json_text((*list)[0].get_string()))};
  if ((*list)[1].is_string()) reference.attribute = json_text((*list)[1].get_string());
  visit(reference);
  for_each_reference((*list)[1], visit);
}

}  // namespace

void for_each_reference(const Json& value, const std::function<void(const Reference&)>& visit) {
  if (const auto* list = value.if_array()) {
    for (const auto& item : *list) for_each_reference(item, visit);
    return;
  }
  const auto* object = value.if_object();
  if (!object) return;
  if (object->size() == 1) {
    const auto& [key, argument] = *object->begin();
    if (key == "Ref") {
      if (!argument.is_string()) {
        throw TemplateError(
            "Template format error: every Ref object must have a single String "
            "value.");
      }
      visit({Reference::Kind::ref, std::string(json_text(argument.get_string()))});
      return;
    }
    if (key == "Condition" && argument.is_string()) {
      visit({Reference::Kind::condition, std::string(json_text(argument.get_string()))});
      return;
    }
    if (key == "Fn::GetAtt") return visit_attribute(argument, visit);
    if (key == "Fn::Sub") return visit_sub(argument, visit);
    if (key == "Fn::If") {
      if (const auto* list = argument.if_array();
          list && list->size() == 3 && (*list)[0].is_string()) {
        visit({.kind = Reference::Kind::condition,
               .name = std::string(json_text((*list)[0].get_string())),
               .in_if = true});
      }
    }
  }
  for (const auto& [key, member] : *object) for_each_reference(member, visit);
}

std::vector<SubPart> parse_sub(std::string_view text) {
  std::vector<SubPart> parts;
  std::string literal;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto open = text.find("${", at);
    const auto close = open == std::string_view::npos ? open : text.find('}', open);
    if (close == std::string_view::npos) break;
    literal.append(text.substr(at, open - at));
    const auto name = text.substr(open + 2, close - open - 2);
    at = close + 1;
    if (name.starts_with('!')) {
      literal.append("${").append(name.substr(1)).append("}");
      continue;
    }
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_variable_character)) {
      throw TemplateError(
          "Template error: variable names in Fn::Sub syntax must contain only alphanumeric "
          "characters, underscores, periods, and colons");
    }
    if (!literal.empty()) parts.push_back({std::move(literal), false});
    literal.clear();
    parts.push_back({std::string(name), true});
  }
  if (at < text.size()) literal.append(text.substr(at));
  if (!literal.empty()) parts.push_back({std::move(literal), false});
  return parts;
}

bool is_function(const Json& value) { return !function_name(value).empty(); }

std::string_view function_name(const Json& value) {
  const auto* object = value.if_object();
  if (!object || object->size() != 1) return {};
  const std::string_view key = object->begin()->key();
  if (key == "Ref" || key.starts_with("Fn::")) return key;
  return {};
}

const Json& function_argument(const Json& value) { return value.get_object().begin()->value(); }

bool is_unresolved(const Json& value) {
  if (const auto* list = value.if_array()) {
    return std::any_of(list->begin(), list->end(), is_unresolved);
  }
  const auto* object = value.if_object();
  if (!object) return false;
  if (is_function(value)) return true;
  return std::any_of(object->begin(), object->end(),
                     [](const auto& member) { return is_unresolved(member.value()); });
}

bool is_pseudo_parameter(std::string_view name) {
  static constexpr std::array<std::string_view, 8> k_names = {
      "AWS::AccountId", "AWS::NoValue",   "AWS::NotificationARNs", "AWS::Partition",
      "AWS::Region",    "AWS::StackName", "AWS::StackId",          "AWS::URLSuffix"};
  return std::find(k_names.begin(), k_names.end(), name) != k_names.end();
}

Json no_value() {
  JsonObject object;
  object["Ref"] = "AWS::NoValue";
  return object;
}

bool is_no_value(const Json& value) {
  return function_name(value) == "Ref" && function_argument(value) == Json("AWS::NoValue");
}

std::optional<std::string> scalar_text(const Json& value) {
  switch (value.kind()) {
    case JsonKind::string: return std::string(json_text(value.get_string()));
    case JsonKind::bool_: return value.get_bool() ? "true" : "false";
    case JsonKind::int64: return std::to_string(value.get_int64());
    case JsonKind::uint64: return std::to_string(value.get_uint64());
    case JsonKind::double_: return dump_double(value.get_double());
    default: return std::nullopt;
  }
}

}  // namespace tarn::cloudformation
