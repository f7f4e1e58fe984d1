// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <atomic>
#include <chrono>
#include <string>

#include <unistd.h>

#include "base/time.hpp"

namespace tarn::log {
namespace {
std::atomic<Level> g_level{Level::info};  // the one process-wide setting, set once by main
constexpr std::string_view k_names[] = {"debug", "info", "warning", "error"};
}  // namespace

void set_level(Level level) { g_level = level; }
bool enabled(Level level) { return level >= g_level.load(std::memory_order_relaxed); }

void write(Level level, std::string_view area, std::string_view message) {
  const auto now = std::chrono::time_point_cast<Microseconds>(std::chrono::system_clock::now());
  std::string line = fmt::format("{} {} {}: {}\n", iso8601(now),
                                 k_names[static_cast<std::size_t>(level)], area, message);
  // One write keeps lines whole; a closed stderr is nobody's concern.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace tarn::log
