// SPDX-License-Identifier: Apache-2.0
// Values that stay in the commit log, the room that they leave behind, and stores of format 1.
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include <rocksdb/db.h>

#include <fmt/format.h>

#include "kernel/store.hpp"
#include "kernel/testing/house.hpp"

namespace tarn::kernel {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryDirectory;

struct Body {
  static constexpr RecordKind k_kind{"test", "body", 1, Family::bodies};
  int number = 0;
  std::string bytes;
  auto key() const { return Key(number); }
  void fields(auto& f) { f(number, bytes); }
};
const Scope k_here{"000000000000", "eu-central-1"};

// Of that number and version: no two are alike.
std::string bytes_of(int number, int version, std::size_t size = 2000) {
  std::string out;
  while (out.size() < size) out += fmt::format("{}/{} ", number, version);
  out.resize(size);
  return out;
}

struct Life {
  explicit Life(const fs::path& directory, std::uint32_t segment_bytes = 64'000)
      : store({.directory = directory, .segment_bytes = segment_bytes}, clock, random) {}
  void put(int number, int version) {
    store.transact(k_here, [&](Txn& txn) { txn.put(Body{number, bytes_of(number, version)}); });
  }
  std::string get(int number) {
    const auto row = store.begin(k_here).peek<Body>(number);
    return row ? row->bytes : "";
  }
  SystemClock clock;
  SeededRandom random{1};
  Store store;
};

// A segment may be removed while this looks.
std::uintmax_t log_bytes(const fs::path& directory) {
  std::uintmax_t sum = 0;
  for (const auto& file : fs::directory_iterator(directory / "log")) {
    std::error_code gone;
    const auto size = fs::file_size(file.path(), gone);
    if (!gone) sum += size;
  }
  return sum;
}

// In the background, so not at once.
void expect_log_below(const fs::path& directory, std::uintmax_t most) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (log_bytes(directory) > most && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_LE(log_bytes(directory), most);
}

TEST(StoreBodies, ATransactionReadsTheLargeValuesThatItWrote) {
  testing::House house;
  Txn txn = house.store().begin(k_here);
  txn.put(Body{1, bytes_of(1, 1)});
  txn.put(Body{2, bytes_of(2, 1, 60'000)});
  txn.put(Body{3, "small"});
  txn.put(Body{1, bytes_of(1, 2)});
  EXPECT_EQ(txn.find<Body>(1)->bytes, bytes_of(1, 2));
  EXPECT_EQ(txn.peek<Body>(2)->bytes, bytes_of(2, 1, 60'000));
  std::vector<std::string> seen;
  txn.scan<Body>({}, {}, [&](Body& body, const std::string&) {
    seen.push_back(body.bytes);
    if (body.number == 1) txn.put(Body{2, bytes_of(2, 2)});  // behind the scan's back
    return true;
  });
  EXPECT_EQ(seen, (std::vector<std::string>{bytes_of(1, 2), bytes_of(2, 2), "small"}));
  EXPECT_FALSE(house.store().begin(k_here).peek<Body>(1));
  txn.commit();
  EXPECT_EQ(house.store().begin(k_here).find<Body>(1)->bytes, bytes_of(1, 2));
  EXPECT_EQ(house.store().begin(k_here).find_for_update<Body>(2)->bytes, bytes_of(2, 2));
  int all = 0;
  house.store().scan_all(Body::k_kind, [&](const Scope&, const std::string&, std::string_view row) {
    EXPECT_EQ(decode_record<Body>(row).bytes, seen.at(static_cast<std::size_t>(all++)));
    return true;
  });
  EXPECT_EQ(all, 3);
}

TEST(StoreBodies, WhatNoRowHasAnyMoreIsGivenBackAndTheRestStays) {
  TemporaryDirectory directory;
  {
    Life life(directory.path());
    for (int i = 0; i < 400; ++i) life.put(i, 1);
    const auto before = log_bytes(directory.path());
    EXPECT_GT(before, 800'000U);
    life.store.transact(k_here, [](Txn& txn) {
      for (int i = 0; i < 400; ++i) {
        if (i % 10 != 0) txn.erase<Body>(i);
      }
    });
    life.store.collect();
    EXPECT_LT(log_bytes(directory.path()), before / 3);
    life.store.collect();  // nothing more to do, nothing lost
  }
  Life life(directory.path());
  for (int i = 0; i < 400; ++i) EXPECT_EQ(life.get(i), i % 10 == 0 ? bytes_of(i, 1) : "") << i;
}

TEST(StoreBodies, ItHappensByItself) {
  TemporaryDirectory directory;
  {
    Life life(directory.path());
    for (int i = 0; i < 6000; ++i) life.put(i % 20, i);  // 12 MB
    // Twice what may wait before a walk begins, and what was written while the last one ran.
    expect_log_below(directory.path(), 3'000'000);
  }
  Life life(directory.path());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(life.get(i), bytes_of(i, 5980 + i));
}

TEST(StoreBodies, ErasingManyGivesTheirRoomBackSoon) {
  TemporaryDirectory directory;
  Life life(directory.path());
  constexpr int k_bodies = 6000;
  for (int i = 0; i < k_bodies; i += 100) {
    life.store.transact(k_here, [&](Txn& txn) {
      for (int j = i; j < i + 100; ++j) txn.put(Body{j, bytes_of(j, 1)});
    });
  }
  EXPECT_GT(log_bytes(directory.path()), 11'000'000U);
  for (int i = 0; i < k_bodies; i += 100) {
    life.store.transact(k_here, [&](Txn& txn) {
      for (int j = i; j < i + 100; ++j) txn.erase<Body>(j);
    });
  }
  expect_log_below(directory.path(), 5'000'000);  // what 2000 bodies take
}

TEST(StoreBodies, ReadersNeverMissABodyThatMoves) {
  TemporaryDirectory directory;
  Life life(directory.path(), 20'000);
  constexpr int k_bodies = 60;
  for (int i = 0; i < k_bodies; ++i) life.put(i, i);
  std::atomic<bool> stop{false};
  std::atomic<int> read{0};
  std::vector<std::thread> threads;
  const auto is_right = [](const Body& body) {
    // Whatever the version, the bytes are of one.
    const auto slash = body.bytes.find('/');
    const int version = std::atoi(body.bytes.c_str() + slash + 1);
    return body.bytes == bytes_of(body.number, version);
  };
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        Txn txn = life.store.begin(k_here);
        if (t == 0) {
          const auto row = txn.peek<Body>(i % k_bodies);
          ASSERT_TRUE(row);
          EXPECT_TRUE(is_right(*row));
        } else {
          int seen = 0;
          txn.scan<Body>({}, {}, [&](Body& body, const std::string&) {
            EXPECT_TRUE(is_right(body));
            ++seen;
            return true;
          });
          EXPECT_EQ(seen, k_bodies);
        }
        ++read;
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; !stop; ++i) life.put(i % k_bodies / 2, 100 + i);
  });
  for (int i = 0; i < 25 || (read < 100 && i < 2000); ++i) life.store.collect();
  stop = true;
  for (auto& thread : threads) thread.join();
}

TEST(StoreBodies, ABodyThatMovesBetweenItsRowAndItsBytesIsFoundWhereItWent) {
  TemporaryDirectory directory;
  Life life(directory.path(), 20'000);
  // The first segment is mostly dead; too little was written for a walk by itself.
  for (int i = 0; i < 10; ++i) life.put(i, 1);
  for (int i = 0; i < 15; ++i) life.put(1 + i % 9, 2);
  int moved = 0;
  life.store.set_fault_point([&](std::string_view name) {
    if (name == "body.before-read" && ++moved == 1) life.store.collect();
  });
  EXPECT_EQ(life.get(0), bytes_of(0, 1));
  EXPECT_EQ(moved, 2);
}

TEST(StoreBodies, AStoreOfFormatOneIsTakenOver) {
  TemporaryDirectory directory;
  const auto row_of = [](int number) {
    return Key("test", "body", k_here.account, k_here.region, number).bytes();
  };
  {
    // As its writer left it when it was killed: some rows in files, bodies in blob files, the last
    // ones only in RocksDB's own log.
    rocksdb::DBOptions options;
    options.create_if_missing = options.create_missing_column_families = true;
    options.avoid_flush_during_shutdown = true;
    rocksdb::ColumnFamilyOptions plain, bodies;
    bodies.enable_blob_files = true;
    bodies.min_blob_size = 1024;
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    rocksdb::DB* opened = nullptr;
    fs::create_directories(directory.path() / "db");
    ASSERT_TRUE(rocksdb::DB::Open(options, directory.path() / "db",
                                  {{rocksdb::kDefaultColumnFamilyName, plain},
                                   {"records", plain},
                                   {"bodies", bodies},
                                   {"queues", plain},
                                   {"events", plain}},
                                  &families, &opened)
                    .ok());
    std::unique_ptr<rocksdb::DB> db(opened);
    rocksdb::WriteOptions durable;
    durable.sync = true;
    for (int i = 0; i < 10; ++i) {
      const std::string row = encode_record(Body{i, bytes_of(i, 1)});
      ASSERT_TRUE(db->Put(durable, families[2], row_of(i), row).ok());
      if (i == 5) {
        ASSERT_TRUE(db->Flush({}, families).ok());
      }
    }
    for (auto* family : families) db->DestroyColumnFamilyHandle(family);
    std::ofstream(directory.path() / "FORMAT") << "1 tarn store\n";
  }
  {
    Life life(directory.path());
    for (int i = 0; i < 10; ++i) EXPECT_EQ(life.get(i), bytes_of(i, 1)) << i;
    life.put(3, 2);
    life.put(10, 1);
    life.store.collect();
  }
  std::string format;
  std::ifstream(directory.path() / "FORMAT") >> format;
  EXPECT_EQ(format, "2");
  Life life(directory.path());
  for (int i = 0; i < 11; ++i) EXPECT_EQ(life.get(i), bytes_of(i, i == 3 ? 2 : 1)) << i;
}

TEST(StoreBodies, ADamagedBodyIsAnErrorAndNotAnAnswer) {
  TemporaryDirectory directory;
  Life life(directory.path());
  life.put(1, 1);
  const auto file = *fs::directory_iterator(directory.path() / "log");
  {
    std::fstream bytes(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(-10, std::ios::end);
    bytes.put('#');
  }
  EXPECT_THROW(life.get(1), StorageFailure);
}

}  // namespace
}  // namespace tarn::kernel
