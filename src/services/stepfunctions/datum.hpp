// SPDX-License-Identifier: Apache-2.0
// A JSON value that travels through an execution, as text, as a tree, or both.
//
// Why: most states pass their input on untouched. Text that came in goes out again byte for byte
// (AWS keeps the caller's spacing too) and is parsed only when a path or a template looks inside.
//
// Threading: copies share one value. The first `value()` or `text()` fills in the other form, so a
// Datum belongs to one thread until `settle()` made both; after that it may be read from anywhere.
#pragma once
#include <memory>
#include <string>

#include "base/json.hpp"

namespace tarn::stepfunctions::asl {

class Datum {
 public:
  Datum();  // null
  explicit Datum(Json value);
  // The text must be JSON; if it is not, `value()` throws JsonError.
  static Datum of_text(std::string text);

  const Json& value() const;
  const std::string& text() const;
  std::size_t size() const { return text().size(); }
  const Datum& settle() const;
  // The very same stored value, without looking at it.
  bool same_as(const Datum& other) const { return state_ == other.state_; }

 private:
  struct State {
    Json tree;
    std::string text;
    bool has_tree = false;
    bool has_text = false;
  };
  std::shared_ptr<State> state_;
};

}  // namespace tarn::stepfunctions::asl
