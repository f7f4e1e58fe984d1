// SPDX-License-Identifier: Apache-2.0
// What depends on time: retention, rejected events, removal in the background.
#include "services/logs/service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "platform/log_writer.hpp"
#include "platform/testing/service_house.hpp"

namespace tarn::logs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::chrono::hours k_day{24};

class LogsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    house_.add<Logs>();
    house_.start();
    CreateLogGroupInput group{.log_group_name = "/g"};
    house_.ask<CreateLogGroup>(group);
    CreateLogStreamInput stream{.log_group_name = "/g", .log_stream_name = "s"};
    house_.ask<CreateLogStream>(stream);
  }

  PutLogEventsOutput put(std::vector<std::pair<Timestamp, std::string>> events) {
    PutLogEventsInput in{.log_group_name = "/g", .log_stream_name = "s"};
    for (auto& [time, text] : events) {
      in.log_events.push_back({.timestamp = to_millis(time), .message = text});
    }
    return house_.ask<PutLogEvents>(in);
  }
  std::vector<std::string> all(std::string pattern = "") {
    FilterLogEventsInput in;
    in.log_group_name = "/g";
    in.filter_pattern = std::move(pattern);
    std::vector<std::string> texts;
    do {
      const auto out = house_.ask<FilterLogEvents>(in);
      for (const auto& event : *out.events) texts.push_back(*event.message);
      in.next_token = out.next_token;
    } while (in.next_token);
    return texts;
  }
  void keep_days(std::int32_t days) {
    PutRetentionPolicyInput in{.log_group_name = "/g", .retention_in_days = days};
    house_.ask<PutRetentionPolicy>(in);
  }
  std::size_t rows() {
    std::size_t count = 0;
    for (const auto& kind : {EventRecord::k_kind, StreamEventRecord::k_kind}) {
      house_.environment().store.scan_all(kind, [&](const auto&, const auto&, std::string_view) {
        ++count;
        return true;
      });
    }
    return count;
  }

  platform::testing::ServiceHouse house_;
};

TEST_F(LogsTest, events_come_in_the_order_of_their_time) {
  const Timestamp now = house_.clock().now();
  put({{now, "second"}, {now, "third"}});
  put({{now - Seconds(1), "first"}});
  put({{now, "fourth"}});
  EXPECT_THAT(all(), ElementsAre("first", "second", "third", "fourth"));
}

TEST_F(LogsTest, retention_hides_at_once_and_removes_within_the_hour) {
  const Timestamp now = house_.clock().now();
  put({{now, "old"}});
  keep_days(1);
  house_.clock().advance(k_day - Seconds(10));
  put({{house_.clock().now(), "new"}});
  EXPECT_THAT(all(), ElementsAre("old", "new"));
  house_.clock().advance(Seconds(20));
  EXPECT_THAT(all(), ElementsAre("new"));
  house_.clock().advance(std::chrono::hours(2));
  house_.bus().drain();
  EXPECT_EQ(rows(), 2u);
}

TEST_F(LogsTest, events_beyond_the_retention_are_rejected) {
  keep_days(3);
  const auto out = put({{house_.clock().now() - 4 * k_day, "expired"}});
  ASSERT_TRUE(out.rejected_log_events_info);
  EXPECT_EQ(out.rejected_log_events_info->expired_log_event_end_index, 1);
  EXPECT_THAT(all(), IsEmpty());
}

TEST_F(LogsTest, a_removed_group_leaves_nothing_behind) {
  const Timestamp now = house_.clock().now();
  for (int i = 0; i < 30; ++i) put({{now, "a"}, {now, "b"}});
  EXPECT_EQ(rows(), 120u);
  DeleteLogGroupInput in{.log_group_name = "/g"};
  house_.ask<DeleteLogGroup>(in);
  house_.bus().drain();
  EXPECT_EQ(rows(), 0u);
}

TEST_F(LogsTest, a_removed_stream_takes_its_events_along) {
  put({{house_.clock().now(), "gone"}});
  CreateLogStreamInput other{.log_group_name = "/g", .log_stream_name = "other"};
  house_.ask<CreateLogStream>(other);
  PutLogEventsInput in{.log_group_name = "/g", .log_stream_name = "other"};
  in.log_events.push_back({.timestamp = to_millis(house_.clock().now()), .message = "stays"});
  house_.ask<PutLogEvents>(in);
  DeleteLogStreamInput remove{.log_group_name = "/g", .log_stream_name = "s"};
  house_.ask<DeleteLogStream>(remove);
  house_.bus().drain();
  EXPECT_THAT(all(), ElementsAre("stays"));
}

TEST_F(LogsTest, protected_groups_stay) {
  CreateLogGroupInput in{.log_group_name = "/p", .deletion_protection_enabled = true};
  house_.ask<CreateLogGroup>(in);
  DeleteLogGroupInput remove{.log_group_name = "/p"};
  EXPECT_THAT(house_.refusal<DeleteLogGroup>(remove), HasSubstr("ValidationException"));
}

TEST_F(LogsTest, a_writer_sends_every_line_in_order) {
  const auto writer = std::make_shared<platform::LogWriter>(
      house_.environment(), platform::root_identity(), "us-east-1", "/made", "stream");
  const TaskContext context{&house_.environment().background, {}};
  sync_wait(context, writer->open(true));
  sync_wait(context, writer->open(true));  // again, as after a crash
  for (int i = 0; i < 12'000; ++i) writer->add(std::to_string(i));
  writer->add("");
  sync_wait(context, writer->flush());
  GetLogEventsInput in;
  in.log_group_name = "/made";
  in.log_stream_name = "stream";
  in.start_from_head = true;
  int count = 0;
  for (;;) {
    const auto out = house_.ask<GetLogEvents>(in);
    if (out.events->empty()) break;
    for (const auto& event : *out.events) {
      EXPECT_EQ(*event.message, count < 12'000 ? std::to_string(count) : " ");
      ++count;
    }
    in.next_token = out.next_forward_token;
  }
  EXPECT_EQ(count, 12'001);
}

TEST_F(LogsTest, a_writer_without_a_group_throws_and_lines_to_nowhere_are_dropped) {
  const auto writer = std::make_shared<platform::LogWriter>(
      house_.environment(), platform::root_identity(), "us-east-1", "/none", "stream");
  const TaskContext context{&house_.environment().background, {}};
  EXPECT_THROW(sync_wait(context, writer->open(false)), aws::ApiError);
  for (int i = 0; i < 100; ++i) writer->add("lost");
  sync_wait(context, writer->flush());
}

TEST_F(LogsTest, lines_wait_while_the_store_cannot_write) {
  const auto writer = std::make_shared<platform::LogWriter>(
      house_.environment(), platform::root_identity(), "us-east-1", "/made", "stream");
  const TaskContext context{&house_.environment().background, {}};
  sync_wait(context, writer->open(true));
  auto& store = house_.environment().store;
  std::atomic<int> failures{0};
  store.set_fault_point([&](std::string_view name) {
    if (name != "commit.before-write") return;
    ++failures;
    throw kernel::StorageFailure("no space left");
  });
  writer->add("kept");
  OneShot<void> flushed;
  spawn<void>(context, writer->flush(), [flushed](Outcome<void>) { flushed.set(); });
  while (!flushed.is_set()) {
    if (failures >= 2) store.set_fault_point({});
    house_.clock().advance(Milliseconds(100));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  GetLogEventsInput in;
  in.log_group_name = "/made";
  in.log_stream_name = "stream";
  in.start_from_head = true;
  const auto out = house_.ask<GetLogEvents>(in);
  ASSERT_EQ(out.events->size(), 1u);
  EXPECT_EQ(*out.events->front().message, "kept");
}

}  // namespace
}  // namespace tarn::logs
