// SPDX-License-Identifier: Apache-2.0
// Bodies too large for a row are files: written to a temporary name, fsynced with their directory,
// then named by a committed record. A crash leaves nothing half-visible; the sweep at start removes
// files that no record names.
//
// Threading: a writer belongs to one task; reads are positional and may run in parallel.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/ids.hpp"
#include "base/stream.hpp"
#include "kernel/fault.hpp"

namespace tarn::kernel {

inline constexpr std::size_t k_inline_body_max = 64 * 1024;  // larger bodies become files

// Names a finished blob; goes into records. Opaque.
using BlobId = std::string;

class BlobWriter {
 public:
  virtual ~BlobWriter() = default;                 // unfinished: the temporary file is removed
  virtual void write(std::string_view bytes) = 0;  // throws StorageFailure (disk full)
  virtual std::uint64_t size() const = 0;
  // Makes it durable under its final name. The caller then commits a record that names it.
  virtual BlobId finish() = 0;
};

class Blobs {
 public:
  Blobs(std::filesystem::path directory, Random& random, FaultPoint fault = {});
  std::unique_ptr<BlobWriter> create();
  // Bytes [offset, offset+length) as a stream that stays readable even if the blob is removed.
  ByteSourcePtr open(const BlobId& id, std::uint64_t offset, std::uint64_t length) const;
  // Blocking positional read, for engines.
  std::size_t read_at(const BlobId& id, std::uint64_t offset, char* buffer,
                      std::size_t count) const;
  std::uint64_t size(const BlobId& id) const;
  std::filesystem::path path(const BlobId& id) const;
  // After the commit that dropped the last record naming it.
  void remove(const BlobId& id);
  // Removes what `is_named` denies and all temporary files. At start, before serving.
  std::size_t sweep(const std::function<bool(const BlobId&)>& is_named);

 private:
  std::filesystem::path directory_;
  Random& random_;
  FaultPoint fault_;
};

}  // namespace tarn::kernel
