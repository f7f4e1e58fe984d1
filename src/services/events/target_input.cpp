// SPDX-License-Identifier: Apache-2.0
#include "services/events/target_input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/strings.hpp"

namespace tarn::events {
namespace {

// The next step of a path, taken from its front: a field's name or an index.
struct Step {
  std::string name;
  std::optional<std::size_t> index;
};

Step next_step(std::string_view& path, std::string_view whole) {
  const auto bad = [&] { return BadPath(fmt::format("{} is no JSON path", whole)); };
  if (path.front() == '.') {
    path.remove_prefix(1);
    const auto end = std::min(path.find_first_of(".["), path.size());
    if (end == 0) throw bad();
    Step step{std::string(path.substr(0, end)), std::nullopt};
    path.remove_prefix(end);
    return step;
  }
  const auto close = path.find(']');
  if (path.front() != '[' || close == std::string_view::npos) throw bad();
  std::string_view inner = path.substr(1, close - 1);
  path.remove_prefix(close + 1);
  if (inner.size() >= 2 && (inner.front() == '\'' || inner.front() == '"') &&
      inner.back() == inner.front()) {
    return {std::string(inner.substr(1, inner.size() - 2)), std::nullopt};
  }
  const auto index = parse_uint(inner);
  if (!index) throw bad();
  return {{}, static_cast<std::size_t>(*index)};
}

// The inside of a JSON string.
std::string escaped(std::string_view text) {
  const std::string quoted = dump_json(Json(text));
  return quoted.substr(1, quoted.size() - 2);
}

std::string written(const Json& value, bool in_quotes) {
  if (!in_quotes) return dump_json(value);
  return escaped(value.is_string() ? std::string(json_text(value.get_string())) : dump_json(value));
}

// The event without its detail, in the order and with the one name that AWS gives it.
Json envelope(const Json& event) {
  static constexpr std::pair<const char*, const char*> k_fields[] = {{"id", "id"},
                                                                     {"account", "account"},
                                                                     {"detail-type", "detailType"},
                                                                     {"time", "time"},
                                                                     {"source", "source"},
                                                                     {"region", "region"},
                                                                     {"resources", "resources"},
                                                                     {"version", "version"}};
  JsonObject out;
  for (const auto& [from, to] : k_fields) {
    if (const Json* value = find_member(event, from)) out[to] = *value;
  }
  return out;
}

std::optional<Json> reserved(std::string_view name, const Json& event, const RuleNames& rule) {
  if (name == "aws.events.rule-arn") return Json(rule.arn);
  if (name == "aws.events.rule-name") return Json(rule.name);
  if (name == "aws.events.event.ingestion-time") return Json(rule.ingestion_time);
  if (name == "aws.events.event.json") return event;
  if (name == "aws.events.event") return envelope(event);
  return std::nullopt;
}

bool is_placeholder(std::string_view name) {
  return !name.empty() && name.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
                              "XYZ0123456789_-.") == std::string_view::npos;
}

}  // namespace

std::optional<Json> select(const Json& event, std::string_view path) {
  const std::string_view whole = path;
  if (path.empty() || path.front() != '$') {
    throw BadPath(fmt::format("{} is no JSON path", whole));
  }
  path.remove_prefix(1);
  const Json* at = &event;
  while (!path.empty()) {
    const Step step = next_step(path, whole);
    if (!at) continue;  // the rest is only checked
    if (step.index) {
      const auto* items = at->if_array();
      at = items && *step.index < items->size() ? &(*items)[*step.index] : nullptr;
    } else {
      at = find_member(*at, step.name);
    }
  }
  return at ? std::optional(*at) : std::nullopt;
}

std::optional<std::string> unknown_placeholder(std::string_view text,
                                               const std::map<std::string, std::string>& paths) {
  static constexpr std::string_view k_reserved[] = {"aws.events.rule-arn", "aws.events.rule-name",
                                                    "aws.events.event.ingestion-time",
                                                    "aws.events.event.json", "aws.events.event"};
  for (std::size_t at = text.find('<'); at != text.npos; at = text.find('<', at + 1)) {
    const auto close = text.find('>', at);
    if (close == text.npos) break;
    const std::string_view name = text.substr(at + 1, close - at - 1);
    const bool known = std::ranges::find(k_reserved, name) != std::end(k_reserved);
    if (is_placeholder(name) && !known && !paths.contains(std::string(name))) {
      return std::string(name);
    }
  }
  return std::nullopt;
}

std::map<std::string, std::string> transformer_paths(const Json& transformer) {
  std::map<std::string, std::string> paths;
  const Json* given = find_member(transformer, "InputPathsMap");
  if (!given || !given->is_object()) return paths;
  for (const auto& member : given->get_object()) {
    if (member.value().is_string()) {
      paths.emplace(member.key(), json_text(member.value().get_string()));
    }
  }
  return paths;
}

std::string fill_template(std::string_view text, const std::map<std::string, std::string>& paths,
                          const Json& event, const RuleNames& rule) {
  std::string out;
  bool in_quotes = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && in_quotes && i + 1 < text.size()) {
      out += text.substr(i++, 2);
      continue;
    }
    if (text[i] == '"') in_quotes = !in_quotes;
    const auto close = text[i] == '<' ? text.find('>', i) : std::string_view::npos;
    const std::string name(close == std::string_view::npos ? std::string_view()
                                                           : text.substr(i + 1, close - i - 1));
    const auto path = paths.find(name);
    const bool known = path != paths.end() || name.starts_with("aws.events.");
    if (!known || !is_placeholder(name)) {
      out.push_back(text[i]);
      continue;
    }
    const auto value =
        path != paths.end() ? select(event, path->second) : reserved(name, event, rule);
    if (value) {
      out += written(*value, in_quotes);
    } else if (!in_quotes) {
      out += "\"\"";
    }
    i = close;
  }
  return out;
}

std::string target_input(const Json& target, const Json& event, const RuleNames& rule) {
  if (const auto input = find_string(target, "Input")) return *input;
  if (const auto path = find_string(target, "InputPath")) {
    const auto part = select(event, *path);
    return part ? dump_json(*part) : "{}";
  }
  if (const Json* transformer = find_member(target, "InputTransformer")) {
    return fill_template(string_or(*transformer, "InputTemplate"), transformer_paths(*transformer),
                         event, rule);
  }
  return dump_json(event);
}

}  // namespace tarn::events
