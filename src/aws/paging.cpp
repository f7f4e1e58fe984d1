// SPDX-License-Identifier: Apache-2.0
#include "aws/paging.hpp"

#include <xxhash.h>

#include <fmt/format.h>

#include "base/strings.hpp"

namespace tarn::aws {

namespace {

constexpr char k_version = 1;
constexpr std::size_t k_sum_bytes = 8;

// A check against accidents and other operations' tokens, not a secret: a token grants nothing.
std::string checksum(std::string_view operation, std::string_view key) {
  XXH64_hash_t sum = XXH64(operation.data(), operation.size(), 0);
  sum = XXH64(key.data(), key.size(), sum);
  std::string bytes(k_sum_bytes, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(sum & 0xFF);
    sum >>= 8;
  }
  return bytes;
}

}  // namespace

std::string encode_page_token(std::string_view operation, std::string_view key) {
  std::string bytes(1, k_version);
  bytes += checksum(operation, key);
  bytes += key;
  // Tokens stand in URLs and XML: only letters, digits, '-' and '_'.
  std::string text = to_base64(bytes);
  for (char& c : text) {
    if (c == '+') c = '-';
    if (c == '/') c = '_';
  }
  while (text.ends_with('=')) text.pop_back();
  return text;
}

std::optional<std::string> decode_page_token(std::string_view operation, std::string_view token) {
  std::string text(token);
  for (char& c : text) {
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  const auto bytes = from_base64(text);
  if (!bytes || bytes->size() < 1 + k_sum_bytes || bytes->front() != k_version) {
    return std::nullopt;
  }
  std::string key = bytes->substr(1 + k_sum_bytes);
  if (checksum(operation, key) != bytes->substr(1, k_sum_bytes)) return std::nullopt;
  return key;
}

}  // namespace tarn::aws
