// SPDX-License-Identifier: Apache-2.0
#include "kernel/scheduler.hpp"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "kernel/bus.hpp"
#include "kernel/testing/house.hpp"
#include "kernel/time_zone.hpp"

namespace tarn::kernel {
namespace {

using testing::House;
using testing::Medium;
using Texts = std::vector<std::string>;

Timestamp at(std::string_view text) { return parse_iso8601(text).value(); }

// The next `count` occurrences.
Texts next(std::string_view expression, std::string_view after, int count,
           std::string_view zone = "UTC") {
  const auto parsed = ScheduleExpression::parse(expression, zone);
  Timestamp time = at(after);
  const Timestamp anchor = time;
  Texts out;
  for (int i = 0; i < count; ++i) {
    const auto found = parsed.next(time, anchor);
    if (!found) {
      out.emplace_back("never");
      break;
    }
    time = *found;
    out.push_back(iso8601(time, Precision::seconds));
  }
  return out;
}

struct Case {
  const char* what;
  const char* expression;
  const char* after;
  Texts expected;
};

TEST(ScheduleExpression, CronFollowsEveryRuleOfItsFields) {
  // 2026-11-21 is a Saturday.
  const Case cases[] = {
      {"every quarter of an hour",
       "cron(0/15 * * * ? *)",
       "2026-11-21T08:10:00Z",
       {"2026-11-21T08:15:00Z", "2026-11-21T08:30:00Z"}},
      {"strictly after", "cron(15 8 * * ? *)", "2026-11-21T08:15:00Z", {"2026-11-22T08:15:00Z"}},
      {"noon daily", "cron(0 12 * * ? *)", "2026-11-21T12:00:01Z", {"2026-11-22T12:00:00Z"}},
      {"working days by name",
       "cron(15 10 ? * MON-FRI *)",
       "2026-11-21T00:00:00Z",
       {"2026-11-23T10:15:00Z", "2026-11-24T10:15:00Z"}},
      {"days wrap around the week",
       "cron(0 0 ? * FRI-MON *)",
       "2026-11-23T00:00:00Z",
       {"2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z",
        "2026-11-30T00:00:00Z", "2026-12-04T00:00:00Z"}},
      {"first of the month",
       "cron(0 8 1 * ? *)",
       "2026-11-21T00:00:00Z",
       {"2026-12-01T08:00:00Z", "2027-01-01T08:00:00Z"}},
      {"last day of the month",
       "cron(0 0 L * ? *)",
       "2027-01-31T00:00:00Z",
       {"2027-02-28T00:00:00Z", "2027-03-31T00:00:00Z"}},
      {"third to last day",
       "cron(0 0 L-2 * ? *)",
       "2027-02-01T00:00:00Z",
       {"2027-02-26T00:00:00Z"}},
      {"last working day",
       "cron(0 18 LW * ? *)",
       "2026-11-21T00:00:00Z",
       {"2026-11-30T18:00:00Z", "2026-12-31T18:00:00Z", "2027-01-29T18:00:00Z"}},
      {"weekday nearest the 1st",
       "cron(0 0 1W * ? *)",
       "2026-07-15T00:00:00Z",
       {"2026-08-03T00:00:00Z", "2026-09-01T00:00:00Z"}},
      {"weekday nearest the 15th",
       "cron(0 0 15W * ? *)",
       "2026-11-01T00:00:00Z",
       {"2026-11-16T00:00:00Z", "2026-12-15T00:00:00Z"}},
      {"third Friday",
       "cron(0 9 ? * 6#3 *)",
       "2026-11-21T00:00:00Z",
       {"2026-12-18T09:00:00Z", "2027-01-15T09:00:00Z"}},
      {"fifth Monday where there is one",
       "cron(0 0 ? * MON#5 *)",
       "2026-11-21T00:00:00Z",
       {"2026-11-30T00:00:00Z", "2027-03-29T00:00:00Z"}},
      {"last Friday",
       "cron(0 0 ? * 6L *)",
       "2026-11-21T00:00:00Z",
       {"2026-11-27T00:00:00Z", "2026-12-25T00:00:00Z"}},
      {"L alone is Saturday",
       "cron(0 0 ? * L *)",
       "2026-11-22T00:00:00Z",
       {"2026-11-28T00:00:00Z"}},
      {"months by name and list",
       "cron(0 0 1 JAN,jul ? *)",
       "2026-11-21T00:00:00Z",
       {"2027-01-01T00:00:00Z", "2027-07-01T00:00:00Z"}},
      {"leap day",
       "cron(0 0 29 2 ? *)",
       "2026-11-21T00:00:00Z",
       {"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
      {"years end",
       "cron(0 0 1 1 ? 2026-2027)",
       "2026-11-21T00:00:00Z",
       {"2027-01-01T00:00:00Z", "never"}},
      {"a day that never comes", "cron(0 0 31 2 ? *)", "2026-11-21T00:00:00Z", {"never"}},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(next(test.expression, test.after, static_cast<int>(test.expected.size())),
              test.expected)
        << test.what;
  }
}

TEST(ScheduleExpression, RateCountsFromItsAnchor) {
  const auto rate = ScheduleExpression::parse("rate(5 minutes)");
  const Timestamp anchor = at("2026-11-21T08:02:30Z");
  EXPECT_EQ(rate.next(anchor, anchor), anchor + std::chrono::minutes(5));
  EXPECT_EQ(rate.next(anchor + std::chrono::minutes(12), anchor),
            anchor + std::chrono::minutes(15));
  EXPECT_EQ(rate.next(anchor + std::chrono::minutes(15), anchor),
            anchor + std::chrono::minutes(20));
  EXPECT_EQ(next("rate(1 day)", "2026-11-21T08:00:00Z", 1), Texts{"2026-11-22T08:00:00Z"});
}

TEST(ScheduleExpression, AtHappensOnceInItsZone) {
  EXPECT_EQ(next("at(2026-12-01T09:00:00)", "2026-11-21T00:00:00Z", 2),
            (Texts{"2026-12-01T09:00:00Z", "never"}));
  EXPECT_EQ(next("at(2026-12-01T09:00:00)", "2026-11-21T00:00:00Z", 1, "Asia/Tokyo"),
            (Texts{"2026-12-01T00:00:00Z"}));
}

TEST(ScheduleExpression, CronFollowsTheWallClockThroughDaylightSaving) {
  EXPECT_EQ(next("cron(30 9 * * ? *)", "2027-03-27T00:00:00Z", 3, "Europe/Berlin"),
            (Texts{"2027-03-27T08:30:00Z", "2027-03-28T07:30:00Z", "2027-03-29T07:30:00Z"}));
  // 02:30 does not exist on 28 March: skipped.
  EXPECT_EQ(next("cron(30 2 * * ? *)", "2027-03-27T00:00:00Z", 2, "Europe/Berlin"),
            (Texts{"2027-03-27T01:30:00Z", "2027-03-29T00:30:00Z"}));
  // 02:30 exists twice on 31 October: once, the first.
  EXPECT_EQ(next("cron(30 2 * * ? *)", "2027-10-30T12:00:00Z", 2, "Europe/Berlin"),
            (Texts{"2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"}));
}

TEST(ScheduleExpression, NonsenseIsRefused) {
  for (const char* text : {"",
                           "rate",
                           "rate()",
                           "rate(0 minutes)",
                           "rate(5 minute)",
                           "rate(1 minutes)",
                           "rate(5 seconds)",
                           "rate(-1 hours)",
                           "cron()",
                           "cron(* * * * *)",
                           "cron(* * * * * *)",
                           "cron(* * ? * ? *)",
                           "cron(60 * * * ? *)",
                           "cron(* 24 * * ? *)",
                           "cron(* * 0 * ? *)",
                           "cron(* * 32 * ? *)",
                           "cron(* * * 13 ? *)",
                           "cron(* * ? * 8 *)",
                           "cron(* * ? * MON#6 *)",
                           "cron(* * * FOO ? *)",
                           "cron(*/0 * * * ? *)",
                           "cron(* * * * ? 1969)",
                           "at(2026-11-21)",
                           "at(tomorrow)",
                           "every day",
                           "rate(5 minutes) "}) {
    EXPECT_THROW(ScheduleExpression::parse(text), BadSchedule) << text;
  }
  EXPECT_THROW(ScheduleExpression::parse("rate(1 day)", "Mars/Olympus"), BadSchedule);
  EXPECT_THROW(ScheduleExpression::parse("rate(1 day)", "../../etc/passwd"), BadSchedule);
}

TEST(TimeZone, KnowsThePastAndTheFutureAndBothHemispheres) {
  const auto local = [](const char* zone, const char* utc) {
    const auto time = TimeZone::find(zone)->to_local(at(utc));
    return iso8601(Timestamp(time.time_since_epoch()), Precision::seconds);
  };
  EXPECT_EQ(local("America/New_York", "2026-01-15T12:00:00Z"), "2026-01-15T07:00:00Z");
  EXPECT_EQ(local("America/New_York", "2026-07-15T12:00:00Z"), "2026-07-15T08:00:00Z");
  EXPECT_EQ(local("America/New_York", "2150-07-15T12:00:00Z"), "2150-07-15T08:00:00Z");
  EXPECT_EQ(local("Australia/Sydney", "2060-01-15T00:00:00Z"), "2060-01-15T11:00:00Z");
  EXPECT_EQ(local("Australia/Sydney", "2060-07-15T00:00:00Z"), "2060-07-15T10:00:00Z");
  EXPECT_EQ(local("Asia/Kolkata", "2026-07-15T00:00:00Z"), "2026-07-15T05:30:00Z");
  EXPECT_EQ(local("America/Sao_Paulo", "2018-12-15T12:00:00Z"), "2018-12-15T10:00:00Z");
  EXPECT_EQ(local("America/Sao_Paulo", "2026-12-15T12:00:00Z"), "2026-12-15T09:00:00Z");
}

TEST(TimeZone, ADamagedFileIsAnErrorNotACrash) {
  EXPECT_THROW(TimeZone::parse(""), UnknownTimeZone);
  EXPECT_THROW(TimeZone::parse("TZif2"), UnknownTimeZone);
  EXPECT_THROW(TimeZone::parse(std::string("TZif2") + std::string(60, '\x7f')), UnknownTimeZone);
}

class Scheduled : public ::testing::Test {
 protected:
  static Task<void> note(Scheduled* self, Delivery delivery) {
    std::lock_guard lock(self->mutex);
    self->seen.push_back(delivery.ordering_key + " " + delivery.payload);
    co_return;
  }
  std::unique_ptr<Bus> start() {
    auto bus = std::make_unique<Bus>(house.store(), house.pool);
    Subscription subscription;
    subscription.topic = "tick";
    subscription.subscriber = "s";
    subscription.deliver = [this](Delivery d) { return note(this, std::move(d)); };
    bus->subscribe(std::move(subscription));
    bus->start();
    return bus;
  }
  void put(const std::string& id, const std::string& expression) {
    Schedules schedules(house.store());
    house.store().transact({}, [&](Txn& txn) {
      schedules.put(txn, id, expression, "UTC", {"tick", "", id});
    });
  }
  Texts take() {
    std::lock_guard lock(mutex);
    return std::exchange(seen, {});
  }

  House house{Medium::disk};
  std::mutex mutex;
  Texts seen;
};

TEST_F(Scheduled, EachOccurrenceIsAnEventOfItsOwnTime) {
  house.clock.set(at("2026-11-21T08:00:00Z"));
  const auto bus = start();
  put("daily", "cron(0 12 * * ? *)");
  bus->drain();
  house.clock.advance(std::chrono::hours(24 * 3));
  bus->drain();
  EXPECT_EQ(take(), (Texts{"2026-11-21T12:00:00Z daily", "2026-11-22T12:00:00Z daily",
                           "2026-11-23T12:00:00Z daily"}));
}

TEST_F(Scheduled, PuttingAgainReplacesAndRemovingEnds) {
  house.clock.set(at("2026-11-21T08:00:00Z"));
  const auto bus = start();
  put("s", "rate(1 hour)");
  put("s", "rate(2 hours)");
  house.clock.advance(std::chrono::hours(2));
  bus->drain();
  EXPECT_EQ(take(), Texts{"2026-11-21T10:00:00Z s"});
  Schedules schedules(house.store());
  house.store().transact({}, [&](Txn& txn) { schedules.remove(txn, "s"); });
  house.clock.advance(std::chrono::hours(20));
  bus->drain();
  EXPECT_TRUE(take().empty());
}

TEST_F(Scheduled, OccurrencesMissedWhileDownCountAsOne) {
  house.clock.set(at("2026-11-21T08:00:00Z"));
  {
    const auto bus = start();
    put("hourly", "rate(1 hour)");
    house.clock.advance(std::chrono::hours(1));
    bus->drain();
    EXPECT_EQ(take(), Texts{"2026-11-21T09:00:00Z hourly"});
  }
  house.reopen();
  house.clock.advance(std::chrono::hours(10) + std::chrono::minutes(30));
  const auto bus = start();
  bus->drain();
  EXPECT_EQ(take(), Texts{"2026-11-21T10:00:00Z hourly"});
  house.clock.advance(std::chrono::minutes(30));
  bus->drain();
  EXPECT_EQ(take(), Texts{"2026-11-21T20:00:00Z hourly"});
}

}  // namespace
}  // namespace tarn::kernel
