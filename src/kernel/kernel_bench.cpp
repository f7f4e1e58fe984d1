// SPDX-License-Identifier: Apache-2.0
// The kernel's own bench: durable commits per second with a shared parent, messages through the
// queues family at a flat rate, and what an open costs. Prints one line per figure.
//
//   kernel_kernel_bench [--dir DIR] [--seconds N] [--messages N] [--threads N]
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <latch>
#include <thread>

#include "base/strings.hpp"
#include "kernel/message_queue.hpp"
#include "kernel/testing/house.hpp"

namespace tarn::kernel {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

double seconds_since(SteadyTime begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

struct Parent {
  static constexpr RecordKind k_kind{"bench", "parent", 1};
  std::string name;
  auto key() const { return Key(name); }
  void fields(auto& f) { f(name); }
};

struct Object {
  static constexpr RecordKind k_kind{"bench", "object", 1};
  std::string parent, name, etag;
  std::uint64_t size = 0;
  auto key() const { return Key(parent, name); }
  void fields(auto& f) { f(parent, name, etag, size); }
};

struct Body {
  static constexpr RecordKind k_kind{"bench", "body", 1, Family::bodies};
  std::string parent, name, bytes;
  auto key() const { return Key(parent, name); }
  void fields(auto& f) { f(bytes); }
};

std::uint64_t memory_kib() {
  std::ifstream in("/proc/self/smaps_rollup");
  std::string word;
  while (in >> word) {
    if (word == "Pss:") {
      std::uint64_t kib = 0;
      in >> kib;
      return kib;
    }
  }
  return 0;
}

struct Settings {
  std::filesystem::path directory;
  double seconds = 5;
  std::uint64_t messages = 1'000'000;
  int threads = 64;
};

void bench_commits(Store& store, const Settings& settings, int threads, bool exclusive) {
  const Scope scope{"000000000000", "us-east-1"};
  store.transact(scope, [](Txn& txn) { txn.put(Parent{"bucket"}); });
  std::atomic<std::uint64_t> commits{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  const std::string bytes = store.random().bytes(4096);
  const auto begin = std::chrono::steady_clock::now();
  for (int t = 0; t < threads; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        const std::string name = std::to_string(t) + "-" + std::to_string(i);
        store.transact(scope, [&](Txn& txn) {
          exclusive ? txn.find_for_update<Parent>("bucket") : txn.find<Parent>("bucket");
          txn.put(Object{"bucket", name, "0123456789abcdef0123456789abcdef", bytes.size()});
          txn.put(Body{"bucket", name, bytes});
        });
        ++commits;
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(settings.seconds));
  stop = true;
  for (auto& writer : writers) writer.join();
  std::printf("commits of 4 KiB, %2d in flight, parent locked %-9s : %8.0f /s\n", threads,
              exclusive ? "exclusive" : "shared",
              static_cast<double>(commits.load()) / seconds_since(begin));
  std::fflush(stdout);
}

void bench_messages(Store& store, const Settings& settings) {
  const Scope scope{"000000000000", "us-east-1"};
  MessageQueue queue(store, scope, "bench");
  constexpr std::uint64_t k_batch = 10;  // as SQS's batch calls
  const std::string body(256, 'm');
  const std::uint64_t part = std::max<std::uint64_t>(settings.messages / 10, k_batch);
  const int threads = settings.threads;
  const auto run = [&](const char* what, const std::function<std::uint64_t(int)>& step) {
    std::atomic<std::uint64_t> done{0};
    std::atomic<std::uint64_t> next_print{part};
    std::mutex print;
    const auto begin = std::chrono::steady_clock::now();
    auto last = begin;
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([&, t] {
        while (done < settings.messages) {
          const std::uint64_t now = done += step(t);
          if (now < next_print) continue;
          std::lock_guard lock(print);
          if (now < next_print) continue;
          next_print += part;
          std::printf("%s %8llu messages: %8.0f /s\n", what, static_cast<unsigned long long>(now),
                      static_cast<double>(part) / seconds_since(last));
          std::fflush(stdout);
          last = std::chrono::steady_clock::now();
        }
      });
    }
    for (auto& worker : workers) worker.join();
    std::printf("%s in all: %.0f /s\n", what,
                static_cast<double>(done.load()) / seconds_since(begin));
  };
  run("send   ", [&](int) {
    store.transact(scope, [&](Txn& txn) {
      for (std::uint64_t i = 0; i < k_batch; ++i) queue.send(txn, body, store.clock().now());
    });
    return k_batch;
  });
  run("receive", [&](int) -> std::uint64_t {
    const auto messages = queue.receive(k_batch, Seconds(300));
    std::vector<std::uint64_t> numbers;
    for (const auto& message : messages) numbers.push_back(message.number);
    queue.remove(numbers);
    return messages.empty() ? settings.messages : messages.size();
  });
}

int run(const Settings& settings) {
  SystemRandom random;
  SystemClock clock;
  StoreOptions options;
  options.directory = settings.directory / "store";
  {
    auto begin = std::chrono::steady_clock::now();
    auto store = std::make_unique<Store>(options, clock, random);
    std::printf("open, new directory: %.1f ms, PSS %.1f MB\n", seconds_since(begin) * 1e3,
                static_cast<double>(memory_kib()) / 1024);
    store.reset();
    begin = std::chrono::steady_clock::now();
    store = std::make_unique<Store>(options, clock, random);
    std::printf("open, existing: %.1f ms\n", seconds_since(begin) * 1e3);
  }
  Store store(options, clock, random);
  bench_commits(store, settings, 1, false);
  bench_commits(store, settings, 8, false);
  bench_commits(store, settings, settings.threads, false);
  bench_commits(store, settings, settings.threads, true);
  bench_messages(store, settings);
  std::printf("PSS at the end: %.1f MB\n", static_cast<double>(memory_kib()) / 1024);
  return 0;
}

}  // namespace
}  // namespace tarn::kernel

int main(int argc, char** argv) {
  using namespace tarn;
  kernel::testing::TemporaryDirectory temporary;
  kernel::Settings settings;
  settings.directory = temporary.path();
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--dir") settings.directory = argv[i + 1];
    if (name == "--seconds") settings.seconds = std::atof(argv[i + 1]);
    if (name == "--threads") settings.threads = std::atoi(argv[i + 1]);
    if (name == "--messages") {
      settings.messages = static_cast<std::uint64_t>(std::atoll(argv[i + 1]));
    }
  }
  return kernel::run(settings);
}
