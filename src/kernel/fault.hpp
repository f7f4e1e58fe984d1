// SPDX-License-Identifier: Apache-2.0
// The seam for crash tests: the kernel calls a fault point by name before and after each step that
// a crash could part. It may throw (a failed disk) or end the process (a power cut). Empty in
// production. The names are listed in docs/formats/store.md.
#pragma once
#include <functional>
#include <string_view>

namespace tarn::kernel {

using FaultPoint = std::function<void(std::string_view name)>;

}  // namespace tarn::kernel
