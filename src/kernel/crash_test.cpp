// SPDX-License-Identifier: Apache-2.0
// Kills a child process at every fault point and at random moments under load, opens what it left,
// and checks that nothing acknowledged is lost and nothing is half visible.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/strings.hpp"
#include "kernel/blobs.hpp"
#include "kernel/bus.hpp"
#include "kernel/message_queue.hpp"
#include "kernel/testing/house.hpp"

namespace tarn::kernel {
namespace {

using testing::TemporaryDirectory;

// A pair that must always be seen together, with a body file that its record names.
struct Left {
  static constexpr RecordKind k_kind{"test", "left", 1};
  std::uint64_t number = 0;
  std::string blob;
  auto key() const { return Key(number); }
  void fields(auto& f) { f(number, blob); }
};
struct Right {
  static constexpr RecordKind k_kind{"test", "right", 1, Family::bodies};
  std::uint64_t number = 0;
  std::string body;
  auto key() const { return Key(number); }
  void fields(auto& f) { f(number, body); }
};

// Written again and again, so that the log holds dead bodies.
struct Scrap {
  static constexpr RecordKind k_kind{"test", "scrap", 1, Family::bodies};
  std::uint64_t number = 0;
  std::string body;
  auto key() const { return Key(number); }
  void fields(auto& f) { f(number, body); }
};

struct Seen {
  static constexpr RecordKind k_kind{"test", "seen", 1};
  std::string event_id;
  std::uint64_t number = 0;
  auto key() const { return Key(event_id); }
  void fields(auto& f) { f(event_id, number); }
};

Task<void> note_seen(Store* store, Delivery delivery) {
  store->transact({}, [&](Txn& txn) {
    txn.put(Seen{delivery.event_id, std::stoull(delivery.payload)});
  });
  co_return;
}

Subscription noting(Store& store) {
  Subscription subscription;
  subscription.topic = "pair";
  subscription.subscriber = "noter";
  subscription.deliver = [&store](Delivery d) { return note_seen(&store, std::move(d)); };
  return subscription;
}

void write_pair(Store& store, Blobs& blobs, MessageQueue& queue, std::uint64_t number) {
  auto writer = blobs.create();
  writer->write("blob " + std::to_string(number));
  const BlobId id = writer->finish();
  store.transact({}, [&](Txn& txn) {
    txn.put(Left{number, id});
    txn.put(Right{number, std::string(2000, 'r')});
    txn.put(Scrap{number % 16, std::string(3000, static_cast<char>('a' + number % 16))});
    txn.emit({"pair", "same", std::to_string(number)});
    txn.set_timer(std::to_string(number), store.clock().now() + std::chrono::hours(1),
                  {"late", "", std::to_string(number)});
    queue.send(txn, std::to_string(number), store.clock().now());
  });
}

// What the child is told, in its environment.
struct Orders {
  std::filesystem::path directory;
  int acknowledge = -1;  // each committed number is written to this descriptor
  std::string die_at;
  int die_after = 0;
  int threads = 1;
  std::uint64_t first = 0;  // numbers differ from life to life

  std::string text() const {
    return fmt::format("{}|{}|{}|{}|{}|{}", directory.string(), acknowledge, die_at, die_after,
                       threads, first);
  }
  static Orders parse(std::string_view text) {
    const auto parts = split(text, '|');
    return {parts.at(0),
            std::stoi(parts.at(1)),
            parts.at(2),
            std::stoi(parts.at(3)),
            std::stoi(parts.at(4)),
            std::stoull(parts.at(5))};
  }
};
constexpr const char* k_orders = "TARN_CRASH_TEST_ORDERS";

// Writes pairs until it is killed.
void work(const Orders& orders) {
  ManualClock clock;
  SystemRandom random;
  std::atomic<int> passed{0};
  const FaultPoint fault = [&](std::string_view name) {
    if (name == orders.die_at && ++passed > orders.die_after) ::kill(::getpid(), SIGKILL);
  };
  StoreOptions options{.directory = orders.directory / "store"};
  // With small segments the log's dead bodies are given back all the time.
  if (orders.die_at.starts_with("log")) options.segment_bytes = 20'000;
  Store store(options, clock, random);
  store.set_fault_point(fault);
  Blobs blobs(orders.directory / "blobs", random, fault);
  ThreadPool pool("crash", 2);
  MessageQueue queue(store, {}, "q");
  Bus bus(store, pool);
  bus.subscribe(noting(store));
  bus.start();
  std::vector<std::thread> writers;
  for (int t = 0; t < orders.threads; ++t) {
    writers.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 2000; ++i) {
        const auto number = orders.first + static_cast<std::uint64_t>(t) * 1'000'000 + i;
        write_pair(store, blobs, queue, number);
        if (::write(orders.acknowledge, &number, sizeof number) != sizeof number) ::_exit(3);
        if (orders.die_at.starts_with("flush") && i % 5 == 4) store.flush();
      }
    });
  }
  for (auto& writer : writers) writer.join();
}

// Not a test of its own: the other process of the tests below. Started by exec, because RocksDB's
// threads do not survive a fork.
TEST(CrashChild, DISABLED_WorksUntilItIsKilled) {
  if (const char* orders = ::getenv(k_orders)) work(Orders::parse(orders));
}

struct Outcome {
  std::set<std::uint64_t> acknowledged;
  bool killed = false;
};

// Killed from outside once that many commits were acknowledged (0: it dies by itself).
Outcome run_child(Orders orders, std::size_t kill_after = 0) {
  int pipe[2];
  if (::pipe(pipe) != 0) throw std::runtime_error("pipe");
  orders.acknowledge = pipe[1];
  const std::string environment = std::string(k_orders) + "=" + orders.text();
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe[0]);
    const char* const arguments[] = {"kernel_test", "--gtest_also_run_disabled_tests",
                                     "--gtest_filter=CrashChild.*", "--gtest_brief=1", nullptr};
    const char* const variables[] = {environment.c_str(), nullptr};
    ::execve("/proc/self/exe", const_cast<char* const*>(arguments),
             const_cast<char* const*>(variables));
    ::_exit(4);
  }
  ::close(pipe[1]);
  Outcome outcome;
  std::uint64_t number = 0;
  while (::read(pipe[0], &number, sizeof number) == sizeof number) {
    outcome.acknowledged.insert(number);
    if (outcome.acknowledged.size() == kill_after) ::kill(child, SIGKILL);
  }
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  outcome.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  return outcome;
}

void check(const std::filesystem::path& directory, const Outcome& outcome) {
  ManualClock clock;
  SystemRandom random;
  ThreadPool pool("check", 2);
  Store store({.directory = directory / "store"}, clock, random);
  Blobs blobs(directory / "blobs", random);
  std::map<std::uint64_t, std::string> lefts;
  std::set<std::uint64_t> rights;
  {
    Txn txn = store.begin({});
    for (auto& row : txn.list<Left>()) lefts.emplace(row.number, row.blob);
    for (auto& row : txn.list<Right>()) {
      EXPECT_EQ(row.body, std::string(2000, 'r'));
      rights.insert(row.number);
    }
  }
  for (auto& row : store.begin({}).list<Scrap>()) {
    EXPECT_EQ(row.body, std::string(3000, static_cast<char>('a' + row.number)));
  }
  // Nothing acknowledged is lost.
  for (const auto number : outcome.acknowledged) EXPECT_TRUE(lefts.contains(number)) << number;
  // Nothing is half visible, and no record names a missing or partial body.
  EXPECT_EQ(lefts.size(), rights.size());
  std::set<std::string> named;
  for (const auto& [number, blob] : lefts) {
    EXPECT_TRUE(rights.contains(number)) << number;
    EXPECT_EQ(blobs.size(blob), ("blob " + std::to_string(number)).size());
    named.insert(blob);
  }
  blobs.sweep([&](const BlobId& id) { return named.contains(id); });
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory / "blobs")) {
    files += entry.is_regular_file();
  }
  EXPECT_EQ(files, named.size());
  // Every committed event is delivered, and every message and timer is there exactly once.
  {
    Bus bus(store, pool);
    bus.subscribe(noting(store));
    bus.start();
    bus.drain();
  }
  std::map<std::uint64_t, int> seen;
  for (auto& row : store.begin({}).list<Seen>()) ++seen[row.number];
  EXPECT_EQ(seen.size(), lefts.size());
  for (const auto& [number, times] : seen) EXPECT_EQ(times, 1) << number;
  MessageQueue queue(store, {}, "q");
  std::set<std::string> messages;
  std::vector<std::uint64_t> taken;
  while (true) {
    const auto batch = queue.receive(100, Seconds(1000));
    if (batch.empty()) break;
    for (const auto& message : batch) {
      EXPECT_TRUE(messages.insert(message.payload).second);
      taken.push_back(message.number);
    }
  }
  EXPECT_EQ(messages.size(), lefts.size());
  for (const auto number : taken) queue.hide_until(number, clock.now());  // for the next life
}

class CrashAt : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(FaultPoints, CrashAt,
                         ::testing::Values("commit.begin", "commit.before-write",
                                           "commit.after-write", "commit.end", "blob.before-write",
                                           "blob.before-sync", "blob.before-rename",
                                           "blob.after-rename", "bus.before-acknowledge",
                                           "flush.end", "log.before-segment", "log.before-sync",
                                           "log.after-sync", "log.before-apply", "log.before-drop",
                                           "log.after-drop"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) {
                             if (c == '.' || c == '-') c = '_';
                           }
                           return name;
                         });

TEST_P(CrashAt, LosesNothingAcknowledgedAndShowsNothingByHalf) {
  TemporaryDirectory directory;
  const std::string point = GetParam();
  Outcome all;
  // Twice on the same directory: the second life begins with what the first left.
  std::uint64_t first = 0;
  for (const int after : {0, 7}) {
    first += 1'000'000'000;
    const auto outcome = run_child({directory.path(), -1, point, after, 1, first});
    EXPECT_TRUE(outcome.killed) << point << " was not reached";
    all.acknowledged.insert(outcome.acknowledged.begin(), outcome.acknowledged.end());
    check(directory.path(), all);
  }
}

TEST(Crash, KillMinusNineAtRandomMomentsUnderLoad) {
  TemporaryDirectory directory;
  Outcome all;
  SeededRandom random(20261121);
  std::uint64_t first = 0;
  for (int round = 0; round < 4; ++round) {
    first += 1'000'000'000;
    const auto outcome =
        run_child({directory.path(), -1, round % 2 == 0 ? "never" : "log: never", 0, 8, first},
                  5 + random.next64() % 100);
    EXPECT_TRUE(outcome.killed);
    all.acknowledged.insert(outcome.acknowledged.begin(), outcome.acknowledged.end());
    check(directory.path(), all);
  }
  EXPECT_GT(all.acknowledged.size(), 10U);
}

TEST(Crash, AFaultThatThrowsBeforeTheWriteRollsBackAndTheStoreGoesOn) {
  testing::House house;
  house.store().set_fault_point([](std::string_view name) {
    if (name == "commit.before-write") throw StorageFailure("the disk is gone");
  });
  EXPECT_THROW(house.store().transact({}, [](Txn& txn) { txn.put(Left{1, "x"}); }), StorageFailure);
  house.store().set_fault_point({});
  house.store().transact({}, [](Txn& txn) {
    EXPECT_FALSE(txn.find_for_update<Left>(std::uint64_t{1}));
    txn.put(Left{1, "y"});
  });
  EXPECT_EQ(house.store().begin({}).find<Left>(std::uint64_t{1})->blob, "y");
}

TEST(Crash, AFullDiskFailsWritesKeepsReadsAndRecoversWithRoom) {
  TemporaryDirectory directory;
  if (::mount("tarn-test", directory.path().c_str(), "tmpfs", 0, "size=24m") != 0) {
    GTEST_SKIP() << "needs root to mount a small tmpfs";
  }
  struct Unmount {
    std::filesystem::path path;
    ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
  } unmount{directory.path()};
  ManualClock clock;
  SystemRandom random;
  std::mutex mutex;
  std::set<std::uint64_t> acknowledged;
  {
    Store store({.directory = directory.path() / "store"}, clock, random);
    store.transact({}, [](Txn& txn) { txn.put(Left{1, "before"}); });
    std::atomic<std::uint64_t> next{2};
    std::atomic<bool> failed{false};
    std::vector<std::thread> writers;
    for (int t = 0; t < 8; ++t) {
      writers.emplace_back([&] {
        while (!failed && next < 3000) {
          const std::uint64_t number = next++;
          try {
            store.transact({}, [&](Txn& txn) { txn.put(Right{number, random.bytes(20'000)}); });
            std::lock_guard lock(mutex);
            acknowledged.insert(number);
          } catch (const StorageFailure&) {
            failed = true;
          }
        }
      });
    }
    for (auto& writer : writers) writer.join();
    ASSERT_TRUE(failed);
    EXPECT_EQ(store.begin({}).peek<Left>(std::uint64_t{1})->blob, "before");
    std::size_t visible = store.begin({}).list<Right>().size();
    EXPECT_EQ(visible, acknowledged.size());
    ::mount("tarn-test", directory.path().c_str(), "tmpfs", MS_REMOUNT, "size=96m");
    bool recovered = false;
    for (int i = 0; i < 100 && !recovered; ++i) {
      try {
        store.transact({}, [](Txn& txn) { txn.put(Left{2, "after"}); });
        recovered = true;
      } catch (const StorageFailure&) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
      }
    }
    EXPECT_TRUE(recovered);
  }
  Store store({.directory = directory.path() / "store"}, clock, random);
  EXPECT_TRUE(store.begin({}).peek<Left>(std::uint64_t{2}));
  for (const auto number : acknowledged) {
    EXPECT_TRUE(store.begin({}).peek<Right>(number)) << number;
  }
}

}  // namespace
}  // namespace tarn::kernel
