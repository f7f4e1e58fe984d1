// SPDX-License-Identifier: Apache-2.0
#include "services/s3/checksum.hpp"

#include <gtest/gtest.h>

#include "base/strings.hpp"

namespace tarn::s3 {
namespace {

std::string hex_of(std::string_view algorithm, std::string_view text) {
  const auto hasher = make_hasher(algorithm);
  // In two pieces of odd sizes, so that the eight-byte steps and the tails both run.
  hasher->update(text.substr(0, text.size() / 3));
  hasher->update(text.substr(text.size() / 3));
  return to_hex(hasher->digest());
}

TEST(Checksum, GivesTheCheckValuesOfTheCatalogueOfCrcs) {
  EXPECT_EQ(hex_of("CRC32", "123456789"), "cbf43926");
  EXPECT_EQ(hex_of("CRC32C", "123456789"), "e3069283");
  EXPECT_EQ(hex_of("CRC64NVME", "123456789"), "ae8b14860a799888");
}

TEST(Checksum, GivesTheKnownDigestsOfTheEmptyText) {
  EXPECT_EQ(hex_of("MD5", ""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(hex_of("SHA1", ""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(hex_of("XXHASH64", ""), "ef46db3751d8e999");
  EXPECT_EQ(hex_of("XXHASH3", ""), "2d06800538d394c2");
  EXPECT_EQ(hex_of("XXHASH128", ""), "99aa06d3014798d86001c324468d497f");
}

TEST(Checksum, HasEveryAlgorithmItNamesAndNoOther) {
  for (const auto& name : checksum_algorithms()) EXPECT_NE(make_hasher(name), nullptr) << name;
  EXPECT_EQ(make_hasher("CRC16"), nullptr);
}

TEST(Checksum, CombinesCrcsOfPartsIntoTheCrcOfTheWhole) {
  const std::string a(1000, 'x'), b = "the rest, of another length";
  for (const std::string algorithm : {"CRC32", "CRC32C", "CRC64NVME"}) {
    const auto raw = [&](const std::string& text) {
      const auto hasher = make_hasher(algorithm);
      hasher->update(text);
      return hasher->digest();
    };
    EXPECT_EQ(to_hex(*combine_crc(algorithm, raw(a), raw(b), b.size())), to_hex(raw(a + b)));
  }
  EXPECT_FALSE(combine_crc("SHA256", "", "", 1));
}

}  // namespace
}  // namespace tarn::s3
