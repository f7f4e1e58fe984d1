// SPDX-License-Identifier: Apache-2.0
#include "services/s3/checksum.hpp"

#include <openssl/evp.h>
#include <xxhash.h>

#include <array>
#include <bit>
#include <cstring>

#include "base/check.hpp"

namespace tarn::s3 {
namespace {

// Reflected CRCs, eight bytes a step.
template <class Word, Word k_polynomial>
struct Crc {
  using Table = std::array<std::array<Word, 256>, 8>;
  static const Table& table() {
    static const Table k_table = [] {
      Table t{};
      for (unsigned i = 0; i < 256; ++i) {
        Word word = i;
        for (int bit = 0; bit < 8; ++bit) word = (word >> 1) ^ (word & 1 ? k_polynomial : 0);
        t[0][i] = word;
      }
      for (std::size_t k = 1; k < 8; ++k) {
        for (std::size_t i = 0; i < 256; ++i) {
          t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 0xff];
        }
      }
      return t;
    }();
    return k_table;
  }
  static Word update(Word crc, std::string_view bytes) {
    const Table& t = table();
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    crc = ~crc;
    for (; left >= 8; at += 8, left -= 8) {
      std::uint64_t block = 0;
      std::memcpy(&block, at, 8);
      block ^= crc;
      Word next = 0;
      for (std::size_t k = 0; k < 8; ++k) next ^= t[7 - k][block >> (8 * k) & 0xff];
      crc = next;
    }
    for (; left > 0; ++at, --left) {
      crc = static_cast<Word>(crc >> 8) ^ t[0][(crc ^ static_cast<unsigned char>(*at)) & 0xff];
    }
    return ~crc;
  }

  // Appending zero bits is a linear map of the register; square it up to the length wanted.
  using Matrix = std::array<Word, sizeof(Word) * 8>;
  static Word apply(const Matrix& matrix, Word vector) {
    Word sum = 0;
    for (std::size_t i = 0; vector; ++i, vector >>= 1) {
      if (vector & 1) sum ^= matrix[i];
    }
    return sum;
  }
  static Matrix square(const Matrix& matrix) {
    Matrix result{};
    for (std::size_t i = 0; i < matrix.size(); ++i) result[i] = apply(matrix, matrix[i]);
    return result;
  }
  static Word combine(Word a, Word b, std::uint64_t size_b) {
    Matrix power{};  // one zero bit
    power[0] = k_polynomial;
    for (std::size_t i = 1; i < power.size(); ++i) power[i] = Word{1} << (i - 1);
    power = square(square(square(power)));  // one zero byte
    for (; size_b > 0; size_b >>= 1) {
      if (size_b & 1) a = apply(power, a);
      power = square(power);
    }
    return a ^ b;
  }
};

using Crc32 = Crc<std::uint32_t, 0xEDB88320>;
using Crc32c = Crc<std::uint32_t, 0x82F63B78>;
using Crc64Nvme = Crc<std::uint64_t, 0x9A6C9329AC4BC9B5>;

template <class Word>
std::string big_endian(Word word) {
  std::string bytes(sizeof word, '\0');
  for (std::size_t i = sizeof word; i-- > 0; word = static_cast<Word>(word >> 8)) {
    bytes[i] = static_cast<char>(word & 0xff);
  }
  return bytes;
}

template <class Word>
Word from_big_endian(std::string_view bytes) {
  Word word = 0;
  for (const char c : bytes) word = static_cast<Word>(word << 8) | static_cast<unsigned char>(c);
  return word;
}

template <class Algorithm, class Word>
class CrcHasher : public Hasher {
 public:
  void update(std::string_view bytes) override { crc_ = Algorithm::update(crc_, bytes); }
  std::string digest() override { return big_endian(crc_); }

 private:
  Word crc_ = 0;
};

class EvpHasher : public Hasher {
 public:
  explicit EvpHasher(const EVP_MD* kind) : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    TARN_CHECK(EVP_DigestInit_ex(context_.get(), kind, nullptr) == 1);
  }
  void update(std::string_view bytes) override {
    TARN_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }
  std::string digest() override {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    TARN_CHECK(EVP_DigestFinal_ex(context_.get(), out, &size) == 1);
    return {reinterpret_cast<const char*>(out), size};
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

class Xxh64Hasher : public Hasher {
 public:
  Xxh64Hasher() : state_(XXH64_createState(), &XXH64_freeState) { XXH64_reset(state_.get(), 0); }
  void update(std::string_view bytes) override {
    XXH64_update(state_.get(), bytes.data(), bytes.size());
  }
  std::string digest() override { return big_endian<std::uint64_t>(XXH64_digest(state_.get())); }

 private:
  std::unique_ptr<XXH64_state_t, decltype(&XXH64_freeState)> state_;
};

class Xxh3Hasher : public Hasher {
 public:
  explicit Xxh3Hasher(bool wide) : wide_(wide), state_(XXH3_createState(), &XXH3_freeState) {
    wide ? XXH3_128bits_reset(state_.get()) : XXH3_64bits_reset(state_.get());
  }
  void update(std::string_view bytes) override {
    wide_ ? XXH3_128bits_update(state_.get(), bytes.data(), bytes.size())
          : XXH3_64bits_update(state_.get(), bytes.data(), bytes.size());
  }
  std::string digest() override {
    if (!wide_) return big_endian<std::uint64_t>(XXH3_64bits_digest(state_.get()));
    const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
    return big_endian<std::uint64_t>(hash.high64) + big_endian<std::uint64_t>(hash.low64);
  }

 private:
  bool wide_;
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state_;
};

}  // namespace

std::unique_ptr<Hasher> make_hasher(std::string_view algorithm) {
  if (algorithm == "CRC32") return std::make_unique<CrcHasher<Crc32, std::uint32_t>>();
  if (algorithm == "CRC32C") return std::make_unique<CrcHasher<Crc32c, std::uint32_t>>();
  if (algorithm == "CRC64NVME") return std::make_unique<CrcHasher<Crc64Nvme, std::uint64_t>>();
  if (algorithm == "SHA1") return std::make_unique<EvpHasher>(EVP_sha1());
  if (algorithm == "SHA256") return std::make_unique<EvpHasher>(EVP_sha256());
  if (algorithm == "SHA512") return std::make_unique<EvpHasher>(EVP_sha512());
  if (algorithm == "MD5") return std::make_unique<EvpHasher>(EVP_md5());
  if (algorithm == "XXHASH64") return std::make_unique<Xxh64Hasher>();
  if (algorithm == "XXHASH3") return std::make_unique<Xxh3Hasher>(false);
  if (algorithm == "XXHASH128") return std::make_unique<Xxh3Hasher>(true);
  return nullptr;
}

const std::vector<std::string>& checksum_algorithms() {
  static const std::vector<std::string> k_names = {"CRC32",   "CRC32C",   "CRC64NVME", "SHA1",
                                                   "SHA256",  "SHA512",   "MD5",       "XXHASH64",
                                                   "XXHASH3", "XXHASH128"};
  return k_names;
}

std::string md5(std::string_view bytes) {
  EvpHasher hasher(EVP_md5());
  hasher.update(bytes);
  return hasher.digest();
}

std::optional<std::string> combine_crc(std::string_view algorithm, std::string_view digest_a,
                                       std::string_view digest_b, std::uint64_t size_b) {
  if (algorithm == "CRC64NVME") {
    return big_endian(Crc64Nvme::combine(from_big_endian<std::uint64_t>(digest_a),
                                         from_big_endian<std::uint64_t>(digest_b), size_b));
  }
  const auto a = from_big_endian<std::uint32_t>(digest_a);
  const auto b = from_big_endian<std::uint32_t>(digest_b);
  if (algorithm == "CRC32") return big_endian(Crc32::combine(a, b, size_b));
  if (algorithm == "CRC32C") return big_endian(Crc32c::combine(a, b, size_b));
  return std::nullopt;
}

}  // namespace tarn::s3
