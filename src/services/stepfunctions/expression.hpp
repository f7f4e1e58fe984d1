// SPDX-License-Identifier: Apache-2.0
// What may stand behind a key that ends in ".$", or in a field named …Path: a JSONPath into the
// state's input, the context object or a variable, or a call of an intrinsic function.
//
// Expressions are parsed once, with the definition, and are immutable and shareable. What they see
// comes through `Bindings`. They have no effects; States.UUID and States.MathRandom draw from the
// injected source.
#pragma once
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/json.hpp"
#include "services/stepfunctions/json_path.hpp"

namespace tarn::stepfunctions::asl {

// An evaluation that failed: which error, and why (without "An error occurred while …").
class EvaluationError : public std::runtime_error {
 public:
  EvaluationError(std::string error, const std::string& reason)
      : std::runtime_error(reason),
        error(std::move(error)) {}
  std::string error;
};

class Bindings {
 public:
  virtual ~Bindings() = default;
  virtual const Json& input() = 0;
  virtual const std::string& input_text() = 0;  // quoted in messages
  virtual const Json& context() = 0;
  virtual const Json* variable(const std::string& name) = 0;
  virtual Random& random() = 0;
};

class Expression {
 public:
  // Throws BadPath (or one of its texts) when it is neither.
  static Expression parse(std::string_view text);
  static Expression path(JsonPath path);

  const std::string& text() const { return text_; }
  bool is_call() const { return call_ != nullptr; }
  const JsonPath* as_path() const { return call_ ? nullptr : &path_; }

  // `field` is named when a path finds nothing: "value.$", "ErrorPath".
  Json evaluate(Bindings& bindings, std::string_view field) const;
  // A path's place without a copy, null when nothing is there; not for calls or indefinite paths.
  const Json* find_or_null(Bindings& bindings) const;
  // The names of the variables that it reads.
  void add_variables(std::set<std::string>& names) const;
  // As InputPath and OutputPath: a path that finds nothing tells Jayway's reason.
  Json evaluate_filter(Bindings& bindings) const;

  struct Call;
  struct Argument;

 private:
  const Json& root_of(Bindings& bindings) const;
  std::string text_;
  JsonPath path_;
  std::shared_ptr<const Call> call_;
};

// A JSON template whose keys "x.$" are replaced by what their expression gives.
class Template {
 public:
  Template() = default;
  // Throws BadPath with the offending field in `bad_field`.
  static Template parse(const Json& source);
  Json evaluate(Bindings& bindings) const;
  bool constant() const { return !node_; }

  struct BadField {
    std::string field;     // "parsed.$"
    std::string location;  // below the template: "" or "/a/b"
    std::string reason;
  };
  // All fields that are no expressions.
  static std::vector<BadField> check(const Json& source);
  // The names of the variables that the expressions of a template read.
  static void add_variables(const Json& source, std::set<std::string>& names);

  struct Node;

 private:
  Json constant_;
  std::shared_ptr<const Node> node_;
};

// As Java writes values into text: {Arg1=1, Arg2=[]}. States.Format does so.
std::string java_text(const Json& value);

}  // namespace tarn::stepfunctions::asl
