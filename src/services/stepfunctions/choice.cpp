// SPDX-License-Identifier: Apache-2.0
#include "services/stepfunctions/choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "services/stepfunctions/definition.hpp"

namespace tarn::stepfunctions::asl {
namespace {

constexpr std::array<std::pair<std::string_view, Order>, 5> k_orders{
    {{"Equals", Order::equals},
     {"LessThan", Order::less},
     {"GreaterThan", Order::greater},
     {"LessThanEquals", Order::less_equal},
     {"GreaterThanEquals", Order::greater_equal}}};

constexpr std::array<std::pair<std::string_view, Comparison>, 7> k_alone{
    {{"IsNull", Comparison::is_null},
     {"IsPresent", Comparison::is_present},
     {"IsNumeric", Comparison::is_numeric},
     {"IsString", Comparison::is_string},
     {"IsBoolean", Comparison::is_boolean},
     {"IsTimestamp", Comparison::is_timestamp},
     {"StringMatches", Comparison::matches}}};

// The variable's value, or null when it is not there.
const Json* look_up(const Expression& variable, Bindings& bindings, Json& kept) {
  const JsonPath* path = variable.as_path();
  if (path && path->definite()) return variable.find_or_null(bindings);
  try {
    kept = variable.evaluate_filter(bindings);
  } catch (const EvaluationError&) {
    return nullptr;
  }
  return &kept;
}

const Json& need(const Json* value, const Expression& variable) {
  if (value) return *value;
  throw EvaluationError(
      "States.Runtime",
      fmt::format("Invalid path '{}': The choice state's condition path references an invalid "
                  "value.",
                  variable.text()));
}

template <class T>
bool in_order(Order order, const T& left, const T& right) {
  switch (order) {
    case Order::equals: return left == right;
    case Order::less: return left < right;
    case Order::greater: return left > right;
    case Order::less_equal: return left <= right;
    case Order::greater_equal: return left >= right;
  }
  return false;
}

std::optional<Timestamp> time_of(const Json& value) {
  if (!value.is_string()) return std::nullopt;
  return parse_rfc3339(json_text(value.get_string()));
}

// '*' is any run of characters; "\\*" a star.
bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t retry = 0;
  const auto literal = [&](std::size_t at) -> std::pair<char, std::size_t> {
    if (pattern[at] == '\\' && at + 1 < pattern.size()) return {pattern[at + 1], 2};
    return {pattern[at], 1};
  };
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && literal(p).first == text[t]) {
      p += literal(p).second;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool compare(const Operator& op, const Json& left, const Json& right) {
  switch (op.comparison) {
    case Comparison::string:
      return left.is_string() && right.is_string() &&
             in_order(op.order, json_text(left.get_string()), json_text(right.get_string()));
    case Comparison::numeric:
      return left.is_number() && right.is_number() &&
             in_order(op.order, left.to_number<double>(), right.to_number<double>());
    case Comparison::boolean:
      return left.is_bool() && right.is_bool() && left.get_bool() == right.get_bool();
    case Comparison::timestamp: {
      const auto a = time_of(left);
      const auto b = time_of(right);
      return a && b && in_order(op.order, *a, *b);
    }
    case Comparison::matches:
      return left.is_string() && right.is_string() &&
             matches(json_text(right.get_string()), json_text(left.get_string()));
    default: return false;
  }
}

bool is_of(Comparison comparison, const Json& value) {
  switch (comparison) {
    case Comparison::is_null: return value.is_null();
    case Comparison::is_numeric: return value.is_number();
    case Comparison::is_string: return value.is_string();
    case Comparison::is_boolean: return value.is_bool();
    case Comparison::is_timestamp: return time_of(value).has_value();
    default: return true;  // present
  }
}

bool test(const Condition& condition, Bindings& bindings) {
  Json kept;
  Json kept_other;
  const Json* value = look_up(*condition.variable, bindings, kept);
  const auto comparison = condition.op.comparison;
  if (comparison == Comparison::is_present) {
    return (value != nullptr) == condition.literal.get_bool();
  }
  const Json& left = need(value, *condition.variable);
  if (comparison >= Comparison::is_null) {
    return is_of(comparison, left) == condition.literal.get_bool();
  }
  if (!condition.op.path) return compare(condition.op, left, condition.literal);
  const Json& right = need(look_up(*condition.other, bindings, kept_other), *condition.other);
  return compare(condition.op, left, right);
}

}  // namespace

std::optional<Operator> find_operator(std::string_view name) {
  for (const auto& [alone, comparison] : k_alone) {
    if (name == alone) return Operator{comparison, Order::equals, false};
  }
  Operator op;
  if (name.ends_with("Path")) {
    op.path = true;
    name.remove_suffix(4);
  }
  if (name == "BooleanEquals") {
    op.comparison = Comparison::boolean;
    return op;
  }
  static constexpr std::array<std::pair<std::string_view, Comparison>, 3> k_ordered{
      {{"String", Comparison::string},
       {"Numeric", Comparison::numeric},
       {"Timestamp", Comparison::timestamp}}};
  for (const auto& [prefix, comparison] : k_ordered) {
    if (!name.starts_with(prefix)) continue;
    for (const auto& [suffix, order] : k_orders) {
      if (name.substr(prefix.size()) == suffix) {
        op.comparison = comparison;
        op.order = order;
        return op;
      }
    }
  }
  return std::nullopt;
}

bool holds(const Condition& condition, Bindings& bindings) {
  const auto each = [&](const Condition& part) { return holds(part, bindings); };
  const auto& parts = condition.parts;
  switch (condition.kind) {
    case Condition::Kind::all: return std::all_of(parts.begin(), parts.end(), each);
    case Condition::Kind::any: return std::any_of(parts.begin(), parts.end(), each);
    case Condition::Kind::none: return !each(parts.front());
    case Condition::Kind::test: return test(condition, bindings);
  }
  return false;
}

}  // namespace tarn::stepfunctions::asl
