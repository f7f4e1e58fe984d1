// SPDX-License-Identifier: Apache-2.0
// Tarn's own log, to standard error: one line a message, leveled, thread-safe. Never for users'
// logs (those go to CloudWatch Logs) and never for secrets.
#pragma once
#include <fmt/format.h>

#include <string_view>

namespace tarn::log {

enum class Level { debug, info, warning, error };
void set_level(Level level);
bool enabled(Level level);
void write(Level level, std::string_view area, std::string_view message);

template <class... A>
void debug(std::string_view area, fmt::format_string<A...> format, A&&... args) {
  if (enabled(Level::debug))
    write(Level::debug, area, fmt::format(format, std::forward<A>(args)...));
}
template <class... A>
void info(std::string_view area, fmt::format_string<A...> format, A&&... args) {
  if (enabled(Level::info)) write(Level::info, area, fmt::format(format, std::forward<A>(args)...));
}
template <class... A>
void warning(std::string_view area, fmt::format_string<A...> format, A&&... args) {
  write(Level::warning, area, fmt::format(format, std::forward<A>(args)...));
}
template <class... A>
void error(std::string_view area, fmt::format_string<A...> format, A&&... args) {
  write(Level::error, area, fmt::format(format, std::forward<A>(args)...));
}

}  // namespace tarn::log
