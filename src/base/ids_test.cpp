// SPDX-License-Identifier: Apache-2.0
#include "base/ids.hpp"

#include <gtest/gtest.h>

#include <regex>
#include <set>

namespace tarn {
namespace {

TEST(Random, AUuidHasItsVersionAndVariant) {
  SeededRandom random(1);
  const std::regex form("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = random.uuid();
    EXPECT_TRUE(std::regex_match(id, form)) << id;
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(Random, ASeedGivesTheSameAgain) {
  SeededRandom left(7), right(7), other(8);
  EXPECT_EQ(left.hex(33), right.hex(33));
  EXPECT_NE(left.hex(32), other.hex(32));
}

TEST(Random, TextUsesItsWholeAlphabetAndNothingElse) {
  SeededRandom random(3);
  const std::string text = random.text(5000, "abc");
  EXPECT_EQ(text.size(), 5000U);
  EXPECT_EQ(text.find_first_not_of("abc"), std::string::npos);
  for (const char c : {'a', 'b', 'c'}) {
    EXPECT_NEAR(static_cast<double>(std::count(text.begin(), text.end(), c)), 5000 / 3.0, 200);
  }
}

TEST(Random, UlidsSortByTime) {
  SeededRandom random(3);
  std::string last;
  for (int i = 0; i < 100; ++i) {
    const std::string id = random.ulid(from_millis(1'700'000'000'000 + i));
    EXPECT_EQ(id.size(), 26U);
    EXPECT_LT(last, id);
    last = id;
  }
}

TEST(Random, TheSystemsGeneratorGivesDifferentBytes) {
  SystemRandom random;
  EXPECT_NE(random.bytes(32), random.bytes(32));
  EXPECT_EQ(random.bytes(0), "");
  const double unit = random.unit();
  EXPECT_TRUE(unit >= 0 && unit < 1);
}

}  // namespace
}  // namespace tarn
