// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/type_description.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "services/cloudformation/references.hpp"
#include "services/cloudformation/template_text.hpp"

namespace tarn::cloudformation {
namespace {

constexpr int k_depth_max = 64;

// Follows a reference to a definition.
const Json& resolve_node(const Json& schema, const Json& node) {
  static const Json k_any("j");
  const Json* at = &node;
  for (int depth = 0; depth < 8; ++depth) {
    const auto name = find_string(*at, "$");
    if (!name) return *at;
    const Json* definitions = find_member(schema, "definitions");
    const Json* found = definitions ? find_member(*definitions, *name) : nullptr;
    if (!found) return k_any;
    at = found;
  }
  return k_any;
}

std::string_view scalar_kind(const Json& node) {
  return node.is_string() ? json_text(node.get_string()) : std::string_view();
}

std::string_view kind_word(const Json& value) {
  switch (value.kind()) {
    case JsonKind::string: return "String";
    case JsonKind::bool_: return "Boolean";
    case JsonKind::int64:
    case JsonKind::uint64: return "Integer";
    case JsonKind::double_: return "Number";
    case JsonKind::array: return "JSONArray";
    case JsonKind::object: return "JSONObject";
    default: return "Null";
  }
}

Json convert(const Json& schema, const Json& node_or_reference, const Json& value, int depth) {
  const Json& node = resolve_node(schema, node_or_reference);
  if (depth > k_depth_max || is_function(value)) return value;
  const auto kind = scalar_kind(node);
  if (kind == "s") {
    const auto text = scalar_text(value);
    return text ? Json(*text) : value;
  }
  if (kind == "b" && value.is_string()) {
    const auto text = to_lower(json_text(value.get_string()));
    if (text == "true" || text == "false") return text == "true";
    return value;
  }
  if ((kind == "i" || kind == "n") && value.is_string()) {
    const auto text = json_text(value.get_string());
    if (const auto integer = parse_int(text)) return *integer;
    if (const auto real = parse_double(text); real && kind == "n") return *real;
    return value;
  }
  if (const Json* item = find_member(node, "a"); item && value.is_array()) {
    JsonArray out;
    for (const auto& member : value.get_array()) {
      out.push_back(convert(schema, *item, member, depth + 1));
    }
    return out;
  }
  if (!value.is_object()) return value;
  const Json* members = find_member(node, "p");
  const Json* others = find_member(node, "m");
  if (!members && !others) return value;
  JsonObject out;
  for (const auto& [key, member] : value.get_object()) {
    const Json* known = members ? find_member(*members, key) : nullptr;
    if (!known) known = others;
    out[key] = known ? convert(schema, *known, member, depth + 1) : member;
  }
  return out;
}

class Checker {
 public:
  Checker(const TypeDescription& type, const std::string& logical_id)
      : type_(type),
        logical_id_(logical_id) {}

  [[noreturn]] void refuse(const std::string& path, std::string_view what) const {
    throw TemplateError(
        fmt::format("Properties validation failed for resource {} with message: "
                    "#{}: {}",
                    logical_id_, path, what));
  }

  void check(const Json& node_or_reference, const Json& value, const std::string& path,
             int depth) const {
    const Json& node = resolve_node(type_.schema, node_or_reference);
    if (depth > k_depth_max || is_function(value)) return;
    const auto kind = scalar_kind(node);
    if (!kind.empty()) return check_scalar(kind, value, path);
    if (const Json* item = find_member(node, "a")) {
      if (!value.is_array()) expected(path, "JSONArray", value);
      for (std::size_t i = 0; i < value.get_array().size(); ++i) {
        check(*item, value.get_array()[i], path + "/" + std::to_string(i), depth + 1);
      }
      return;
    }
    if (!value.is_object()) expected(path, "JSONObject", value);
    check_object(node, value.get_object(), path, depth);
  }

 private:
  [[noreturn]] void expected(const std::string& path, std::string_view kind,
                             const Json& value) const {
    refuse(path, fmt::format("expected type: {}, found: {}", kind, kind_word(value)));
  }

  void check_scalar(std::string_view kind, const Json& value, const std::string& path) const {
    if (kind == "s" && !value.is_string()) expected(path, "String", value);
    if (kind == "b" && !value.is_bool()) expected(path, "Boolean", value);
    if (kind == "i" && !value.is_int64() && !value.is_uint64()) {
      const bool whole =
          value.is_double() &&
          value.get_double() == static_cast<double>(static_cast<long long>(value.get_double()));
      if (!whole) expected(path, "Integer", value);
    }
    if (kind == "n" && !value.is_number()) expected(path, "Number", value);
  }

  void check_object(const Json& node, const JsonObject& object, const std::string& path,
                    int depth) const {
    const Json* members = find_member(node, "p");
    const Json* others = find_member(node, "m");
    const bool open = find_member(node, "open") != nullptr;
    for (const auto& [key, member] : object) {
      const Json* known = members ? find_member(*members, key) : nullptr;
      if (!known) known = others;
      if (!known && members && !open) {
        refuse(path, fmt::format("extraneous key [{}] is not permitted", std::string_view(key)));
      }
      if (known) check(*known, member, path + "/" + std::string(key), depth + 1);
    }
    if (const Json* required = find_member(node, "r")) {
      for (const auto& name : required->get_array()) {
        if (!object.contains(name.get_string())) {
          refuse(path, fmt::format("required key [{}] not found", json_text(name.get_string())));
        }
      }
    }
  }

  const TypeDescription& type_;
  const std::string& logical_id_;
};

// "A.B" entries of the accepted names limit the object A.
bool accepts(const TypeDescription& type, const std::string& name) {
  if (type.properties.contains(name)) return true;
  const auto it = type.properties.lower_bound(name + ".");
  return it != type.properties.end() && it->starts_with(name + ".");
}

void check_accepted(const TypeDescription& type, const std::string& logical_id, const Json& value,
                    const std::string& prefix, int depth) {
  if (depth > k_depth_max || is_function(value)) return;
  if (const auto* list = value.if_array()) {
    for (const auto& item : *list) check_accepted(type, logical_id, item, prefix, depth + 1);
    return;
  }
  const auto* object = value.if_object();
  if (!object) return;
  for (const auto& [key, member] : *object) {
    const std::string name = prefix + std::string(key);
    if (!accepts(type, name)) {
      throw TemplateError(
          fmt::format("Template validation error: Encountered unsupported property "
                      "{} in resource {} of type {}",
                      name, logical_id, type.name));
    }
    if (!type.properties.contains(name)) {
      check_accepted(type, logical_id, member, name + ".", depth + 1);
    }
  }
}

const Json* member_at(const Json* value, const std::vector<std::string>& path, std::size_t from) {
  for (std::size_t i = from; value && i < path.size(); ++i) value = find_member(*value, path[i]);
  return value;
}

bool same(const Json* left, const Json* right) {
  if (!left || !right) return left == right;
  return json_equal(*left, *right);
}

bool changes_listed(const TypeDescription& type, const char* list_name, const std::string& name,
                    const Json* before, const Json* after) {
  const Json* list = find_member(type.schema, list_name);
  if (!list) return false;
  for (const auto& item : list->get_array()) {
    const auto path = split(json_text(item.get_string()), '/');
    if (path.empty() || path[0] != name) continue;
    if (path.size() == 1 || is_unresolved(before ? *before : Json()) ||
        is_unresolved(after ? *after : Json())) {
      return true;
    }
    if (!same(member_at(before, path, 1), member_at(after, path, 1))) return true;
  }
  return false;
}

}  // namespace

void check_properties(const TypeDescription& type, const std::string& logical_id,
                      const Json& properties) {
  if (!type.any_property) check_accepted(type, logical_id, properties, "", 0);
  const Checker checker(type, logical_id);
  const auto require = [&](std::string_view name) {
    if (!find_member(properties, name)) {
      checker.refuse("", fmt::format("required key [{}] not found", name));
    }
  };
  for (const auto& name : type.required) require(name);
  if (!type.schema.is_object()) return;
  if (const Json* required = find_member(type.schema, "required")) {
    for (const auto& name : required->get_array()) require(json_text(name.get_string()));
  }
  const Json* nodes = find_member(type.schema, "properties");
  if (!nodes) return;
  const Json converted = convert_properties(type, properties);
  for (const auto& [key, member] : converted.get_object()) {
    if (const Json* node = find_member(*nodes, key)) {
      checker.check(*node, member, "/" + std::string(key), 0);
    }
  }
}

Json convert_properties(const TypeDescription& type, const Json& properties) {
  const Json* nodes = find_member(type.schema, "properties");
  if (!nodes || !properties.is_object()) return properties;
  JsonObject out;
  for (const auto& [key, member] : properties.get_object()) {
    const Json* node = find_member(*nodes, key);
    out[key] = node ? convert(type.schema, *node, member, 0) : member;
  }
  return out;
}

bool may_have_attribute(const TypeDescription& type, std::string_view attribute) {
  const Json* attributes = find_member(type.schema, "attributes");
  if (!attributes || type.any_property) return true;
  if (type.name == "AWS::CloudFormation::Stack" && attribute.starts_with("Outputs.")) return true;
  const auto& list = attributes->get_array();
  const auto listed = [&](const Json& item) { return json_text(item.get_string()) == attribute; };
  if (std::any_of(list.begin(), list.end(), listed)) return true;
  const Json* nodes = find_member(type.schema, "properties");
  return nodes && find_member(*nodes, attribute.substr(0, attribute.find('.'))) != nullptr;
}

Recreation recreation_of(const TypeDescription& type, const std::string& name, const Json* before,
                         const Json* after) {
  if (type.replacing.contains(name)) return Recreation::always;
  if (changes_listed(type, "createOnly", name, before, after)) return Recreation::always;
  if (changes_listed(type, "conditional", name, before, after)) return Recreation::conditionally;
  return Recreation::never;
}

}  // namespace tarn::cloudformation
