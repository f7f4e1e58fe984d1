// SPDX-License-Identifier: Apache-2.0
// Event patterns: which JSON documents a rule wants. EventBridge's rules and SNS's filter policies
// speak the same language: an object of fields, each a list of alternatives (values or matchers) or
// a nested object; "$or" holds alternatives of whole patterns.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
//
// Immutable after parsing; matching from any thread. A field whose value is an array matches where
// one element does; an array of objects where one object matches all nested fields.
#pragma once
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace tarn::platform {

// The text is AWS's reason, without the words around it.
class BadPattern : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class EventPattern {
 public:
  static EventPattern parse(std::string_view text);
  static EventPattern of(const Json& pattern);
  bool matches(const Json& event) const;

 private:
  struct Node;
  explicit EventPattern(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
  std::shared_ptr<const Node> root_;
};

}  // namespace tarn::platform
