// SPDX-License-Identifier: Apache-2.0
// Any text as a pattern, and as the event that it is tried on: refused or matched, never a crash.
#include <string_view>

#include "platform/event_pattern.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace tarn;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto half = text.find('\n');
  try {
    const auto pattern = platform::EventPattern::parse(text.substr(0, half));
    const Json event = parse_json(half == std::string_view::npos ? "{}" : text.substr(half + 1));
    if (pattern.matches(event) != pattern.matches(event)) __builtin_trap();
  } catch (const platform::BadPattern&) {
  } catch (const JsonError&) {}
  return 0;
}
