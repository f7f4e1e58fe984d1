// SPDX-License-Identifier: Apache-2.0
#include "services/stepfunctions/datum.hpp"

#include <utility>

namespace tarn::stepfunctions::asl {

Datum::Datum() {
  static const std::shared_ptr<State> k_null = [] {
    auto state = std::make_shared<State>();
    state->text = "null";
    state->has_text = state->has_tree = true;
    return state;
  }();
  state_ = k_null;
}

Datum::Datum(Json value) : state_(std::make_shared<State>()) {
  state_->tree = std::move(value);
  state_->has_tree = true;
}

Datum Datum::of_text(std::string text) {
  Datum made;
  made.state_ = std::make_shared<State>();
  made.state_->text = std::move(text);
  made.state_->has_text = true;
  return made;
}

const Json& Datum::value() const {
  if (!state_->has_tree) {
    state_->tree = parse_json(state_->text);
    state_->has_tree = true;
  }
  return state_->tree;
}

const std::string& Datum::text() const {
  if (!state_->has_text) {
    dump_json(state_->tree, state_->text);
    state_->has_text = true;
  }
  return state_->text;
}

const Datum& Datum::settle() const {
  value();
  text();
  return *this;
}

}  // namespace tarn::stepfunctions::asl
