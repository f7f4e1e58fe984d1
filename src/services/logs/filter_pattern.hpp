// SPDX-License-Identifier: Apache-2.0
// CloudWatch Logs' filter patterns, for terms, for JSON and for fields between spaces:
//
//   ERROR "not found" -debug ?warn ?fail %^[45]\d\d%          terms, phrases, regular expressions
//   { ($.level = "ERR*" || $.code >= 500) && $.user NOT EXISTS }    on messages that are JSON
//   [ip, user, ..., status = 4*, bytes > 1000]                on lines of fields
//
// Immutable after parsing, so any thread may match. Throws BadPattern with a text for the user.
#pragma once
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace re2 {
class RE2;
}

namespace tarn::logs {

class BadPattern : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class FilterPattern {
 public:
  // An empty pattern matches everything.
  static FilterPattern parse(std::string_view text);
  bool matches(std::string_view message) const;

 private:
  friend class TermParser;
  struct Term {
    enum class Role { required, excluded, any } role = Role::required;
    std::string text;
    std::shared_ptr<const re2::RE2> expression;  // instead of `text`
    bool found_in(std::string_view message) const;
  };
  std::vector<Term> terms_;
  std::function<bool(const Json&)> json_;         // set: the message must be JSON and satisfy this
  std::function<bool(std::string_view)> fields_;  // set: its fields must satisfy this
};

}  // namespace tarn::logs
