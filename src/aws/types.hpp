// SPDX-License-Identifier: Apache-2.0
// What generated structures are made of. Every generated header includes this and nothing else of
// src, so it stays small; the tables that describe the structures are in aws/shape.hpp.
#pragma once
#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "base/stream.hpp"
#include "base/time.hpp"

namespace tarn::aws {

struct Shape;
struct Operation;
struct ServiceModel;

// The table of a generated structure: `shape_of<sqs::SendMessageInput>()`.
template <class T>
const Shape& shape_of();

// A member of a recursive structure: owned, copied deeply, never null but after being moved from.
template <class T>
class Boxed {
 public:
  Boxed() : value_(std::make_unique<T>()) {}
  template <class U>
    requires std::same_as<std::remove_cvref_t<U>, T>
  Boxed(U&& value) : value_(std::make_unique<T>(std::forward<U>(value))) {}  // NOLINT: a value
  Boxed(const Boxed& other) : value_(std::make_unique<T>(*other.value_)) {}
  Boxed(Boxed&& other) noexcept = default;
  Boxed& operator=(const Boxed& other) {
    if (this != &other) value_ = std::make_unique<T>(*other.value_);
    return *this;
  }
  Boxed& operator=(Boxed&& other) noexcept = default;
  ~Boxed() = default;

  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return value_.get(); }
  const T* operator->() const { return value_.get(); }

 private:
  std::unique_ptr<T> value_;
};

// An element of a list of booleans: std::vector<bool> has no addressable elements.
struct Flag {
  bool value = false;
  Flag() = default;
  Flag(bool value) : value(value) {}  // NOLINT: stands for a bool
  operator bool() const { return value; }
};

}  // namespace tarn::aws
