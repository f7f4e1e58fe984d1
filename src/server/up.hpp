// SPDX-License-Identifier: Apache-2.0
// `tarn up`: serve until SIGINT or SIGTERM.
#pragma once
#include "server/options.hpp"

namespace tarn::server {

// The process's exit code: 0 after a clean stop, 1 with a message on standard error otherwise.
int up(const Options& options);

}  // namespace tarn::server
