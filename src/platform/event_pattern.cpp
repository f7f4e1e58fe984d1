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
constexpr int k_joined_names_max = 32;

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

// Numbers are equal by value, 300 to 300.0: the service does so, whatever its guide says.
Test equals(const Json& wanted) {
  const auto number = number_of(wanted);
  if (number && !wanted.is_int64()) {
    return [number](const Json& value) { return number_of(value) == number; };
  }
  return [wanted, number](const Json& value) {
    if (number && value.is_double()) return value.get_double() == *number;
    return value.kind() == wanted.kind() && value == wanted;
  };
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

std::optional<Network> parse_address(const std::string& text) {
  Network network;
  network.v6 = text.find(':') != std::string::npos;
  if (::inet_pton(network.v6 ? AF_INET6 : AF_INET, text.c_str(), network.address.data()) != 1) {
    return std::nullopt;
  }
  network.bits = network.v6 ? 128 : 32;
  return network;
}

Network parse_network(const std::string& text) {
  const auto parts = split(text, '/');
  if (parts.size() != 2 || parts[1].empty()) bad("Malformed CIDR, one '/' required");
  const auto bits = parse_uint(parts[1]);
  if (!bits) bad("Malformed CIDR, mask bits must be an integer");
  auto network = parse_address(parts[0]);
  if (!network) bad(fmt::format("Nonstandard IP address: {}", parts[0]));
  if (*bits >= static_cast<std::uint64_t>(network->bits)) {
    bad(fmt::format("{} mask bits must be < {}", network->v6 ? "IPv6" : "IPv4", network->bits));
  }
  network->bits = static_cast<int>(*bits);
  return *network;
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
  if (!value.is_string()) bad("prefix match pattern must be a string");  // AWS's own words
  return on_text([network = parse_network(std::string(text_of(value)))](std::string_view text) {
    const auto host = parse_address(std::string(text));
    return host && contains(network, *host);
  });
}

struct Range {
  double low = -k_number_max, high = k_number_max;
  bool low_open = false, high_open = false;
};

// The number behind the operator at `at`.
double operand(const JsonArray& items, std::size_t at) {
  const auto number = at + 1 < items.size() ? number_of(items[at + 1]) : std::nullopt;
  if (!number) bad(fmt::format("Value of {} must be numeric", text_of(items[at])));
  if (*number < -k_number_max || *number > k_number_max) {
    bad("Value must be between -5.0E9 and 5.0E9, inclusive");
  }
  return *number;
}

// ["=", n], ["<", n], [">", n] or [">", n, "<", m]; also with >= and <=.
Range parse_range(const JsonArray& items) {
  if (items.empty() || !items[0].is_string()) bad("Invalid member in numeric match");
  Range range;
  const std::string_view first = text_of(items[0]);
  if (first == "=") {
    range.low = range.high = operand(items, 0);
  } else if (first == "<" || first == "<=") {
    range.high = operand(items, 0);
    range.high_open = first == "<";
  } else if (first == ">" || first == ">=") {
    range.low = operand(items, 0);
    range.low_open = first == ">";
    if (items.size() == 2) return range;
    if (!items[2].is_string()) bad("Bad value in numeric range");
    const std::string_view second = text_of(items[2]);
    if (second != "<" && second != "<=") {
      bad(fmt::format("Bad numeric range operator: {}", second));
    }
    range.high = operand(items, 2);
    range.high_open = second == "<";
    if (range.low > range.high) bad("Bottom must be less than top");
    if (items.size() == 4) return range;
  } else {
    bad(fmt::format("Unrecognized numeric range operator: {}", first));
  }
  if (items.size() > 2) bad("Too many terms in numeric range expression");
  return range;
}

Test numeric(const Json& value) {
  if (!value.is_array()) bad("Value of numeric must be an array.");
  return [range = parse_range(value.get_array())](const Json& given) {
    const auto number = number_of(given);
    if (!number) return false;
    return (range.low_open ? *number > range.low : *number >= range.low) &&
           (range.high_open ? *number < range.high : *number <= range.high);
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
      bad(fmt::format("Consecutive wildcard characters at pos {}", i + 1));
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
      return negated(each(inner, [&](const Json& item) {
        if (item.is_object()) {
          bad("Value of anything-but must be an array or single string/number value.");
        }
        if (!item.is_string()) bad("prefix/suffix match pattern must be a string");
        if (item.get_string().empty()) bad("Null prefix/suffix not allowed");
        return affix(name, item);
      }));
    }
    if (name == "equals-ignore-case") {
      return negated(each(inner, [](const Json& item) {
        if (!item.is_string()) {
          bad("Inside anything-but/equals-ignore-case list, number|start|null|boolean is not "
              "supported.");
        }
        return ignore_case(item);
      }));
    }
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

bool has_dotted_key(const Json& value) {
  if (const auto* items = value.if_array()) {
    return std::any_of(items->begin(), items->end(), has_dotted_key);
  }
  const auto* object = value.if_object();
  return object && std::any_of(object->begin(), object->end(), [](const auto& member) {
           return std::string_view(member.key()).find('.') != std::string_view::npos ||
                  has_dotted_key(member.value());
         });
}

void put_nested(JsonObject& into, std::string_view key, Json value);

// Joined names are paths, in patterns as in events: {"a.b": 1} is {"a": {"b": 1}}.
Json undotted(const Json& value) {
  if (const auto* items = value.if_array()) {
    JsonArray out;
    for (const Json& item : *items) out.push_back(undotted(item));
    return out;
  }
  const auto* object = value.if_object();
  if (!object) return value;
  JsonObject out;
  for (const auto& member : *object) put_nested(out, member.key(), undotted(member.value()));
  return out;
}

void put_nested(JsonObject& into, std::string_view key, Json value) {
  Json* there = into.if_contains(key);
  if (there && there->is_object() && value.is_object()) {
    for (auto& member : value.get_object()) {
      put_nested(there->get_object(), member.key(), std::move(member.value()));
    }
    return;
  }
  const auto dot = key.find('.');
  Json* outer = dot == std::string_view::npos ? nullptr : into.if_contains(key.substr(0, dot));
  const bool fits = dot != std::string_view::npos && dot > 0 && dot + 1 < key.size() &&
                    std::count(key.begin(), key.end(), '.') <= k_joined_names_max &&
                    (!outer || outer->is_object());
  if (!fits) {
    into[key] = std::move(value);
    return;
  }
  Json& nested = into[key.substr(0, dot)];
  if (!nested.is_object()) nested = JsonObject();
  put_nested(nested.get_object(), key.substr(dot + 1), std::move(value));
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

EventPattern EventPattern::of(const Json& pattern) {
  return EventPattern(Node::parse(has_dotted_key(pattern) ? undotted(pattern) : pattern));
}

bool EventPattern::matches(const Json& event) const {
  if (!has_dotted_key(event)) return root_->matches(&event);
  const Json plain = undotted(event);
  return root_->matches(&plain);
}

}  // namespace tarn::platform
