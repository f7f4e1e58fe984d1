// SPDX-License-Identifier: Apache-2.0
// The intrinsic functions of the JSONPath mode: States.Array, States.Format, States.Hash, …
// Pure, apart from the random source handed in.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/json.hpp"

namespace tarn::stepfunctions::asl {

struct IntrinsicArgument {
  Json value;
  // The literal as written between its quotes, escapes included; Format needs it for \{ and \}.
  const std::string* literal = nullptr;
};

bool is_intrinsic(std::string_view name);
// Whether `count` arguments fit.
bool accepts_arguments(std::string_view name, std::size_t count);
// Throws std::runtime_error with the reason.
Json call_intrinsic(std::string_view name, std::vector<IntrinsicArgument> arguments,
                    Random& random);

}  // namespace tarn::stepfunctions::asl
