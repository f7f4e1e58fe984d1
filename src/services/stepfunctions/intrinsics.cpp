// SPDX-License-Identifier: Apache-2.0
#include "services/stepfunctions/intrinsics.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>

#include "base/strings.hpp"
#include "services/stepfunctions/expression.hpp"

namespace tarn::stepfunctions::asl {
namespace {

using Arguments = std::vector<IntrinsicArgument>;

constexpr std::size_t k_range_items_max = 1000;
constexpr std::size_t k_text_bytes_max = 10'000;  // Base64 and Hash take no more

[[noreturn]] void refuse(const std::string& why) { throw std::runtime_error(why); }

const JsonArray& array_of(const IntrinsicArgument& argument) {
  if (!argument.value.is_array()) {
    refuse(fmt::format("Invalid arguments: {} is not an array", dump_json(argument.value)));
  }
  return argument.value.get_array();
}
std::string text_of(const IntrinsicArgument& argument) {
  if (!argument.value.is_string()) {
    refuse(fmt::format("Invalid arguments: {} is not a string", dump_json(argument.value)));
  }
  return std::string(json_text(argument.value.get_string()));
}
std::int64_t integer_of(const IntrinsicArgument& argument) {
  if (!argument.value.is_number()) {
    refuse(fmt::format("Invalid arguments: {} is not a number", dump_json(argument.value)));
  }
  if (argument.value.is_int64()) return argument.value.get_int64();
  return std::llround(argument.value.to_number<double>());  // AWS rounds to the nearest integer
}

Json make_array(Arguments& arguments, Random&) {
  JsonArray out;
  for (auto& argument : arguments) out.push_back(std::move(argument.value));
  return out;
}

Json array_partition(Arguments& arguments, Random&) {
  const auto& items = array_of(arguments[0]);
  const auto size = integer_of(arguments[1]);
  if (size <= 0) refuse("The chunk size must be a positive integer");
  JsonArray out;
  for (const auto& item : items) {
    if (out.empty() || out.back().get_array().size() == static_cast<std::size_t>(size)) {
      out.emplace_back(JsonArray());
    }
    out.back().get_array().push_back(item);
  }
  return out;
}

Json array_contains(Arguments& arguments, Random&) {
  const auto& items = array_of(arguments[0]);
  return std::any_of(items.begin(), items.end(),
                     [&](const Json& item) { return json_equal(item, arguments[1].value); });
}

Json array_range(Arguments& arguments, Random&) {
  const auto first = integer_of(arguments[0]);
  const auto last = integer_of(arguments[1]);
  const auto step = integer_of(arguments[2]);
  if (step == 0) refuse("The step must not be zero");
  JsonArray out;
  for (auto i = first; step > 0 ? i <= last : i >= last; i += step) {
    if (out.size() == k_range_items_max) refuse("The range has more than 1000 elements");
    out.emplace_back(i);
  }
  return out;
}

Json array_get_item(Arguments& arguments, Random&) {
  const auto& items = array_of(arguments[0]);
  const auto index = integer_of(arguments[1]);
  if (index < 0 || static_cast<std::size_t>(index) >= items.size()) {
    refuse(fmt::format("The index {} is out of bounds for an array of length {}", index,
                       items.size()));
  }
  return items[static_cast<std::size_t>(index)];
}

Json array_length(Arguments& arguments, Random&) { return array_of(arguments[0]).size(); }

Json array_unique(Arguments& arguments, Random&) {
  JsonArray out;
  for (const auto& item : array_of(arguments[0])) {
    const bool seen = std::any_of(out.begin(), out.end(),
                                  [&](const Json& kept) { return json_equal(kept, item); });
    if (!seen) out.push_back(item);
  }
  return out;
}

Json base64_encode(Arguments& arguments, Random&) {
  const auto text = text_of(arguments[0]);
  if (text.size() > k_text_bytes_max) refuse("The input is longer than 10,000 characters");
  return Json(to_base64(text));
}
Json base64_decode(Arguments& arguments, Random&) {
  const auto text = text_of(arguments[0]);
  if (text.size() > k_text_bytes_max) refuse("The input is longer than 10,000 characters");
  const auto bytes = from_base64(text);
  if (!bytes || !is_valid_utf8(*bytes)) refuse("The input is not Base64 of UTF-8 text");
  return Json(*bytes);
}

Json hash(Arguments& arguments, Random&) {
  static const std::map<std::string, const EVP_MD* (*)(), std::less<>> k_algorithms{
      {"MD5", EVP_md5},
      {"SHA-1", EVP_sha1},
      {"SHA-256", EVP_sha256},
      {"SHA-384", EVP_sha384},
      {"SHA-512", EVP_sha512}};
  const auto& data = arguments[0].value;
  const std::string bytes = data.is_string() ? text_of(arguments[0]) : dump_json(data);
  if (bytes.size() > k_text_bytes_max) refuse("The input is longer than 10,000 characters");
  const auto algorithm = k_algorithms.find(text_of(arguments[1]));
  if (algorithm == k_algorithms.end()) {
    refuse("The algorithm must be one of MD5, SHA-1, SHA-256, SHA-384, SHA-512");
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &size, algorithm->second(), nullptr) != 1) {
    refuse("The hash could not be computed");
  }
  return Json(to_hex({reinterpret_cast<const char*>(digest), size}));
}

Json json_merge(Arguments& arguments, Random&) {
  if (!arguments[0].value.is_object() || !arguments[1].value.is_object()) {
    refuse("Invalid arguments: both must be JSON objects");
  }
  if (!arguments[2].value.is_bool()) refuse("Invalid arguments: the third must be a boolean");
  if (arguments[2].value.get_bool()) {
    refuse("States.JsonMerge supports the shallow merging mode only: the third argument is false");
  }
  JsonObject out = std::move(arguments[0].value.get_object());
  for (auto& member : arguments[1].value.get_object()) {
    out.insert_or_assign(member.key(), member.value());
  }
  return out;
}

Json string_to_json(Arguments& arguments, Random&) {
  try {
    const auto text = text_of(arguments[0]);
    return trim(text).empty() ? Json(nullptr) : parse_json(text);
  } catch (const JsonError&) {
    refuse("Unable to parse the string as JSON");
  }
}
Json json_to_string(Arguments& arguments, Random&) { return Json(dump_json(arguments[0].value)); }

// java.util.Random, so that a seed gives AWS's numbers.
class JavaRandom {
 public:
  explicit JavaRandom(std::int64_t seed)
      : state_((static_cast<std::uint64_t>(seed) ^ 0x5DEECE66DULL) & k_mask) {}
  std::int32_t next(int bits) {
    state_ = (state_ * 0x5DEECE66DULL + 0xBULL) & k_mask;
    return static_cast<std::int32_t>(static_cast<std::int64_t>(state_) >> (48 - bits));
  }
  std::int64_t below(std::int32_t bound) {
    if ((bound & -bound) == bound) return (static_cast<std::int64_t>(bound) * next(31)) >> 31;
    for (;;) {
      const std::int64_t bits = next(31);
      const std::int64_t value = bits % bound;
      if (bits - value + (bound - 1) <= std::numeric_limits<std::int32_t>::max()) return value;
    }
  }

 private:
  static constexpr std::uint64_t k_mask = (1ULL << 48) - 1;
  std::uint64_t state_;
};

Json math_random(Arguments& arguments, Random& random) {
  const auto first = integer_of(arguments[0]);
  const auto last = integer_of(arguments[1]);
  if (last <= first || last - first > std::numeric_limits<std::int32_t>::max()) {
    refuse("The end of the range must be greater than its start");
  }
  const auto width = static_cast<std::int32_t>(last - first);
  if (arguments.size() == 3) return first + JavaRandom(integer_of(arguments[2])).below(width);
  return first + static_cast<std::int64_t>(random.next64() % static_cast<std::uint64_t>(width));
}

Json math_add(Arguments& arguments, Random&) {
  const auto left = integer_of(arguments[0]);
  const auto right = integer_of(arguments[1]);
  std::int64_t sum = 0;
  if (__builtin_add_overflow(left, right, &sum)) refuse("The sum is out of range");
  return sum;
}

// Any character of the second splits; empty parts are dropped.
Json string_split(Arguments& arguments, Random&) {
  const auto text = text_of(arguments[0]);
  const auto separators = text_of(arguments[1]);
  JsonArray out;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const auto end = std::min(text.find_first_of(separators, begin), text.size());
    if (end > begin) out.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

Json uuid(Arguments&, Random& random) { return Json(random.uuid()); }

Json format(Arguments& arguments, Random&) {
  const std::string plain = text_of(arguments[0]);
  const std::string& pattern = arguments[0].literal ? *arguments[0].literal : plain;
  std::string out;
  std::size_t next = 1;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      out.push_back(pattern[++i]);
    } else if (c == '{' && i + 1 < pattern.size() && pattern[i + 1] == '}') {
      if (next == arguments.size()) {
        refuse("the number of arguments does not match the occurrences of {}");
      }
      out += java_text(arguments[next++].value);
      ++i;
    } else {
      out.push_back(c);
    }
  }
  if (next != arguments.size()) {
    refuse("the number of arguments does not match the occurrences of {}");
  }
  return Json(out);
}

struct Function {
  std::size_t arguments_min, arguments_max;
  Json (*run)(Arguments&, Random&);
};
const std::map<std::string, Function, std::less<>>& functions() {
  static constexpr std::size_t k_many = SIZE_MAX;
  static const std::map<std::string, Function, std::less<>> k_functions{
      {"States.Array", {0, k_many, make_array}},
      {"States.ArrayPartition", {2, 2, array_partition}},
      {"States.ArrayContains", {2, 2, array_contains}},
      {"States.ArrayRange", {3, 3, array_range}},
      {"States.ArrayGetItem", {2, 2, array_get_item}},
      {"States.ArrayLength", {1, 1, array_length}},
      {"States.ArrayUnique", {1, 1, array_unique}},
      {"States.Base64Encode", {1, 1, base64_encode}},
      {"States.Base64Decode", {1, 1, base64_decode}},
      {"States.Hash", {2, 2, hash}},
      {"States.JsonMerge", {3, 3, json_merge}},
      {"States.StringToJson", {1, 1, string_to_json}},
      {"States.JsonToString", {1, 1, json_to_string}},
      {"States.MathRandom", {2, 3, math_random}},
      {"States.MathAdd", {2, 2, math_add}},
      {"States.StringSplit", {2, 2, string_split}},
      {"States.UUID", {0, 0, uuid}},
      {"States.Format", {1, k_many, format}}};
  return k_functions;
}

}  // namespace

bool is_intrinsic(std::string_view name) { return functions().contains(name); }

bool accepts_arguments(std::string_view name, std::size_t count) {
  const auto found = functions().find(name);
  return found != functions().end() && count >= found->second.arguments_min &&
         count <= found->second.arguments_max;
}

Json call_intrinsic(std::string_view name, std::vector<IntrinsicArgument> arguments,
                    Random& random) {
  return functions().find(name)->second.run(arguments, random);
}

}  // namespace tarn::stepfunctions::asl
