// SPDX-License-Identifier: Apache-2.0
// Bytes that arrive or leave piece by piece: request and response bodies, blobs. Memory stays
// bounded by the pieces. One reader at a time.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/task.hpp"

namespace tarn {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Up to `max` bytes, at least one; empty at the end. Throws when the rest is lost (client gone,
  // bad chunk signature, disk error).
  virtual Task<std::string> read(std::size_t max = 256 * 1024) = 0;
  // The bytes that are left, where known beforehand.
  virtual std::optional<std::uint64_t> size() const { return std::nullopt; }
};
using ByteSourcePtr = std::shared_ptr<ByteSource>;

// The whole rest in memory; throws std::length_error beyond `max`.
Task<std::string> read_all(ByteSourcePtr source, std::size_t max);
ByteSourcePtr source_of(std::string bytes);

}  // namespace tarn
