// SPDX-License-Identifier: Apache-2.0
// The digests of S3: the MD5 of ETags and the additional checksums, fed piece by piece.
// One hasher per stream; not thread-safe.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tarn::s3 {

// "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3",
// "XXHASH128", as in x-amz-checksum-algorithm.
class Hasher {
 public:
  virtual ~Hasher() = default;
  virtual void update(std::string_view bytes) = 0;
  virtual std::string digest() = 0;  // raw bytes, big-endian; ends the hashing
};

// Null for an unknown name.
std::unique_ptr<Hasher> make_hasher(std::string_view algorithm);
const std::vector<std::string>& checksum_algorithms();
std::string md5(std::string_view bytes);  // 16 raw bytes

// The CRC of A followed by B from theirs alone; none where the algorithm is no CRC.
std::optional<std::string> combine_crc(std::string_view algorithm, std::string_view digest_a,
                                       std::string_view digest_b, std::uint64_t size_b);

}  // namespace tarn::s3
