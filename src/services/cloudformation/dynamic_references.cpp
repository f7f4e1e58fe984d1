// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/dynamic_references.hpp"

#include <algorithm>
#include <optional>

#include "base/strings.hpp"
#include "services/cloudformation/template_text.hpp"

namespace tarn::cloudformation {
namespace {

constexpr std::string_view k_open = "{{resolve:";

[[noreturn]] void refuse(const std::string& text) {
  throw TemplateError("Incorrect format is used in the following dynamic reference: [" + text +
                      "]");
}

std::string next_part(std::string_view& rest) {
  const auto colon = rest.find(':');
  const std::string part(rest.substr(0, colon));
  rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  return part;
}

// An ARN of a secret has six colons of its own.
std::string secret_id(std::string_view& rest) {
  if (!rest.starts_with("arn:")) return next_part(rest);
  std::string id = next_part(rest);
  for (int i = 0; i < 6; ++i) id += ":" + next_part(rest);
  return id;
}

DynamicReference parse(const std::string& text) {
  std::string_view rest = std::string_view(text).substr(k_open.size());
  rest.remove_suffix(2);
  DynamicReference reference;
  reference.text = text;
  const auto service = next_part(rest);
  if (service == "secretsmanager") {
    reference.service = DynamicReference::Service::secretsmanager;
    reference.name = secret_id(rest);
    const auto kind = next_part(rest);
    if (!kind.empty() && kind != "SecretString") refuse(text);
    reference.json_key = next_part(rest);
    reference.version_stage = next_part(rest);
    reference.version_id = next_part(rest);
    if (!reference.version_stage.empty() && !reference.version_id.empty()) refuse(text);
  } else if (service == "ssm" || service == "ssm-secure") {
    reference.service =
        service == "ssm" ? DynamicReference::Service::ssm : DynamicReference::Service::ssm_secure;
    // A parameter may be named by its ARN, too.
    reference.name = rest.starts_with("arn:") ? std::string() : next_part(rest);
    if (reference.name.empty() && !rest.empty()) {
      reference.name = next_part(rest);
      for (int i = 0; i < 5; ++i) reference.name += ":" + next_part(rest);
    }
    reference.version = next_part(rest);
    if (!reference.version.empty() && !parse_uint(reference.version)) refuse(text);
  } else {
    refuse(text);
  }
  if (reference.name.empty() || !rest.empty()) refuse(text);
  return reference;
}

// Calls `visit(begin, end)` for each reference in the text.
template <class Visit>
void scan(std::string_view text, Visit visit) {
  std::size_t at = 0;
  while (true) {
    const auto begin = text.find(k_open, at);
    if (begin == std::string_view::npos) return;
    const auto end = text.find("}}", begin);
    if (end == std::string_view::npos) return;
    visit(begin, end + 2);
    at = end + 2;
  }
}

void collect(const Json& value, std::vector<DynamicReference>& out) {
  if (const auto* text = value.if_string()) {
    const std::string whole(json_text(*text));
    scan(whole, [&](std::size_t begin, std::size_t end) {
      const auto reference = whole.substr(begin, end - begin);
      const bool known = std::any_of(out.begin(), out.end(),
                                     [&](const auto& item) { return item.text == reference; });
      if (!known) out.push_back(parse(reference));
    });
  } else if (const auto* list = value.if_array()) {
    for (const auto& item : *list) collect(item, out);
  } else if (const auto* object = value.if_object()) {
    for (const auto& [key, member] : *object) collect(member, out);
  }
}

}  // namespace

std::vector<DynamicReference> find_dynamic_references(const Json& value) {
  std::vector<DynamicReference> out;
  collect(value, out);
  return out;
}

Json replace_dynamic_references(const Json& value,
                                const std::map<std::string, std::string>& values) {
  if (const auto* text = value.if_string()) {
    const std::string whole(json_text(*text));
    std::string out;
    std::size_t copied = 0;
    scan(whole, [&](std::size_t begin, std::size_t end) {
      const auto it = values.find(whole.substr(begin, end - begin));
      if (it == values.end()) return;
      out.append(whole, copied, begin - copied).append(it->second);
      copied = end;
    });
    out.append(whole, copied, std::string::npos);
    return Json(out);
  }
  if (const auto* list = value.if_array()) {
    JsonArray out;
    for (const auto& item : *list) out.push_back(replace_dynamic_references(item, values));
    return out;
  }
  if (const auto* object = value.if_object()) {
    JsonObject out;
    for (const auto& [key, member] : *object) out[key] = replace_dynamic_references(member, values);
    return out;
  }
  return value;
}

}  // namespace tarn::cloudformation
