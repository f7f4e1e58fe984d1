// SPDX-License-Identifier: Apache-2.0
// How far the store is from what this machine can do: durable commits of a 4 KiB object
//   - as bytes appended to a file, where whoever comes first writes and syncs for all that wait:
//   the
//     disk's limit for a group commit, with neither keys nor memory tables;
//   - as plain batches of RocksDB with its defaults (no locks, no reads);
//   - as transactions of the store with the parent locked shared.
// All in turns, so that the machine's noise hits all.
//
//   kernel_store_limit_bench [SECONDS [THREADS]]
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <fcntl.h>
#include <rocksdb/db.h>
#include <unistd.h>

#include "kernel/store.hpp"
#include "kernel/testing/house.hpp"

namespace tarn::kernel {
namespace {

struct Parent {
  static constexpr RecordKind k_kind{"bench", "parent", 1};
  std::string name;
  auto key() const { return Key(name); }
  void fields(auto& f) { f(name); }
};
struct Object {
  static constexpr RecordKind k_kind{"bench", "object", 1};
  std::string parent, name, etag;
  auto key() const { return Key(parent, name); }
  void fields(auto& f) { f(parent, name, etag); }
};
struct Body {
  static constexpr RecordKind k_kind{"bench", "body", 1, Family::bodies};
  std::string parent, name, bytes;
  auto key() const { return Key(parent, name); }
  void fields(auto& f) { f(bytes); }
};

// Commits per second of `commit(thread, round)` on that many threads.
double rate(int threads, double seconds, const std::function<void(int, int)>& commit) {
  std::atomic<std::uint64_t> commits{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  const auto begin = std::chrono::steady_clock::now();
  for (int t = 0; t < threads; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        commit(t, i);
        ++commits;
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  for (auto& writer : writers) writer.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(commits.load()) / took.count();
}

class Appended {
 public:
  explicit Appended(const std::filesystem::path& path)
      : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
    if (file_ < 0) throw std::runtime_error("cannot create " + path.string());
  }
  ~Appended() { ::close(file_); }
  void commit(const std::string& bytes) {
    std::unique_lock lock(mutex_);
    waiting_ += bytes;
    const auto mine = ++joined_;
    while (durable_ < mine) {
      if (writing_) {
        changed_.wait(lock);
        continue;
      }
      writing_ = true;
      const std::string group = std::exchange(waiting_, {});
      const auto last = joined_;
      lock.unlock();
      const bool good =
          ::write(file_, group.data(), group.size()) == static_cast<ssize_t>(group.size()) &&
          ::fdatasync(file_) == 0;
      if (!good) throw std::runtime_error("the disk failed");
      lock.lock();
      writing_ = false;
      durable_ = last;
      changed_.notify_all();
    }
  }

 private:
  const int file_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string waiting_;
  std::uint64_t joined_ = 0, durable_ = 0;
  bool writing_ = false;
};

class Plain {
 public:
  explicit Plain(const std::string& directory) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.create_missing_column_families = true;
    options.db_write_buffer_size = 64 << 20;
    rocksdb::ColumnFamilyOptions bodies;
    bodies.enable_blob_files = true;
    bodies.min_blob_size = 1024;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* opened = nullptr;
    const auto status = rocksdb::DB::Open(
        options, directory, {{rocksdb::kDefaultColumnFamilyName, options}, {"bodies", bodies}},
        &handles, &opened);
    if (!status.ok()) throw std::runtime_error(status.ToString());
    database_.reset(opened);
    records_ = handles[0];
    bodies_ = handles[1];
  }
  ~Plain() {
    database_->DestroyColumnFamilyHandle(records_);
    database_->DestroyColumnFamilyHandle(bodies_);
  }
  void commit(const std::string& name, const std::string& bytes) {
    rocksdb::WriteBatch batch;
    batch.Put(records_, "object/" + name, "0123456789abcdef0123456789abcdef");
    batch.Put(bodies_, "body/" + name, bytes);
    rocksdb::WriteOptions durable;
    durable.sync = true;
    const auto status = database_->Write(durable, &batch);
    if (!status.ok()) throw std::runtime_error(status.ToString());
  }

 private:
  std::unique_ptr<rocksdb::DB> database_;
  rocksdb::ColumnFamilyHandle* records_ = nullptr;
  rocksdb::ColumnFamilyHandle* bodies_ = nullptr;
};

int run(double seconds, int threads) {
  testing::TemporaryDirectory directory;
  SystemRandom random;
  SystemClock clock;
  StoreOptions options;
  options.directory = directory.path() / "store";
  Store store(options, clock, random);
  Plain plain((directory.path() / "plain").string());
  Appended appended(directory.path() / "appended");
  const Scope scope{"000000000000", "us-east-1"};
  store.transact(scope, [](Txn& txn) { txn.put(Parent{"bucket"}); });
  const std::string bytes = random.bytes(4096);
  double sum_appended = 0, sum_plain = 0, sum_store = 0;
  constexpr int k_turns = 3;
  for (int turn = 0; turn < k_turns; ++turn) {
    const auto name = [turn](int thread, int round) {
      return fmt::format("{}-{}-{}", turn, thread, round);
    };
    const double of_appended = rate(threads, seconds, [&](int, int) { appended.commit(bytes); });
    const double of_plain =
        rate(threads, seconds, [&](int t, int i) { plain.commit(name(t, i), bytes); });
    const double of_store = rate(threads, seconds, [&](int t, int i) {
      store.transact(scope, [&](Txn& txn) {
        txn.find<Parent>("bucket");
        txn.put(Object{"bucket", name(t, i), "0123456789abcdef0123456789abcdef"});
        txn.put(Body{"bucket", name(t, i), bytes});
      });
    });
    std::printf("%d in flight: appended %.0f /s, plain batches %.0f /s, transactions %.0f /s\n",
                threads, of_appended, of_plain, of_store);
    std::fflush(stdout);
    sum_appended += of_appended;
    sum_plain += of_plain;
    sum_store += of_store;
  }
  std::printf("transactions reach %.0f %% of plain batches, %.0f %% of appending\n",
              100 * sum_store / sum_plain, 100 * sum_store / sum_appended);
  return 0;
}

}  // namespace
}  // namespace tarn::kernel

int main(int argc, char** argv) {
  return tarn::kernel::run(argc > 1 ? std::atof(argv[1]) : 3, argc > 2 ? std::atoi(argv[2]) : 64);
}
