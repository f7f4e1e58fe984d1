// SPDX-License-Identifier: Apache-2.0
#include "services/stepfunctions/testing/recorded.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "base/strings.hpp"

namespace tarn::stepfunctions::testing {

namespace fs = std::filesystem;

namespace {

fs::path project_root() { return fs::path(__FILE__).parent_path() / "../../../.."; }
}  // namespace

fs::path cases_directory() { return project_root() / "../shared/conformance/stepfunctions/cases"; }

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::map<std::string, std::string> expected_failures(const std::string& file) {
  std::map<std::string, std::string> out;
  std::ifstream in(project_root() / "tests/conformance" / file);
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    const auto tab = line.find('\t');
    out[line.substr(0, tab)] = tab == std::string::npos ? "" : line.substr(tab + 1);
  }
  return out;
}

namespace {

// Text with the members of objects in order of their names.
std::string canonical(const Json& value) {
  if (value.is_object()) {
    std::map<std::string, std::string> members;
    for (const auto& member : value.get_object()) {
      members[std::string(std::string_view(member.key()))] = canonical(member.value());
    }
    std::string out = "{";
    for (const auto& [key, text] : members) out += dump_json(Json(key)) + ":" + text + ",";
    return out + "}";
  }
  if (value.is_array()) {
    std::string out = "[";
    for (const auto& item : value.get_array()) out += canonical(item) + ",";
    return out + "]";
  }
  return dump_json(value);
}

}  // namespace

Comparer::Comparer(const Json& test) {
  wild_ = {"timestamp",
           "date",
           "datetime",
           "start-time",
           "RandomNumberGenerated",
           "RequestId",
           "x-amzn-requestid",
           "x-amzn-RequestId",
           "creation-date",
           "start-date",
           "stop-date"};
  for (const auto& each : test.at("transformers").as_array()) {
    if (string_or(each, "type") == "JsonpathTransformer") {
      wild_.insert(string_or(each, "replacement"));
      wild_.insert("<" + string_or(each, "replacement") + ">");
    }
  }
}

bool Comparer::equal(const Json& expected, const Json& actual) const {
  return difference(expected, actual).empty();
}

std::string Comparer::difference(const Json& expected, const Json& actual,
                                 const std::string& path) const {
  const auto differ = [&] {
    return fmt::format("{}: {} but recorded {}", path, dump_json(actual).substr(0, 500),
                       dump_json(expected).substr(0, 500));
  };
  if (expected.is_string()) {
    const std::string text(json_text(expected.get_string()));
    if (wild_.contains(text) || wild_.contains(replace_all(text, "\"", ""))) return "";
    if (!actual.is_string()) return differ();
    return text_equal(text, std::string(json_text(actual.get_string()))) ? "" : differ();
  }
  if (actual.is_string() && (expected.is_object() || expected.is_array())) {
    try {
      return difference(expected, parse_json(json_text(actual.get_string())), path);
    } catch (const JsonError&) {
      return differ();
    }
  }
  if (expected.is_object() && actual.is_object()) {
    for (const auto& member : expected.get_object()) {
      const std::string key(std::string_view(member.key()));
      if (ignored.contains(key)) continue;
      const Json* other = find_member(actual, key);
      if (!other) return fmt::format("{}.{} is missing", path, key);
      auto found = difference(member.value(), *other, path + "." + key);
      if (!found.empty()) return found;
    }
    for (const auto& member : actual.get_object()) {
      const std::string key(std::string_view(member.key()));
      if (!ignored.contains(key) && !find_member(expected, key)) {
        return fmt::format("{}.{} is not recorded: {}", path, key,
                           dump_json(member.value()).substr(0, 200));
      }
    }
    return "";
  }
  if (expected.is_array() && actual.is_array()) {
    const auto& left = expected.get_array();
    const auto& right = actual.get_array();
    if (left.size() != right.size()) return differ();
    for (std::size_t i = 0; i < left.size(); ++i) {
      auto found = difference(left[i], right[i], fmt::format("{}[{}]", path, i));
      if (!found.empty()) return found;
    }
    return "";
  }
  return json_equal(expected, actual) ? "" : differ();
}

bool Comparer::text_equal(const std::string& expected, const std::string& actual) const {
  if (expected == actual) return true;
  if (expected.starts_with('[') && actual.starts_with('[')) {
    try {
      if (equal(parse_json(expected), parse_json(actual))) return true;
    } catch (const JsonError&) {}
  }
  static const RE2 k_placeholder(R"(<[A-Za-z][A-Za-z0-9_. -]*(:\d+)?>)");
  if (!RE2::PartialMatch(expected, k_placeholder)) return false;
  std::string pattern = "(?s)";
  re2::StringPiece rest(expected);
  const char* begin = expected.data();
  re2::StringPiece found;
  while (k_placeholder.Match(rest, 0, rest.size(), RE2::UNANCHORED, &found, 1)) {
    pattern +=
        RE2::QuoteMeta(re2::StringPiece(begin, static_cast<std::size_t>(found.data() - begin))) +
        ".+";
    begin = found.data() + found.size();
    rest = re2::StringPiece(begin,
                            static_cast<std::size_t>(expected.data() + expected.size() - begin));
  }
  pattern += RE2::QuoteMeta(rest);
  return RE2::FullMatch(actual, RE2(pattern));
}
namespace {

JsonArray without_joins(const JsonArray& events) {
  JsonArray out;
  for (const auto& event : events) {
    if (string_or(event, "type") != "ParallelStateSucceeded") out.push_back(event);
  }
  return out;
}

// Without ids, sorted: branches interleave as they like.
JsonArray unordered(const JsonArray& events) {
  std::vector<std::pair<std::string, Json>> sorted;
  for (const auto& event : events) {
    JsonObject kept = event.as_object();
    for (const char* key : {"id", "previousEventId", "timestamp"}) kept.stable_erase(key);
    Json whole(std::move(kept));
    sorted.emplace_back(string_or(whole, "type") + canonical(whole), whole);
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  JsonArray out;
  for (auto& [key, event] : sorted) out.push_back(std::move(event));
  return out;
}

}  // namespace

std::string history_difference(const Json& test, const Comparer& comparer, JsonArray expected,
                               JsonArray actual) {
  for (const auto& each : test.at("transformers").as_array()) {
    if (!string_or(each, "type").starts_with("SfnNoneRecursiveParallel")) continue;
    expected = without_joins(expected);
    actual = without_joins(actual);
  }
  if (comparer.equal(Json(expected), Json(actual))) return "";
  const bool branches = std::any_of(expected.begin(), expected.end(), [](const Json& event) {
    const auto type = string_or(event, "type");
    return type == "ParallelStateStarted" || type == "MapStateStarted";
  });
  if (branches && expected.size() == actual.size() &&
      comparer.equal(Json(unordered(expected)), Json(unordered(actual)))) {
    return "";
  }
  for (std::size_t i = 0; i < std::max(expected.size(), actual.size()); ++i) {
    const Json left = i < expected.size() ? expected[i] : Json("(nothing)");
    const Json right = i < actual.size() ? actual[i] : Json("(nothing)");
    if (comparer.equal(left, right)) continue;
    return fmt::format("event {}: {} but recorded {}", i + 1, dump_json(right).substr(0, 700),
                       dump_json(left).substr(0, 700));
  }
  return "orders differ";
}

}  // namespace tarn::stepfunctions::testing
