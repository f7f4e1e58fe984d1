// SPDX-License-Identifier: Apache-2.0
#include "aws/policy_condition.hpp"

#include <arpa/inet.h>

#include <array>
#include <cstring>

#include <fmt/format.h>

#include "base/strings.hpp"
#include "base/time.hpp"

namespace tarn::aws {

namespace {

struct OperatorName {
  std::string_view name;
  ConditionKind kind;
  Comparison comparison;
  bool negated;
};
using enum ConditionKind;
constexpr OperatorName k_operators[] = {
    {"StringEquals", string_equals, Comparison::equal, false},
    {"StringNotEquals", string_equals, Comparison::equal, true},
    {"StringEqualsIgnoreCase", string_equals_ignore_case, Comparison::equal, false},
    {"StringNotEqualsIgnoreCase", string_equals_ignore_case, Comparison::equal, true},
    {"StringLike", string_like, Comparison::equal, false},
    {"StringNotLike", string_like, Comparison::equal, true},
    {"NumericEquals", numeric, Comparison::equal, false},
    {"NumericNotEquals", numeric, Comparison::equal, true},
    {"NumericLessThan", numeric, Comparison::less, false},
    {"NumericLessThanEquals", numeric, Comparison::less_equal, false},
    {"NumericGreaterThan", numeric, Comparison::greater, false},
    {"NumericGreaterThanEquals", numeric, Comparison::greater_equal, false},
    {"DateEquals", date, Comparison::equal, false},
    {"DateNotEquals", date, Comparison::equal, true},
    {"DateLessThan", date, Comparison::less, false},
    {"DateLessThanEquals", date, Comparison::less_equal, false},
    {"DateGreaterThan", date, Comparison::greater, false},
    {"DateGreaterThanEquals", date, Comparison::greater_equal, false},
    {"Bool", boolean, Comparison::equal, false},
    {"BinaryEquals", binary, Comparison::equal, false},
    {"IpAddress", ip_address, Comparison::equal, false},
    {"NotIpAddress", ip_address, Comparison::equal, true},
    {"ArnEquals", arn_like, Comparison::equal, false},
    {"ArnNotEquals", arn_like, Comparison::equal, true},
    {"ArnLike", arn_like, Comparison::equal, false},
    {"ArnNotLike", arn_like, Comparison::equal, true},
    {"Null", null, Comparison::equal, false},
};

template <class T>
bool compare(Comparison comparison, const T& left, const T& right) {
  switch (comparison) {
    case Comparison::equal: return left == right;
    case Comparison::less: return left < right;
    case Comparison::less_equal: return left <= right;
    case Comparison::greater: return left > right;
    case Comparison::greater_equal: return left >= right;
  }
  return false;
}

std::optional<Timestamp> parse_date(const std::string& text) {
  if (auto time = parse_iso8601(text)) return time;
  const auto seconds = parse_double(text);
  return seconds ? std::optional(from_seconds(*seconds)) : std::nullopt;
}

struct Address {
  int family = 0;
  std::array<unsigned char, 16> bytes{};
};

std::optional<Address> parse_address(const std::string& text) {
  Address address;
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, text.c_str(), address.bytes.data()) == 1) {
      address.family = family;
      return address;
    }
  }
  return std::nullopt;
}

bool address_in(const std::string& range, const std::string& text) {
  const auto slash = range.find('/');
  const auto network = parse_address(range.substr(0, slash));
  const auto address = parse_address(text);
  if (!network || !address || network->family != address->family) return false;
  const std::uint64_t width = network->family == AF_INET ? 32 : 128;
  std::uint64_t bits = width;
  if (slash != std::string::npos) {
    const auto given = parse_uint(std::string_view(range).substr(slash + 1));
    if (!given || *given > width) return false;
    bits = *given;
  }
  const std::size_t whole = bits / 8;
  if (std::memcmp(network->bytes.data(), address->bytes.data(), whole) != 0) return false;
  if (bits % 8 == 0) return true;
  const int mask = 0xFF << (8 - bits % 8) & 0xFF;
  return (network->bytes[whole] & mask) == (address->bytes[whole] & mask);
}

bool arn_pattern_matches(const PatternText& pattern, std::string_view arn) {
  // Variables inside an ARN pattern keep their literal characters part by part.
  std::size_t start = 0;
  for (int part = 0; part < 6; ++part) {
    const bool last = part == 5;
    const auto end = last ? pattern.text.size() : pattern.text.find(':', start);
    if (end == std::string::npos) {
      // A pattern with fewer parts: its last one may be a lone "*" that takes all the rest.
      return pattern.text.substr(start) == "*";
    }
    const auto colon = last ? arn.size() : arn.find(':');
    if (colon == std::string_view::npos) return false;
    PatternText piece{pattern.text.substr(start, end - start),
                      {pattern.literal.begin() + static_cast<std::ptrdiff_t>(start),
                       pattern.literal.begin() + static_cast<std::ptrdiff_t>(end)}};
    if (!pattern_matches(piece, arn.substr(0, colon))) return false;
    if (last) return true;
    start = end + 1;
    arn.remove_prefix(colon + 1);
  }
  return true;
}

// Does one value of the request satisfy one value of the condition?
bool one_holds(const Condition& condition, const std::string& wanted, const std::string& actual,
               const PolicyContext& context) {
  switch (condition.kind) {
    case string_equals:
    case string_equals_ignore_case:
    case string_like:
    case arn_like: {
      const auto pattern = substitute(wanted, context);
      if (!pattern) return false;
      if (condition.kind == string_equals) return pattern->text == actual;
      if (condition.kind == string_equals_ignore_case) return iequals(pattern->text, actual);
      if (condition.kind == string_like) return pattern_matches(*pattern, actual);
      return arn_pattern_matches(*pattern, actual);
    }
    case numeric: {
      const auto left = parse_double(actual), right = parse_double(wanted);
      return left && right && compare(condition.comparison, *left, *right);
    }
    case date: {
      const auto left = parse_date(actual), right = parse_date(wanted);
      return left && right && compare(condition.comparison, *left, *right);
    }
    case boolean: return iequals(wanted, actual);
    case binary: return wanted == actual;
    case ip_address: return address_in(wanted, actual);
    case null: return false;
  }
  return false;
}

// A negated operator holds when none of the condition's values fits.
bool value_holds(const Condition& condition, const std::string& actual,
                 const PolicyContext& context) {
  for (const std::string& wanted : condition.values) {
    if (one_holds(condition, wanted, actual, context)) return !condition.negated;
  }
  return condition.negated;
}

}  // namespace

Condition parse_condition(std::string_view name, std::string key, std::vector<std::string> values) {
  Condition condition;
  std::string_view rest = name;
  if (rest.starts_with("ForAnyValue:")) {
    condition.quantifier = Quantifier::any_value;
    rest.remove_prefix(12);
  } else if (rest.starts_with("ForAllValues:")) {
    condition.quantifier = Quantifier::all_values;
    rest.remove_prefix(13);
  }
  if (rest.ends_with("IfExists")) {
    condition.if_exists = true;
    rest.remove_suffix(8);
  }
  for (const OperatorName& known : k_operators) {
    if (!iequals(known.name, rest)) continue;
    condition.kind = known.kind;
    condition.comparison = known.comparison;
    condition.negated = known.negated;
    condition.key = std::move(key);
    condition.values = std::move(values);
    return condition;
  }
  throw PolicyError(fmt::format("Invalid Condition type : {}.", name));
}

bool Condition::holds(const PolicyContext& context) const {
  const auto found = context.find(key);
  const bool present = found != context.end() && !found->second.empty();
  if (kind == ConditionKind::null) {
    for (const std::string& value : values) {
      if (iequals(value, "true") != present) return true;
    }
    return false;
  }
  if (!present) {
    // ForAllValues holds vacuously, a negated operator too; every other needs the key.
    return if_exists || quantifier == Quantifier::all_values ||
           (negated && quantifier == Quantifier::none);
  }
  if (quantifier == Quantifier::all_values) {
    for (const std::string& actual : found->second) {
      if (!value_holds(*this, actual, context)) return false;
    }
    return true;
  }
  for (const std::string& actual : found->second) {
    if (value_holds(*this, actual, context)) return true;
  }
  return false;
}

std::optional<PatternText> substitute(std::string_view pattern, const PolicyContext& context) {
  PatternText out;
  const auto add = [&](std::string_view text, bool literal) {
    out.text += text;
    out.literal.insert(out.literal.end(), text.size(), literal);
  };
  while (true) {
    const auto start = pattern.find("${");
    const auto end = start == std::string_view::npos ? start : pattern.find('}', start);
    if (end == std::string_view::npos) {
      add(pattern, false);
      return out;
    }
    add(pattern.substr(0, start), false);
    std::string_view name = pattern.substr(start + 2, end - start - 2);
    pattern.remove_prefix(end + 1);
    if (name == "*" || name == "?" || name == "$") {
      add(name, true);
      continue;
    }
    // ${aws:PrincipalTag/team, 'none'}
    std::optional<std::string_view> fallback;
    if (const auto comma = name.find(','); comma != std::string_view::npos) {
      std::string_view text = trim(name.substr(comma + 1));
      if (text.size() >= 2 && text.front() == '\'' && text.back() == '\'') {
        fallback = text.substr(1, text.size() - 2);
      }
      name = trim(name.substr(0, comma));
    }
    const auto found = context.find(name);
    if (found != context.end() && found->second.size() == 1) {
      add(found->second.front(), true);
    } else if (fallback) {
      add(*fallback, true);
    } else {
      return std::nullopt;
    }
  }
}

bool pattern_matches(const PatternText& pattern, std::string_view text, bool ignore_case) {
  const auto same = [&](char left, char right) {
    if (!ignore_case) return left == right;
    return iequals(std::string_view(&left, 1), std::string_view(&right, 1));
  };
  const std::string& wanted = pattern.text;
  const auto is = [&](std::size_t at, char wild) {
    return wanted[at] == wild && !pattern.literal[at];
  };
  std::size_t p = 0, t = 0, star = std::string::npos, star_text = 0;
  while (t < text.size()) {
    if (p < wanted.size() && is(p, '*')) {
      star = p++;
      star_text = t;
    } else if (p < wanted.size() && (is(p, '?') || same(wanted[p], text[t]))) {
      ++p;
      ++t;
    } else if (star != std::string::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < wanted.size() && is(p, '*')) ++p;
  return p == wanted.size();
}

bool arn_matches(std::string_view pattern, std::string_view arn) {
  return arn_pattern_matches({std::string(pattern), std::vector<bool>(pattern.size())}, arn);
}

}  // namespace tarn::aws
