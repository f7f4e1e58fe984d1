// SPDX-License-Identifier: Apache-2.0
#include "kernel/record.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "kernel/store.hpp"

namespace tarn::kernel {
namespace {

enum class Colour : std::uint8_t { red, green };

struct Inner {
  std::string text;
  std::int32_t number = 0;
  void fields(auto& f) { f(text, number); }
  bool operator==(const Inner&) const = default;
};

struct Everything {
  static constexpr RecordKind k_kind{"test", "everything", 3};
  std::string name;
  std::int64_t least = 0;
  std::uint64_t most = 0;
  double ratio = 0;
  bool flag = false;
  Colour colour = Colour::red;
  Timestamp when;
  Microseconds wait{};
  std::optional<std::string> maybe, absent;
  std::vector<Inner> list;
  std::set<std::string> words;
  std::map<std::string, std::int64_t> counts;
  std::pair<std::string, bool> both;
  Json json;
  auto key() const { return Key(name); }
  void fields(auto& f) {
    f(name, least, most, ratio, flag, colour, when, wait, maybe, absent, list, words, counts, both,
      json);
  }
};

struct QueueV1 {
  static constexpr RecordKind k_kind{"test", "queue", 1};
  std::string name;
  auto key() const { return Key(name); }
  void fields(auto& f) { f(name); }
};

struct QueueV2 {
  static constexpr RecordKind k_kind{"test", "queue", 2};
  std::string name;
  std::int64_t purged = 42;
  auto key() const { return Key(name); }
  void fields(auto& f) {
    f(name);
    if (f.since(2)) f(purged);
  }
};

TEST(Record, ReadsBackEveryKindOfField) {
  Everything in;
  in.name = std::string("zero\0inside", 11);
  in.least = std::numeric_limits<std::int64_t>::min();
  in.most = std::numeric_limits<std::uint64_t>::max();
  in.ratio = -0.1;
  in.flag = true;
  in.colour = Colour::green;
  in.when = Timestamp(Microseconds(-5));
  in.wait = Microseconds(1'500'000);
  in.maybe = "";
  in.list = {{"a", -1}, {"", 7}};
  in.words = {"x", "y"};
  in.counts = {{"one", 1}, {"minus", -300}};
  in.both = {"left", true};
  in.json = parse_json(R"({"a":[1,2.5,null]})");
  const auto out = decode_record<Everything>(encode_record(in));
  EXPECT_EQ(out.name, in.name);
  EXPECT_EQ(out.least, in.least);
  EXPECT_EQ(out.most, in.most);
  EXPECT_EQ(out.ratio, in.ratio);
  EXPECT_TRUE(out.flag);
  EXPECT_EQ(out.colour, Colour::green);
  EXPECT_EQ(out.when, in.when);
  EXPECT_EQ(out.wait, in.wait);
  EXPECT_EQ(out.maybe, in.maybe);
  EXPECT_FALSE(out.absent.has_value());
  EXPECT_EQ(out.list, in.list);
  EXPECT_EQ(out.words, in.words);
  EXPECT_EQ(out.counts, in.counts);
  EXPECT_EQ(out.both, in.both);
  EXPECT_TRUE(json_equal(out.json, in.json));
}

TEST(Record, AnOldRowKeepsTheDefaultsOfNewerFields) {
  const auto row = decode_record<QueueV2>(encode_record(QueueV1{"orders"}));
  EXPECT_EQ(row.name, "orders");
  EXPECT_EQ(row.purged, 42);
}

TEST(Record, ANewerRowIsRefusedByName) {
  try {
    decode_record<QueueV1>(encode_record(QueueV2{"orders", 1}));
    FAIL() << "a newer row was read";
  } catch (const StoreTooNew& error) {
    EXPECT_EQ(std::string(error.what()),
              "a test/queue record has version 2, this tarn reads up to 1: use the newer tarn that "
              "wrote it");
  }
}

TEST(Record, DamagedRowsAreErrorsWhereverTheyAreCut) {
  Everything in;
  in.name = "name";
  in.list = {{"a", 1}};
  in.json = parse_json("[1]");
  const std::string whole = encode_record(in);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THROW(decode_record<Everything>(whole.substr(0, length)), CorruptRecord) << length;
  }
  EXPECT_THROW(decode_record<Everything>(whole + "x"), CorruptRecord);
  EXPECT_THROW(decode_record<QueueV1>(std::string("\0abc", 4)), CorruptRecord);
  // A count that no row could hold is refused before anything is allocated.
  EXPECT_THROW(decode_record<QueueV1>("\x01\xff\xff\xff\xff\x0f"), CorruptRecord);
}

TEST(Key, ByteOrderIsTheOrderOfTheParts) {
  const std::vector<std::string> texts = {"",
                                          std::string("\0", 1),
                                          std::string("\0\0", 2),
                                          std::string("\0a", 2),
                                          "a",
                                          std::string("a\0", 2),
                                          std::string("a\0b", 3),
                                          "a\x01",
                                          "aa",
                                          "b",
                                          "\xff"};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (std::size_t j = 0; j < texts.size(); ++j) {
      EXPECT_EQ(Key(texts[i], "z").bytes() < Key(texts[j], "a").bytes(), i < j) << i << ' ' << j;
    }
  }
}

TEST(Key, NumbersAndTimesSortNumerically) {
  std::vector<std::int64_t> numbers = {
      std::numeric_limits<std::int64_t>::min(), -256, -1, 0, 1, 255, 256,
      std::numeric_limits<std::int64_t>::max()};
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    EXPECT_LT(Key(numbers[i - 1]).bytes(), Key(numbers[i]).bytes());
    EXPECT_LT(Key(Timestamp(Microseconds(numbers[i - 1]))).bytes(),
              Key(Timestamp(Microseconds(numbers[i]))).bytes());
  }
  EXPECT_LT(Key(std::uint64_t{1}).bytes(), Key(std::uint64_t{1} << 63).bytes());
}

TEST(Key, PartsComeBackInOrder) {
  const std::string text("a\0\xff\x01 b", 6);
  const Key key(text, std::int64_t{-7}, std::uint64_t{9}, "");
  KeyReader reader(key.bytes());
  EXPECT_EQ(reader.text(), text);
  EXPECT_EQ(reader.signed_number(), -7);
  EXPECT_EQ(reader.number(), 9U);
  EXPECT_EQ(reader.text(), "");
  EXPECT_TRUE(reader.done());
  EXPECT_THROW(reader.text(), CorruptRecord);
  EXPECT_THROW(reader.number(), CorruptRecord);
}

TEST(Key, AnOpenPrefixBeginsEveryTextThatItBegins) {
  Key prefix("bucket");
  prefix.add_open_prefix("photos/");
  EXPECT_TRUE(Key("bucket", "photos/1.jpg").bytes().starts_with(prefix.bytes()));
  EXPECT_TRUE(Key("bucket", "photos/").bytes().starts_with(prefix.bytes()));
  EXPECT_FALSE(Key("bucket", "photo").bytes().starts_with(prefix.bytes()));
}

}  // namespace
}  // namespace tarn::kernel
