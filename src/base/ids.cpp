// SPDX-License-Identifier: Apache-2.0
#include "base/ids.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <sys/random.h>

#include "base/strings.hpp"

namespace tarn {

std::uint64_t Random::next64() {
  std::uint64_t value = 0;
  fill(reinterpret_cast<char*>(&value), sizeof value);
  return value;
}

double Random::unit() { return static_cast<double>(next64() >> 11) * 0x1p-53; }

std::string Random::bytes(std::size_t count) {
  std::string out(count, '\0');
  fill(out.data(), count);
  return out;
}

std::string Random::hex(std::size_t digits) {
  return to_hex(bytes((digits + 1) / 2)).substr(0, digits);
}

std::string Random::text(std::size_t count, std::string_view alphabet) {
  // Rejection keeps every character equally likely.
  const unsigned limit = 256 - 256 % static_cast<unsigned>(alphabet.size());
  std::string out;
  while (out.size() < count) {
    for (const char c : bytes(count)) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < limit && out.size() < count) out.push_back(alphabet[byte % alphabet.size()]);
    }
  }
  return out;
}

std::string Random::uuid() {
  std::string raw = bytes(16);
  raw[6] = static_cast<char>((raw[6] & 0x0f) | 0x40);
  raw[8] = static_cast<char>((raw[8] & 0x3f) | 0x80);
  std::string out = to_hex(raw);
  for (const std::size_t at : {20U, 16U, 12U, 8U}) out.insert(at, 1, '-');
  return out;
}

std::string Random::ulid(Timestamp now) {
  constexpr std::string_view k_alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  auto millis = static_cast<std::uint64_t>(to_millis(now));
  std::string out(10, '0');
  for (std::size_t i = 10; i-- > 0; millis >>= 5) out[i] = k_alphabet[millis & 31];
  return out + text(16, k_alphabet);
}

void SystemRandom::fill(char* bytes, std::size_t count) {
  while (count > 0) {
    const auto got = getrandom(bytes, count, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      std::abort();  // without randomness no secret is safe
    }
    bytes += got;
    count -= static_cast<std::size_t>(got);
  }
}

void SeededRandom::fill(char* bytes, std::size_t count) {
  std::lock_guard lock(mutex_);
  while (count > 0) {
    const std::uint64_t value = engine_();
    const std::size_t part = std::min(count, sizeof value);
    std::memcpy(bytes, &value, part);
    bytes += part;
    count -= part;
  }
}

}  // namespace tarn
