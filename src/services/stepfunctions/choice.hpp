// SPDX-License-Identifier: Apache-2.0
// The rules of a Choice state: conditions over the input, joined by And, Or and Not. Parsed with
// the definition; pure and shareable.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "services/stepfunctions/expression.hpp"

namespace tarn::stepfunctions::asl {

enum class Comparison {
  string,
  numeric,
  boolean,
  timestamp,
  matches,
  is_null,
  is_present,
  is_numeric,
  is_string,
  is_boolean,
  is_timestamp
};
enum class Order { equals, less, greater, less_equal, greater_equal };

struct Operator {
  Comparison comparison = Comparison::string;
  Order order = Order::equals;
  bool path = false;  // compares with what another path finds
};
// "NumericLessThanEqualsPath", …
std::optional<Operator> find_operator(std::string_view name);

struct Condition {
  enum class Kind { all, any, none, test };
  Kind kind = Kind::test;
  std::vector<Condition> parts;
  std::optional<Expression> variable;
  Operator op;
  Json literal;
  std::optional<Expression> other;
};

struct ChoiceRule {
  Condition condition;
  std::size_t next = 0;
  std::optional<Template> assign;
};

// Throws EvaluationError when a variable is missing that the rule needs.
bool holds(const Condition& condition, Bindings& bindings);

}  // namespace tarn::stepfunctions::asl
