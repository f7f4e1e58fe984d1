// SPDX-License-Identifier: Apache-2.0
// Operations whose types are not known at compile time, for tests that run every generated one.
#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "aws/operation.hpp"

namespace tarn::aws::testing {

struct ErasedOperation {
  const Operation* operation = nullptr;
  std::shared_ptr<void> (*make_input)() = nullptr;
  std::shared_ptr<void> (*make_output)() = nullptr;
};

template <class T>
std::shared_ptr<void> make_erased() {
  return std::make_shared<T>();
}

// Filled by generated code before main.
std::vector<ErasedOperation>& erased_operations();
const ErasedOperation* find_erased(std::string_view service_id, std::string_view operation);

}  // namespace tarn::aws::testing
