// SPDX-License-Identifier: Apache-2.0
// Private to the kernel.
#pragma once
#include <filesystem>

namespace tarn::kernel {

// A file's bytes, or a directory's names, survive the loss of power. Throws StorageFailure.
void sync_path(const std::filesystem::path& path);

}  // namespace tarn::kernel
