// SPDX-License-Identifier: Apache-2.0
#include "base/stream.hpp"

#include <gtest/gtest.h>

#include "base/pool.hpp"

namespace tarn {
namespace {

TEST(Stream, ATextIsReadPieceByPiece) {
  struct Body {
    static Task<std::vector<std::string>> pieces(ByteSourcePtr source, std::size_t max) {
      std::vector<std::string> out;
      while (true) {
        std::string piece = co_await source->read(max);
        if (piece.empty()) co_return out;
        out.push_back(std::move(piece));
      }
    }
  };
  ThreadPool pool("test", 1);
  const auto run = [&](std::string text, std::size_t max) {
    auto task = Body::pieces(source_of(std::move(text)), max);
    return sync_wait<std::vector<std::string>>({&pool, {}}, std::move(task));
  };
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(run("abcdefg", 3), (Pieces{"abc", "def", "g"}));
  EXPECT_EQ(run("abcdef", 3), (Pieces{"abc", "def"}));
  EXPECT_EQ(run("abc", 100), Pieces{"abc"});
  EXPECT_EQ(run("", 100), Pieces{});
}

TEST(Stream, TheSizeIsWhatIsLeft) {
  ThreadPool pool("test", 1);
  const auto source = source_of("abcde");
  EXPECT_EQ(source->size(), 5U);
  sync_wait<std::string>({&pool, {}}, source->read(2));
  EXPECT_EQ(source->size(), 3U);
}

TEST(Stream, ReadingAllIsBounded) {
  ThreadPool pool("test", 1);
  auto fits = read_all(source_of("12345"), 5);
  EXPECT_EQ(sync_wait<std::string>({&pool, {}}, std::move(fits)), "12345");
  auto too_large = read_all(source_of("123456"), 5);
  EXPECT_THROW(sync_wait<std::string>({&pool, {}}, std::move(too_large)), std::length_error);
}

}  // namespace
}  // namespace tarn
