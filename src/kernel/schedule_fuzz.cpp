// SPDX-License-Identifier: Apache-2.0
// Any text as a schedule expression: refused, or its occurrences go forward.
#include <string_view>

#include "kernel/scheduler.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace tarn;
  if (size > 200) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto expression = kernel::ScheduleExpression::parse(text, "Europe/Berlin");
    Timestamp time = from_millis(1'795'248'000'000);
    const Timestamp anchor = time;
    for (int i = 0; i < 5; ++i) {
      const auto next = expression.next(time, anchor);
      if (!next) break;
      if (*next <= time) __builtin_trap();
      time = *next;
    }
  } catch (const kernel::BadSchedule&) {}
  return 0;
}
