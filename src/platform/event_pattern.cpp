// SPDX-License-Identifier: Apache-2.0
#include "platform/event_pattern.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "base/strings.hpp"

namespace tarn::platform {
namespace {

constexpr double k_number_max = 5e9;  // EventBridge's range of numeric matching

// Says whether one value (no array, no object) is wanted.
using Test = std::function<bool(const Json& value)>;

[[noreturn]] void bad(std::string text) { throw BadPattern(std::move(text)); }

std::string_view text_of(const Json& value) { return json_text(value.get_string()); }

std::optional<double> number_of(const Json& value) {
  if (value.is_int64()) return static_cast<double>(value.get_int64());
  if (value.is_uint64()) return static_cast<double>(value.get_uint64());
  if (value.is_double()) return value.get_double();
  return std::nullopt;
}

Test on_text(std::function<bool(std::string_view)> test) {
  return [test = std::move(test)](const Json& value) {
    return value.is_string() && test(text_of(value));
  };
}

// Numbers are compared as they are written: 300 is not 300.0.
Test equals(const Json& wanted) {
  return [wanted](const Json& value) { return value.kind() == wanted.kind() && value == wanted; };
}

Test negated(std::vector<Test> tests) {
  return [tests = std::move(tests)](const Json& value) {
    return std::none_of(tests.begin(), tests.end(), [&](const Test& t) { return t(value); });
  };
}

// A network as 16 bytes and the number of leading bits that count.
struct Network {
  std::array<unsigned char, 16> address{};
  int bits = 128;
  bool v6 = false;
};

std::optional<Network> parse_network(std::string_view text) {
  Network network;
  const auto slash = text.find('/');
  const std::string address(text.substr(0, slash));
  network.v6 = address.find(':') != std::string::npos;
  if (::inet_pton(network.v6 ? AF_INET6 : AF_INET, address.c_str(), network.address.data()) != 1) {
    return std::nullopt;
  }
  const int width = network.v6 ? 128 : 32;
  network.bits = width;
  if (slash != std::string_view::npos) {
    const auto bits = parse_uint(text.substr(slash + 1));
    if (!bits || *bits > static_cast<std::uint64_t>(width)) return std::nullopt;
    network.bits = static_cast<int>(*bits);
  }
  return network;
}

bool contains(const Network& network, const Network& host) {
  if (network.v6 != host.v6) return false;
  for (int bit = 0; bit < network.bits; ++bit) {
    const auto mask = static_cast<unsigned char>(0x80 >> bit % 8);
    const auto at = static_cast<std::size_t>(bit / 8);
    if ((network.address[at] & mask) != (host.address[at] & mask)) return false;
  }
  return true;
}

Test cidr(const Json& value) {
  const auto network = value.is_string() ? parse_network(text_of(value)) : std::nullopt;
  if (!network) bad("Malformed CIDR, one '/' required");
  return on_text([network = *network](std::string_view text) {
    const auto host = parse_network(text);
    return host && text.find('/') == std::string_view::npos && contains(network, *host);
  });
}

Test numeric(const Json& value) {
  if (!value.is_array()) bad("Value of numeric must be an array.");
  const auto& items = value.get_array();
  if (items.size() != 2 && items.size() != 4) bad("Invalid member in numeric match");
  double low = -k_number_max, high = k_number_max;
  bool low_open = false, high_open = false;
  for (std::size_t i = 0; i < items.size(); i += 2) {
    if (!items[i].is_string()) bad("Invalid member in numeric match: operator expected");
    const auto number = number_of(items[i + 1]);
    const std::string_view op = text_of(items[i]);
    if (!number) bad(fmt::format("Value of {} must be numeric", op));
    if (*number < -k_number_max || *number > k_number_max) {
      bad("Value must be between -5.0E9 and 5.0E9, inclusive");
    }
    if (op == "=" && items.size() == 2) {
      low = high = *number;
    } else if (op == ">" || op == ">=") {
      low = *number;
      low_open = op == ">";
    } else if (op == "<" || op == "<=") {
      high = *number;
      high_open = op == "<";
    } else {
      bad(fmt::format("Unrecognized numeric range operator: {}", op));
    }
  }
  if (low > high) bad("Bottom must be less than top");
  return [=](const Json& given) {
    const auto number = number_of(given);
    if (!number) return false;
    return (low_open ? *number > low : *number >= low) &&
           (high_open ? *number < high : *number <= high);
  };
}

// '*' is any run of characters; \* and \\ stand for themselves.
bool wildcard_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    const bool escaped = p + 1 < pattern.size() && pattern[p] == '\\';
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      resume = t;
    } else if (p < pattern.size() && pattern[p + (escaped ? 1 : 0)] == text[t]) {
      p += escaped ? 2 : 1;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Test wildcard(const Json& value) {
  if (!value.is_string()) bad("wildcard match pattern must be a string");
  std::string pattern(text_of(value));
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      if (i + 1 == pattern.size() || (pattern[i + 1] != '*' && pattern[i + 1] != '\\')) {
        bad(fmt::format("Invalid escape character at pos {}", i));
      }
      ++i;
    } else if (pattern[i] == '*' && i + 1 < pattern.size() && pattern[i + 1] == '*') {
      bad(fmt::format("Consecutive wildcard characters at pos {}", i));
    }
  }
  return on_text([pattern = std::move(pattern)](std::string_view text) {
    return wildcard_match(pattern, text);
  });
}

// {"prefix": "x"} and {"prefix": {"equals-ignore-case": "x"}}; suffix likewise.
Test affix(std::string_view name, const Json& value) {
  const bool prefix = name == "prefix";
  const Json* folded = find_member(value, "equals-ignore-case");
  const Json& text = folded ? *folded : value;
  if (!text.is_string()) bad(fmt::format("{} match pattern must be a string", name));
  std::string wanted(text_of(text));
  const bool fold = folded != nullptr;
  return on_text([=](std::string_view given) {
    if (given.size() < wanted.size()) return false;
    const auto part =
        prefix ? given.substr(0, wanted.size()) : given.substr(given.size() - wanted.size());
    return fold ? iequals(part, wanted) : part == wanted;
  });
}

Test ignore_case(const Json& value) {
  if (!value.is_string()) bad("equals-ignore-case match pattern must be a string");
  return on_text([wanted = std::string(text_of(value))](std::string_view given) {
    return iequals(given, wanted);
  });
}

// One value or a list of them, each made a test.
std::vector<Test> each(const Json& value, const std::function<Test(const Json&)>& make) {
  std::vector<Test> tests;
  if (value.is_array()) {
    for (const Json& item : value.get_array()) tests.push_back(make(item));
    if (tests.empty()) bad("Empty arrays are not allowed");
  } else {
    tests.push_back(make(value));
  }
  return tests;
}

Test anything_but(const Json& value) {
  if (const auto* object = value.if_object()) {
    if (object->size() != 1) bad("Anything-But expression must have exactly one key");
    const std::string name(object->begin()->key());
    const Json& inner = object->begin()->value();
    if (name == "prefix" || name == "suffix") {
      return negated(each(inner, [&](const Json& v) { return affix(name, v); }));
    }
    if (name == "equals-ignore-case") return negated(each(inner, ignore_case));
    if (name == "wildcard") return negated(each(inner, wildcard));
    bad(fmt::format("Unsupported anything-but pattern: {}", name));
  }
  return negated(each(value, [](const Json& item) {
    if (!item.is_string() && !item.is_number()) {
      bad("Inside anything but list, start|null|boolean is not supported.");
    }
    return equals(item);
  }));
}

Test parse_matcher(std::string_view name, const Json& value) {
  if (name == "prefix" || name == "suffix") return affix(name, value);
  if (name == "equals-ignore-case") return ignore_case(value);
  if (name == "anything-but") return anything_but(value);
  if (name == "numeric") return numeric(value);
  if (name == "cidr") return cidr(value);
  if (name == "wildcard") return wildcard(value);
  bad(fmt::format("Unrecognized match type {}", name));
}

// What a field may be: one of the tests, or absent.
struct Leaf {
  std::vector<Test> tests;
  bool absent = false;   // {"exists": false} is among the alternatives
  bool present = false;  // {"exists": true}
};

Leaf parse_leaf(const JsonArray& alternatives) {
  if (alternatives.empty()) bad("Empty arrays are not allowed");
  Leaf leaf;
  for (const Json& item : alternatives) {
    const auto* matcher = item.if_object();
    if (!matcher) {
      if (item.is_array()) bad("Match value must be String, number, true, false, or null");
      leaf.tests.push_back(equals(item));
      continue;
    }
    if (matcher->size() != 1) bad("Only one key allowed in match expression");
    const std::string name(matcher->begin()->key());
    const Json& value = matcher->begin()->value();
    if (name != "exists") {
      leaf.tests.push_back(parse_matcher(name, value));
    } else if (!value.is_bool()) {
      bad("exists match pattern must be either true or false.");
    } else {
      (value.get_bool() ? leaf.present : leaf.absent) = true;
    }
  }
  return leaf;
}

bool leaf_matches(const Leaf& leaf, const Json* value) {
  if (!value) return leaf.absent;
  if (const auto* items = value->if_array()) {
    if (items->empty()) return leaf.absent;  // an empty array has no value
    return std::any_of(items->begin(), items->end(),
                       [&](const Json& item) { return leaf_matches(leaf, &item); });
  }
  if (value->is_object()) return false;  // `exists` too looks at leaves only
  if (leaf.present) return true;
  return std::any_of(leaf.tests.begin(), leaf.tests.end(),
                     [&](const Test& test) { return test(*value); });
}

}  // namespace

struct EventPattern::Node {
  std::map<std::string, Leaf, std::less<>> leaves;
  std::map<std::string, std::shared_ptr<const Node>, std::less<>> nested;
  std::vector<std::shared_ptr<const Node>> any_of;  // $or

  static std::shared_ptr<const Node> parse(const Json& pattern) {
    if (!pattern.is_object()) bad("Filter is not an object");
    if (pattern.get_object().empty()) bad("Empty objects are not allowed");
    auto node = std::make_shared<Node>();
    for (const auto& member : pattern.get_object()) {
      const std::string key(member.key());
      const Json& value = member.value();
      if (key == "$or" && is_or(value)) {
        for (const Json& item : value.get_array()) node->any_of.push_back(parse(item));
      } else if (value.is_array()) {
        node->leaves.emplace(key, parse_leaf(value.get_array()));
      } else if (value.is_object()) {
        node->nested.emplace(key, parse(value));
      } else {
        bad(fmt::format("\"{}\" must be an object or an array", key));
      }
    }
    return node;
  }

  // An array of at least two objects; otherwise "$or" is a field like others.
  static bool is_or(const Json& value) {
    const auto* items = value.if_array();
    return items && items->size() >= 2 &&
           std::all_of(items->begin(), items->end(),
                       [](const Json& item) { return item.is_object(); });
  }

  bool matches(const Json* event) const {
    if (event && event->is_array()) {
      const auto& items = event->get_array();
      return std::any_of(items.begin(), items.end(),
                         [&](const Json& item) { return matches(&item); });
    }
    // A missing object may still match: all its fields are absent.
    const JsonObject* object = event ? event->if_object() : nullptr;
    const auto field = [&](const std::string& key) -> const Json* {
      return object ? object->if_contains(key) : nullptr;
    };
    for (const auto& [key, leaf] : leaves) {
      if (!leaf_matches(leaf, field(key))) return false;
    }
    for (const auto& [key, node] : nested) {
      if (!node->matches(field(key))) return false;
    }
    return any_of.empty() || std::any_of(any_of.begin(), any_of.end(),
                                         [&](const auto& node) { return node->matches(event); });
  }
};

EventPattern EventPattern::parse(std::string_view text) {
  Json pattern;
  try {
    pattern = parse_json(text);
  } catch (const JsonError& error) {
    bad(error.what());
  }
  return of(pattern);
}

EventPattern EventPattern::of(const Json& pattern) { return EventPattern(Node::parse(pattern)); }

bool EventPattern::matches(const Json& event) const { return root_->matches(&event); }

}  // namespace tarn::platform
