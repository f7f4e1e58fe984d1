// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdio>
#include <set>
#include <thread>

#include <fmt/format.h>

#include "base/strings.hpp"
#include "base/time.hpp"
#include "cli/client.hpp"
#include "cli/commands.hpp"

namespace tarn::cli {
namespace {

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// "90s", "10m", "2h", "1d"
std::int64_t parse_age_ms(const std::string& text) {
  const auto number = parse_int(text.substr(0, text.empty() ? 0 : text.size() - 1));
  const char unit = text.empty() ? '?' : text.back();
  const std::int64_t ms = unit == 's'   ? 1000
                          : unit == 'm' ? 60'000
                          : unit == 'h' ? 3'600'000
                          : unit == 'd' ? 86'400'000
                                        : 0;
  if (!number || ms == 0) {
    throw std::runtime_error(fmt::format("--since {}: write 90s, 10m, 2h or 1d", text));
  }
  return *number * ms;
}

}  // namespace

int logs(const DataDirectory& data, const LogsOptions& options) {
  Client client(find_connection(data));
  const JsonService service = logs_service(client);
  std::int64_t start = now_ms() - parse_age_ms(options.since);
  std::set<std::string> seen;  // events of the last millisecond that was shown
  while (true) {
    JsonObject request{{"logGroupName", options.group}, {"startTime", start}};
    while (true) {
      const Json page = service.call("FilterLogEvents", request);
      for (const Json& event : page.at("events").as_array()) {
        const auto time = event.at("timestamp").to_number<std::int64_t>();
        if (!seen.insert(string_or(event, "eventId")).second) continue;
        if (time > start) {
          start = time;
          seen = {string_or(event, "eventId")};
        }
        fmt::print("{} {} {}\n", iso8601(from_millis(time)), string_or(event, "logStreamName"),
                   trim(string_or(event, "message")));
      }
      const auto token = find_string(page, "nextToken");
      if (!token) break;
      request["nextToken"] = *token;
    }
    std::fflush(stdout);
    if (!options.follow) return 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
}

}  // namespace tarn::cli
