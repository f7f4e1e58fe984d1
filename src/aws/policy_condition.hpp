// SPDX-License-Identifier: Apache-2.0
// Condition elements of IAM policies: operators, quantifiers, policy variables. Pure functions.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "aws/policy.hpp"

namespace tarn::aws {

enum class ConditionKind {
  string_equals,
  string_equals_ignore_case,
  string_like,
  numeric,
  date,
  boolean,
  binary,
  ip_address,
  arn_like,
  null,
};
enum class Comparison { equal, less, less_equal, greater, greater_equal };
enum class Quantifier { none, any_value, all_values };

// One operator with one key: {"StringLike": {"s3:prefix": ["a/*", "b/*"]}}.
struct Condition {
  ConditionKind kind = ConditionKind::string_equals;
  Comparison comparison = Comparison::equal;
  Quantifier quantifier = Quantifier::none;
  bool negated = false;
  bool if_exists = false;
  std::string key;
  std::vector<std::string> values;

  bool holds(const PolicyContext& context) const;
};

// Throws PolicyError for an operator that IAM does not have.
Condition parse_condition(std::string_view name, std::string key, std::vector<std::string> values);

// A pattern with policy variables put in: wildcards of a value stand for themselves. Empty when a
// variable has no value: then nothing matches.
struct PatternText {
  std::string text;
  std::vector<bool> literal;  // characters that came from a variable
};
std::optional<PatternText> substitute(std::string_view pattern, const PolicyContext& context);
bool pattern_matches(const PatternText& pattern, std::string_view text, bool ignore_case = false);

}  // namespace tarn::aws
