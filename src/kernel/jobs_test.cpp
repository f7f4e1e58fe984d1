// SPDX-License-Identifier: Apache-2.0
#include "kernel/jobs.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "kernel/testing/house.hpp"

namespace tarn::kernel {
namespace {

using testing::House;
using testing::Medium;

const Scope k_scope{"111111111111", "eu-west-1"};

template <class F>
bool eventually(F condition) {
  for (int i = 0; i < 5000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

void submit(House& house, Jobs& jobs, const std::string& id, const std::string& input) {
  house.store().transact(k_scope, [&](Txn& txn) { jobs.submit(txn, "t", id, input); });
}

struct Script {
  std::mutex mutex;
  std::vector<std::string> log;
  std::atomic<int> failures{0};
  std::atomic<bool> wait{false};
  std::atomic<int> waiting{0};

  void note(const std::string& text) {
    std::lock_guard lock(mutex);
    log.push_back(text);
  }
  std::vector<std::string> seen() {
    std::lock_guard lock(mutex);
    return log;
  }
  static Task<void> run(Script* script, JobContextPtr job) {
    script->note("run " + job->id() + " " + job->input() + " '" + job->state() + "'");
    if (job->state().empty()) job->checkpoint("half");
    if (script->failures-- > 0) throw std::runtime_error("broken");
    if (script->wait) {
      ++script->waiting;
      OneShot<void> never;
      co_await never;
    }
    if (job->cancel_requested()) script->note("cancelled");
    script->note("done " + job->scope().account);
  }
  Jobs::Type type() {
    Jobs::Type type;
    type.name = "t";
    type.attempts_max = 3;
    type.run = [this](JobContextPtr job) { return run(this, std::move(job)); };
    type.failed = [this](JobContextPtr job, const std::string& reason) {
      note("failed " + job->id() + " " + job->state() + " " + reason);
    };
    return type;
  }
};
using Log = std::vector<std::string>;

TEST(Jobs, AJobRunsAfterItsCommitInItsScope) {
  House house;
  Script script;
  Jobs jobs(house.store(), house.pool);
  jobs.define(script.type());
  jobs.start();
  {
    Txn txn = house.store().begin(k_scope);
    jobs.submit(txn, "t", "undone", "x");
  }
  submit(house, jobs, "1", "in");
  jobs.drain();
  EXPECT_EQ(script.seen(), (Log{"run 1 in ''", "done 111111111111"}));
}

TEST(Jobs, AnIdIsUniqueWhileItsJobLives) {
  House house;
  Script script;
  Jobs jobs(house.store(), house.pool);
  jobs.define(script.type());
  submit(house, jobs, "1", "in");
  EXPECT_THROW(submit(house, jobs, "1", "in"), std::logic_error);
  Txn txn = house.store().begin(k_scope);
  EXPECT_THROW(jobs.submit(txn, "unknown", "1", ""), std::logic_error);
}

TEST(Jobs, AFailedRunIsRepeatedFromItsCheckpointAfterABackoff) {
  House house;
  Script script;
  script.failures = 1;
  Jobs jobs(house.store(), house.pool);
  jobs.define(script.type());
  jobs.start();
  submit(house, jobs, "1", "in");
  ASSERT_TRUE(eventually([&] { return house.clock.timer_count() == 1; }));
  house.clock.advance(Seconds(1));
  jobs.drain();
  EXPECT_EQ(script.seen(), (Log{"run 1 in ''", "run 1 in 'half'", "done 111111111111"}));
}

TEST(Jobs, AJobThatKeepsFailingIsGivenUpOnceWithItsReason) {
  House house;
  Script script;
  script.failures = 100;
  Jobs jobs(house.store(), house.pool);
  jobs.define(script.type());
  jobs.start();
  submit(house, jobs, "1", "in");
  for (int attempt = 1; attempt < 3; ++attempt) {
    ASSERT_TRUE(eventually([&] { return house.clock.timer_count() == 1; }));
    house.clock.advance(Seconds(attempt));
  }
  jobs.drain();
  const auto log = script.seen();
  ASSERT_EQ(log.size(), 4U);
  EXPECT_EQ(log.back(), "failed 1 half broken");
}

TEST(Jobs, AnUnfinishedJobRunsAgainAfterARestart) {
  House house(Medium::disk);
  Script script;
  script.wait = true;
  {
    Jobs jobs(house.store(), house.pool);
    jobs.define(script.type());
    jobs.start();
    submit(house, jobs, "1", "in");
    ASSERT_TRUE(eventually([&] { return script.waiting == 1; }));
    jobs.cancel("t", "1");
    jobs.stop();
  }
  house.reopen();
  script.wait = false;
  Jobs jobs(house.store(), house.pool);
  jobs.define(script.type());
  jobs.start();
  jobs.drain();
  EXPECT_EQ(script.seen(),
            (Log{"run 1 in ''", "run 1 in 'half'", "cancelled", "done 111111111111"}));
}

TEST(Jobs, ACheckpointInATransactionHoldsWithIt) {
  House house;
  Jobs jobs(house.store(), house.pool);
  std::string undone, done;
  struct Body {
    static Task<void> run(Store* store, std::string* undone, std::string* done, JobContextPtr job) {
      {
        Txn txn = store->begin({});
        job->checkpoint(txn, "never");
      }
      *undone = job->state();
      Txn txn = store->begin({});
      job->checkpoint(txn, "both");
      txn.commit();
      *done = job->state();
      co_return;
    }
  };
  Jobs::Type type;
  type.name = "t";
  type.run = [&](JobContextPtr job) {
    return Body::run(&house.store(), &undone, &done, std::move(job));
  };
  jobs.define(type);
  jobs.start();
  submit(house, jobs, "1", "");
  jobs.drain();
  EXPECT_EQ(undone, "");
  EXPECT_EQ(done, "both");
}

TEST(Jobs, OnlySoManyRunAtOnceAndTheOthersFollow) {
  House house;
  std::atomic<int> running{0}, most{0}, ended{0};
  struct Body {
    static Task<void> run(std::atomic<int>* running, std::atomic<int>* most,
                          std::atomic<int>* ended, JobContextPtr) {
      const int now = ++*running;
      if (now > *most) *most = now;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      --*running;
      ++*ended;
      co_return;
    }
  };
  Jobs jobs(house.store(), house.pool);
  Jobs::Type type;
  type.name = "t";
  type.running_max = 2;
  type.run = [&](JobContextPtr job) { return Body::run(&running, &most, &ended, std::move(job)); };
  jobs.define(type);
  jobs.start();
  for (int i = 0; i < 20; ++i) submit(house, jobs, std::to_string(i), "");
  jobs.drain();
  EXPECT_EQ(ended, 20);
  EXPECT_LE(most, 2);
}

}  // namespace
}  // namespace tarn::kernel
