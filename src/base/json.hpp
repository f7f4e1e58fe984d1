// SPDX-License-Identifier: Apache-2.0
// The JSON value that the whole house shares: Boost.JSON's, with our own text rules.
//
// Why: AWS clients compare numbers and text byte for byte, and boost::json writes 1.0 as 1E0.
// `dump_json` writes doubles the way AWS's services do (shortest round trip, "1.0", no exponent in
// the common range). Objects keep insertion order. Parsing bounds the depth and rejects trailing
// text. Values are not thread-safe for writing; reading in parallel is fine.
#pragma once
#include <boost/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tarn {

using Json = boost::json::value;
using JsonObject = boost::json::object;
using JsonArray = boost::json::array;
using JsonKind = boost::json::kind;

// Thrown by `parse_json`; `offset` is the byte at which the text stops being JSON.
class JsonError : public std::runtime_error {
 public:
  JsonError(const std::string& what, std::size_t offset)
      : std::runtime_error(what),
        offset(offset) {}
  std::size_t offset;
};

inline constexpr std::size_t k_json_depth_max = 128;

// UTF-8 text to value; integers beyond 64 bits become doubles.
Json parse_json(std::string_view text, std::size_t depth_max = k_json_depth_max);

std::string dump_json(const Json& value);
void dump_json(const Json& value, std::string& out);
// Two-space indentation, for people.
std::string dump_json_pretty(const Json& value);
// A double as JSON text: shortest digits that read back equal, always with a fraction or exponent.
std::string dump_double(double value);

inline std::string_view json_text(const boost::json::string& text) {
  return {text.data(), text.size()};
}

// Look-ups that do not throw: null where the value is no object, the key is missing or of another
// kind.
const Json* find_member(const Json& value, std::string_view key);
std::optional<std::string> find_string(const Json& value, std::string_view key);
// The string at `key`, or `fallback`.
std::string string_or(const Json& value, std::string_view key, std::string_view fallback = {});

// Numeric equality as in JSON: 1, 1.0 and 1u are equal; objects are equal whatever the order.
bool json_equal(const Json& left, const Json& right);

}  // namespace tarn
