// SPDX-License-Identifier: Apache-2.0
// JSONPath as Step Functions evaluates it: the syntax and results of Jayway's library, where a path
// that can only name one thing (definite) gives that thing or fails, and any other gives a list.
//
//   $.a.b  $['a']  $.a[0]  $.a[-1]  $.a[0,2]  $.a[1:3]  $.*  $..a  $.a[?(@.b > 1 && @.c)]
//   $$.Execution.Id   the context object        $name.a   a variable
//
// Immutable once parsed; safe to share between threads. It does not modify documents: ResultPath's
// writing is in `ReferencePath`.
#pragma once
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace tarn::stepfunctions::asl {

class BadPath : public std::runtime_error {
  using std::runtime_error::runtime_error;
};
// A definite path that leads nowhere; the text is Jayway's ("No results for path: $['a']").
class PathNotFound : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace path {
struct Filter;
struct Step {
  enum class Kind { name, names, index, indices, slice, wildcard, filter, descend };
  Kind kind = Kind::name;
  std::vector<std::string> names;
  std::vector<std::int64_t> indices;  // slice: begin, end; INT64_MAX where open
  std::shared_ptr<const Filter> filter;
};
}  // namespace path

class JsonPath {
 public:
  enum class Root { input, context, variable };
  static JsonPath parse(std::string_view text);
  // Only the part behind a root: "" or ".a[0]"; `text` is what errors quote.
  const std::string& text() const { return text_; }
  Root root() const { return root_; }
  const std::string& variable() const { return variable_; }
  bool definite() const { return definite_; }
  bool is_root() const { return steps_.empty(); }
  // Names and non-negative indices only, as ResultPath and Variable need.
  bool is_reference() const;
  const std::vector<path::Step>& steps() const { return steps_; }

  // Definite paths: the place in `document`. Throws PathNotFound.
  const Json& find(const Json& document) const;
  // Indefinite ones: everything that matches, in document order.
  JsonArray collect(const Json& document) const;
  // Either, as a value.
  Json evaluate(const Json& document) const;
  // Whether something is there.
  const Json* find_or_null(const Json& document) const noexcept;

 private:
  std::string text_;
  Root root_ = Root::input;
  std::string variable_;
  bool definite_ = true;
  std::vector<path::Step> steps_;
};

// Puts `value` at a reference path inside a copy of `document`, making objects on the way. Throws
// PathNotFound when something that is no object stands in the way, or an index does not exist.
Json put_at(Json document, const JsonPath& where, Json value);

}  // namespace tarn::stepfunctions::asl
