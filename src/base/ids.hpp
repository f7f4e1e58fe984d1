// SPDX-License-Identifier: Apache-2.0
// Randomness and identifiers, handed in so that tests are reproducible. Thread-safe.
#pragma once
#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace tarn {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(char* bytes, std::size_t count) = 0;

  std::uint64_t next64();
  double unit();  // in [0, 1)
  std::string bytes(std::size_t count);
  std::string hex(std::size_t digits);
  std::string text(std::size_t count, std::string_view alphabet);
  std::string uuid();  // version 4, lower case
  // Sorts by time: 48 bits of milliseconds, 80 random bits, 26 characters of Crockford's base 32.
  std::string ulid(Timestamp now);
};

// The kernel's generator, fit for keys and secrets.
class SystemRandom : public Random {
 public:
  void fill(char* bytes, std::size_t count) override;
};

class SeededRandom : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(char* bytes, std::size_t count) override;

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

}  // namespace tarn
