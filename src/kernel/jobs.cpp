// SPDX-License-Identifier: Apache-2.0
#include "kernel/jobs.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>

#include <fmt/format.h>

#include "base/log.hpp"
#include "kernel/task_failure.hpp"

namespace tarn::kernel {
namespace {

constexpr auto k_backoff_min = Seconds(1);
constexpr auto k_backoff_max = Seconds(60);

struct JobRecord {
  static constexpr RecordKind k_kind{"kernel", "job", 1};
  std::string type, id, account, region, input, state;
  int attempts = 0;
  bool cancel = false;
  auto key() const { return Key(type, id); }
  void fields(auto& f) { f(type, id, account, region, input, state, attempts, cancel); }
};

using Name = std::pair<std::string, std::string>;  // type, id

class Context : public JobContext {
 public:
  Context(Store& store, JobRecord record)
      : store_(store),
        record_(std::move(record)),
        scope_{record_.account, record_.region},
        cancel_(record_.cancel) {}

  const std::string& id() const override { return record_.id; }
  const Scope& scope() const override { return scope_; }
  const std::string& input() const override { return record_.input; }
  const std::string& state() const override { return record_.state; }

  void checkpoint(std::string state) override {
    store_.transact({}, [&](Txn& txn) { write(txn, state); });
    record_.state = std::move(state);
  }
  void checkpoint(Txn& txn, std::string state) override {
    write(txn, state);
    txn.after_commit([this, state = std::move(state)] { record_.state = state; });
  }
  bool cancel_requested() const override { return cancel_.load(); }

  void request_cancel() { cancel_.store(true); }
  int attempts() const { return record_.attempts; }

 private:
  void write(Txn& txn, const std::string& state) {
    Txn root = txn.in({});
    auto row = root.find_for_update<JobRecord>(record_.type, record_.id);
    if (!row) throw std::logic_error(fmt::format("job {} {} has ended", record_.type, record_.id));
    row->state = state;
    root.put(*row);
  }

  Store& store_;
  JobRecord record_;
  const Scope scope_;
  std::atomic<bool> cancel_;
};

}  // namespace

// Shared with tasks and timers that may outlive the owner's destructor by a moment.
class JobsCore : public std::enable_shared_from_this<JobsCore> {
 public:
  JobsCore(Store& store, Executor& background) : store_(store), background_(background) {}

  void define(Jobs::Type type) {
    std::lock_guard lock(mutex_);
    if (started_) throw std::logic_error("jobs have started: define types before");
    auto name = type.name;
    if (!lines_.try_emplace(std::move(name), Line{std::move(type), {}, 0}).second) {
      throw std::logic_error("a job type is defined twice");
    }
  }

  void start() {
    {
      std::lock_guard lock(mutex_);
      started_ = true;
    }
    store_.scan_all(
        JobRecord::k_kind, [&](const Scope&, const std::string&, std::string_view value) {
          const auto record = decode_record<JobRecord>(value);
          if (lines_.contains(record.type)) {
            enqueue({record.type, record.id});
          } else {
            log::warning("jobs", "{} {} has no runner: it waits", record.type, record.id);
          }
          return true;
        });
  }

  void stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    stop_.request_stop();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return running_.empty(); });
  }

  void submit(Txn& txn, std::string type, std::string id, std::string input) {
    if (!lines_.contains(type)) throw std::logic_error("unknown job type " + type);
    const Scope scope = txn.scope();
    Txn root = txn.in({});
    if (root.find_for_update<JobRecord>(type, id)) {
      throw std::logic_error(fmt::format("job {} {} exists", type, id));
    }
    root.put(JobRecord{type, id, scope.account, scope.region, std::move(input), {}, 0, false});
    txn.after_commit([self = shared_from_this(), name = Name{std::move(type), std::move(id)}] {
      self->enqueue(name);
    });
  }

  void cancel(const Name& name) {
    store_.transact({}, [&](Txn& txn) {
      auto row = txn.find_for_update<JobRecord>(name.first, name.second);
      if (!row) return;
      row->cancel = true;
      txn.put(*row);
    });
    std::lock_guard lock(mutex_);
    const auto running = running_.find(name);
    if (running != running_.end() && running->second) running->second->request_cancel();
  }

  void drain() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return known_.empty() || stopping_; });
  }

 private:
  struct Line {
    Jobs::Type type;
    std::deque<Name> waiting;
    std::size_t running = 0;
  };

  void enqueue(const Name& name) {
    std::unique_lock lock(mutex_);
    if (!started_ || stopping_ || !known_.insert(name).second) return;
    Line& line = lines_.at(name.first);
    line.waiting.push_back(name);
    start_waiting(line, lock);
  }

  void start_waiting(Line& line, std::unique_lock<std::mutex>& lock) {
    while (!stopping_ && line.running < line.type.running_max && !line.waiting.empty()) {
      const Name name = std::move(line.waiting.front());
      line.waiting.pop_front();
      ++line.running;
      running_.emplace(name, nullptr);
      lock.unlock();
      auto self = shared_from_this();
      auto task = run(self, name);
      spawn<void>({&background_, stop_.get_token()}, std::move(task),
                  [self, name](Outcome<void> outcome) { self->finish(name, std::move(outcome)); });
      lock.lock();
    }
  }

  static Task<void> run(std::shared_ptr<JobsCore> self, Name name) {
    const auto context = self->load(name);
    if (!context) co_return;
    JobContextPtr handed = context;
    co_await self->lines_.at(name.first).type.run(std::move(handed));
  }

  std::shared_ptr<Context> load(const Name& name) {
    // Registered before the row is read, so that a cancellation reaches either of them.
    std::lock_guard lock(mutex_);
    Txn txn = store_.begin({});
    auto record = txn.peek<JobRecord>(name.first, name.second);
    if (!record) return nullptr;
    auto context = std::make_shared<Context>(store_, *std::move(record));
    running_[name] = context;
    return context;
  }

  void finish(const Name& name, Outcome<void> outcome) {
    bool ended = false;
    int attempts = 1;
    try {
      if (!outcome.failed()) {
        end(name);
        ended = true;
      } else if (!is_cancelled(outcome.error()) || !stop_.stop_requested()) {
        attempts = note_failure(name);
        const std::string reason = reason_of(outcome.error());
        log::warning("jobs", "{} {}: attempt {} failed: {}", name.first, name.second, attempts,
                     reason);
        ended = attempts >= lines_.at(name.first).type.attempts_max;
        if (ended) give_up(name, reason);
      }
    } catch (const std::exception& error) {
      ended = false;
      log::error("jobs", "cannot settle {} {}: {}", name.first, name.second, error.what());
    }
    std::unique_lock lock(mutex_);
    running_.erase(name);
    Line& line = lines_.at(name.first);
    --line.running;
    if (ended) known_.erase(name);
    start_waiting(line, lock);
    const bool again = !ended && !stopping_;
    changed_.notify_all();
    lock.unlock();
    if (again) retry_later(name, attempts);
  }

  void end(const Name& name) {
    store_.transact({}, [&](Txn& txn) { txn.erase<JobRecord>(name.first, name.second); });
  }

  int note_failure(const Name& name) {
    return store_.transact({}, [&](Txn& txn) {
      auto row = txn.find_for_update<JobRecord>(name.first, name.second);
      if (!row) return 1;
      ++row->attempts;
      txn.put(*row);
      return row->attempts;
    });
  }

  void give_up(const Name& name, const std::string& reason) {
    const auto& failed = lines_.at(name.first).type.failed;
    const auto context = load(name);
    if (failed && context) failed(context, reason);
    end(name);
  }

  void retry_later(const Name& name, int attempts) {
    const Microseconds wait = std::min<Microseconds>(
        k_backoff_min * (1 << std::clamp(attempts - 1, 0, 10)), k_backoff_max);
    store_.clock().call_at(store_.clock().now() + wait, [weak = weak_from_this(), name] {
      const auto self = weak.lock();
      if (!self) return;
      std::unique_lock lock(self->mutex_);
      if (self->stopping_) return;
      Line& line = self->lines_.at(name.first);
      line.waiting.push_back(name);
      self->start_waiting(line, lock);
    });
  }

  Store& store_;
  Executor& background_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool started_ = false;
  bool stopping_ = false;
  std::map<std::string, Line> lines_;  // its keys are fixed once started
  std::set<Name> known_;               // waiting, running, or between two attempts
  std::map<Name, std::shared_ptr<Context>> running_;
};

struct Jobs::Impl {
  std::shared_ptr<JobsCore> core;
};

Jobs::Jobs(Store& store, Executor& background)
    : impl_(std::make_unique<Impl>(Impl{std::make_shared<JobsCore>(store, background)})) {}
Jobs::~Jobs() { impl_->core->stop(); }
void Jobs::define(Type type) { impl_->core->define(std::move(type)); }
void Jobs::start() { impl_->core->start(); }
void Jobs::stop() { impl_->core->stop(); }
void Jobs::submit(Txn& txn, std::string type, std::string id, std::string input) {
  impl_->core->submit(txn, std::move(type), std::move(id), std::move(input));
}
void Jobs::cancel(const std::string& type, const std::string& id) {
  impl_->core->cancel({type, id});
}
void Jobs::drain() { impl_->core->drain(); }

}  // namespace tarn::kernel
