// SPDX-License-Identifier: Apache-2.0
// Any text as a path and as a template.
#include <string_view>

#include "services/events/target_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace tarn;
  static const Json k_event = parse_json(R"({"id":"1","detail":{"a":[1,{"b":"c"}]}})");
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto half = text.find('\n');
  const std::string path = text.substr(0, half);
  try {
    events::select(k_event, path);
    events::fill_template(half == std::string::npos ? "" : text.substr(half + 1), {{"x", path}},
                          k_event, {"arn", "name", "time"});
  } catch (const events::BadPath&) {}
  return 0;
}
