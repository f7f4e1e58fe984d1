// SPDX-License-Identifier: Apache-2.0
// Text and byte encodings used everywhere. Pure functions, no locale, no I/O.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tarn {

std::vector<std::string> split(std::string_view text, char separator);  // keeps empty parts
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);  // ASCII only
std::string to_upper(std::string_view text);
bool iequals(std::string_view left, std::string_view right);
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

// A whole decimal number; nothing else, no sign for unsigned.
std::optional<std::int64_t> parse_int(std::string_view text);
std::optional<std::uint64_t> parse_uint(std::string_view text);
std::optional<double> parse_double(std::string_view text);

std::string to_hex(std::string_view bytes);  // lower case
std::optional<std::string> from_hex(std::string_view text);
std::string to_base64(std::string_view bytes);
// Tolerates missing padding, as AWS's own decoders do; refuses any other character.
std::optional<std::string> from_base64(std::string_view text);

// RFC 3986: everything but A-Za-z0-9-._~ is escaped; '/' too unless kept.
std::string uri_encode(std::string_view text, bool keep_slash = false);
// '+' stays '+' unless plus_is_space (form data and query strings).
std::string uri_decode(std::string_view text, bool plus_is_space = false);

// '*' any run, '?' one character; as in IAM policies, ASCII case kept.
bool glob_match(std::string_view pattern, std::string_view text);

bool is_valid_utf8(std::string_view text);
// Equal time whatever the content, for secrets.
bool constant_time_equal(std::string_view left, std::string_view right);

}  // namespace tarn
