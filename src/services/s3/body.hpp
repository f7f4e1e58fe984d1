// SPDX-License-Identifier: Apache-2.0
// Bytes into the store and out of it: small bodies become a row, large ones a blob, with the MD5
// and the wanted checksums computed on the way. Reading gives a stream over a range of the extents.
#pragma once
#include <string>
#include <vector>

#include "aws/http.hpp"
#include "base/stream.hpp"
#include "kernel/blobs.hpp"
#include "kernel/store.hpp"
#include "services/s3/records.hpp"

namespace tarn::s3 {

// A body that was taken in but that no record names yet. Dropped without `keep`, its blob goes too.
class Intake {
 public:
  explicit Intake(kernel::Blobs& blobs) : blobs_(&blobs) {}
  Intake(Intake&& other) noexcept;
  Intake& operator=(Intake&&) = delete;
  ~Intake();

  Body body;
  std::string inline_bytes;
  std::string md5;    // raw
  TextMap checksums;  // algorithm → base64
  // Writes the rows that go with the body, in the caller's transaction.
  void put(kernel::Txn& txn) const;
  // After the commit.
  void keep() { kept_ = true; }

 private:
  kernel::Blobs* blobs_;
  bool kept_ = false;
};

struct IntakeOptions {
  std::vector<std::string> algorithms;  // besides MD5
  bool always_blob = false;             // parts: they become extents
};

// Throws StorageFailure when the disk is full; whatever `source` throws when the client is gone.
Task<Intake> take_body(kernel::Blobs& blobs, Random& random, ByteSourcePtr source,
                       IntakeOptions options);

// Bytes [offset, offset + length) of a body. Inline bytes are read by the caller's transaction.
ByteSourcePtr read_body(kernel::Blobs& blobs, const Body& body, std::string inline_bytes,
                        std::uint64_t offset, std::uint64_t length);

// Removes the rows of a body that is no longer named; `remove_blobs` after the commit.
void erase_body(kernel::Txn& txn, const Body& body);
void remove_blobs(kernel::Blobs& blobs, const Body& body);

}  // namespace tarn::s3
