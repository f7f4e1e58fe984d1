// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/for_each.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <string>

#include "base/strings.hpp"
#include "services/cloudformation/references.hpp"
#include "services/cloudformation/template_text.hpp"

namespace tarn::cloudformation {
namespace {

constexpr std::string_view k_prefix = "Fn::ForEach::";
constexpr std::size_t k_expanded_members_max = 20'000;

using Variables = std::map<std::string, std::string>;

[[noreturn]] void refuse(std::string_view loop, std::string_view why) {
  throw TemplateError(fmt::format("Template error: {} {}", loop, why));
}

std::string alphanumeric(const std::string& text) {
  std::string out;
  for (const unsigned char c : text) {
    if (std::isalnum(c)) out.push_back(static_cast<char>(c));
  }
  return out;
}

class Expander {
 public:
  explicit Expander(const std::function<Json(const Json&)>& collection) : collection_(collection) {}

  Json expand(const Json& value, const Variables& variables) {
    if (const auto* text = value.if_string()) {
      return Json(replace(std::string(json_text(*text)), variables));
    }
    if (const auto* list = value.if_array()) {
      JsonArray out;
      for (const auto& item : *list) out.push_back(expand(item, variables));
      return out;
    }
    const auto* object = value.if_object();
    if (!object) return value;
    if (function_name(value) == "Ref" && function_argument(value).is_string()) {
      const auto it = variables.find(std::string(json_text(function_argument(value).get_string())));
      if (it != variables.end()) return Json(it->second);
    }
    JsonObject out;
    for (const auto& [key, member] : *object) {
      if (key.starts_with(k_prefix)) {
        loop(key, member, variables, out);
      } else {
        put(out, replace(std::string(key), variables), expand(member, variables));
      }
    }
    return out;
  }

 private:
  static std::string replace(std::string text, const Variables& variables) {
    for (const auto& [name, value] : variables) {
      text = replace_all(text, "${" + name + "}", value);
      text = replace_all(text, "&{" + name + "}", alphanumeric(value));
    }
    return text;
  }

  void put(JsonObject& out, const std::string& key, Json value) {
    if (++members_ > k_expanded_members_max) {
      throw TemplateError("Template error: the loops of the template expand to too much");
    }
    out[key] = std::move(value);
  }

  void loop(std::string_view name, const Json& argument, const Variables& outer, JsonObject& out) {
    const auto* list = argument.if_array();
    if (!list || list->size() != 3 || !(*list)[0].is_string() || !(*list)[2].is_object()) {
      refuse(name, "requires an identifier, a collection and an output template");
    }
    const std::string identifier(json_text((*list)[0].get_string()));
    const Json items = collection_(expand((*list)[1], outer));
    if (!items.is_array()) refuse(name, "requires a collection that is a list");
    for (const auto& item : items.get_array()) {
      const auto text = scalar_text(item);
      if (!text) refuse(name, "requires a collection of strings");
      Variables inner = outer;
      if (!inner.emplace(identifier, *text).second) refuse(name, "repeats an outer identifier");
      const Json body = expand((*list)[2], inner);
      for (const auto& [key, member] : body.get_object()) {
        if (out.contains(key)) refuse(name, fmt::format("makes {} twice", std::string_view(key)));
        put(out, std::string(key), member);
      }
    }
  }

  const std::function<Json(const Json&)>& collection_;
  std::size_t members_ = 0;
};

// The name in a Ref or Fn::GetAtt, where a function stands for it.
const Json* computed_name(const Json& value) {
  const auto name = function_name(value);
  const Json* at = nullptr;
  if (name == "Ref") at = &function_argument(value);
  if (name == "Fn::GetAtt") {
    const auto* list = function_argument(value).if_array();
    if (list && !list->empty()) at = &list->front();
  }
  return at && is_function(*at) ? at : nullptr;
}

}  // namespace

Json expand_loops(const Json& value, const std::function<Json(const Json&)>& collection) {
  return Expander(collection).expand(value, {});
}

bool has_loops(const Json& value) {
  if (const auto* list = value.if_array())
    return std::any_of(list->begin(), list->end(), has_loops);
  const auto* object = value.if_object();
  if (!object) return false;
  return std::any_of(object->begin(), object->end(), [](const auto& member) {
    return member.key().starts_with(k_prefix) || has_loops(member.value());
  });
}

Json compute_names(const Json& value, const std::function<Json(const Json&)>& evaluate) {
  if (const auto* list = value.if_array()) {
    JsonArray out;
    for (const auto& item : *list) out.push_back(compute_names(item, evaluate));
    return out;
  }
  const auto* object = value.if_object();
  if (!object) return value;
  JsonObject out;
  for (const auto& [key, member] : *object) out[key] = compute_names(member, evaluate);
  const Json* name = computed_name(value);
  if (!name) return out;
  Json text = evaluate(*name);
  if (!text.is_string()) {
    throw TemplateError(fmt::format("Template error: the name in {} must be known beforehand",
                                    function_name(value)));
  }
  auto& argument = out.begin()->value();
  (argument.is_array() ? argument.as_array().front() : argument) = std::move(text);
  return out;
}

bool has_computed_names(const Json& value) {
  if (const auto* list = value.if_array()) {
    return std::any_of(list->begin(), list->end(), has_computed_names);
  }
  const auto* object = value.if_object();
  if (!object) return false;
  return computed_name(value) ||
         std::any_of(object->begin(), object->end(),
                     [](const auto& member) { return has_computed_names(member.value()); });
}

}  // namespace tarn::cloudformation
