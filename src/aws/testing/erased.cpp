// SPDX-License-Identifier: Apache-2.0
#include "aws/testing/erased.hpp"

namespace tarn::aws::testing {

std::vector<ErasedOperation>& erased_operations() {
  static std::vector<ErasedOperation> operations;
  return operations;
}

const ErasedOperation* find_erased(std::string_view service_id, std::string_view operation) {
  for (const ErasedOperation& known : erased_operations()) {
    if (known.operation->service->id == service_id && known.operation->name == operation) {
      return &known;
    }
  }
  return nullptr;
}

}  // namespace tarn::aws::testing
