// SPDX-License-Identifier: Apache-2.0
// Tasks, retries, time-outs, branches and their failures, on a manual clock; every step goes
// through the stored form of the frames.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/strings.hpp"
#include "services/stepfunctions/execution.hpp"

namespace tarn::stepfunctions::asl {
namespace {

// An execution with its effects laid out for a test to answer.
class Bench {
 public:
  explicit Bench(const std::string& states, const std::string& input = "{}",
                 const std::string& more = "", bool express = false) {
    const auto start = states.substr(2, states.find('"', 2) - 2);
    const auto parsed = parse_definition(
        fmt::format(R"({{"StartAt":"{}","States":{}{}}})", start, states, more), express);
    EXPECT_TRUE(parsed.ok()) << parsed.error_message();
    definition_ = parsed.definition;
    execution_.identity.arn = "arn:aws:states:r:a:execution:m:e";
    execution_.identity.machine_arn = "arn:aws:states:r:a:stateMachine:m";
    execution_.identity.input = Datum::of_text(input);
    execution_.identity.start = now_;
    execution_.identity.express = express;
    send(Started{});
  }

  bool send(const Event& event) {
    auto result = step(execution_, event, {*definition_, now_, random_});
    for (auto& effect : result.effects) {
      if (auto* task = std::get_if<ScheduleTask>(&effect)) tasks.push_back(*task);
      if (std::holds_alternative<CancelTask>(effect)) ++cancelled;
      if (auto* completed = std::get_if<Completed>(&effect)) end = *completed;
      if (std::holds_alternative<Yielded>(effect)) ++yields;
    }
    decode_events(encode_events(execution_.unsaved_events), events);
    written += execution_.changed.size();
    execution_.saved();
    restart();
    return result.accepted;
  }
  // As after a kill: what is not stored is gone.
  void restart() {
    Execution again;
    again.identity = execution_.identity;
    again.status = execution_.status;
    again.next_event = execution_.next_event;
    again.next_frame = execution_.next_frame;
    for (const auto& [id, frame] : execution_.frames) {
      again.frames[id] =
          std::make_unique<Frame>(Frame::decode(frame->encode_state(), frame->encode_data()));
    }
    again.restore();
    execution_ = std::move(again);
  }
  // Lets the earliest timer fire; false if there is none.
  bool fire() {
    std::optional<SetTimer> next;
    for (const auto& effect : pending_effects(execution_, *definition_)) {
      const auto* timer = std::get_if<SetTimer>(&effect);
      if (timer && (!next || timer->due < next->due)) next = *timer;
    }
    if (!next) return false;
    waited = std::chrono::duration<double>(next->due - now_).count();
    now_ = std::max(now_, next->due);
    send(TimerDue{next->frame, next->sequence, next->kind});
    return true;
  }
  ScheduleTask take() {
    EXPECT_FALSE(tasks.empty());
    const ScheduleTask task = tasks.front();
    tasks.erase(tasks.begin());
    return task;
  }
  void succeed(const ScheduleTask& task, const std::string& output) {
    EXPECT_TRUE(send(TaskSucceeded{task.frame, task.sequence, Datum::of_text(output)}));
  }
  void fail(const ScheduleTask& task, const std::string& error) {
    EXPECT_TRUE(send(TaskFailed{task.frame, task.sequence, error, "why"}));
  }
  std::string kinds() const {
    std::string out;
    for (const auto& event : events) {
      out += fmt::format("{}{}<{}", out.empty() ? "" : " ", history_type_name(event.type),
                         event.previous);
    }
    return out;
  }
  std::string outcome() const {
    if (!end) return "running";
    std::string out(status_name(end->status));
    if (end->output) out += " " + end->output->text();
    if (end->error) out += " " + *end->error;
    if (end->cause) out += ": " + *end->cause;
    return out;
  }

  std::vector<ScheduleTask> tasks;
  std::vector<HistoryEvent> events;
  std::optional<Completed> end;
  int cancelled = 0;
  int yields = 0;
  double waited = 0;
  std::size_t written = 0;

 private:
  std::shared_ptr<const Definition> definition_;
  Execution execution_;
  Timestamp now_ = from_millis(1'700'000'000'000);
  SeededRandom random_{5};
};

const char* const k_send = R"("Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage")";

TEST(Engine, ATaskGetsItsArgumentsAndItsResultIsPlaced) {
  Bench bench(fmt::format(R"({{"T":{{{},"Parameters":{{"b.$":"$.a"}},
    "ResultSelector":{{"id.$":"$.MessageId"}},"ResultPath":"$.sent","End":true}}}})",
                          k_send),
              R"({"a":1})");
  const auto task = bench.take();
  EXPECT_EQ(task.arguments.text(), R"({"b":1})");
  EXPECT_EQ(task.resource.action, "sendMessage");
  bench.succeed(task, R"({"MessageId":"m"})");
  EXPECT_EQ(bench.outcome(), R"(SUCCEEDED {"a":1,"sent":{"id":"m"}})");
  EXPECT_EQ(bench.kinds(),
            "ExecutionStarted<0 TaskStateEntered<0 TaskScheduled<2 TaskStarted<3 TaskSucceeded<4 "
            "TaskStateExited<5 ExecutionSucceeded<6");
}

TEST(Engine, AnswersForAnEarlierAttemptAreIgnored) {
  Bench bench(
      fmt::format(R"({{"T":{{{},"Retry":[{{"ErrorEquals":["E"]}}],"End":true}}}})", k_send));
  const auto first = bench.take();
  bench.fail(first, "E");
  EXPECT_FALSE(bench.send(TaskSucceeded{first.frame, first.sequence, Datum::of_text("1")}));
  EXPECT_TRUE(bench.fire());
  const auto second = bench.take();
  EXPECT_FALSE(bench.send(TaskSucceeded{first.frame, first.sequence, Datum::of_text("1")}));
  EXPECT_NE(second.sequence, first.sequence);
  bench.succeed(second, "2");
  EXPECT_EQ(bench.outcome(), "SUCCEEDED 2");
  EXPECT_FALSE(bench.send(Stop{}));
}

TEST(Engine, RetriesBackOffUpToTheLimitThenTheCatcherTakesOver) {
  Bench bench(fmt::format(R"({{"T":{{{},"Retry":[{{"ErrorEquals":["E"],"IntervalSeconds":2,
    "BackoffRate":3,"MaxAttempts":3,"MaxDelaySeconds":10}}],
    "Catch":[{{"ErrorEquals":["States.ALL"],"ResultPath":"$.e","Next":"C"}}],"End":true}},
    "C":{{"Type":"Pass","End":true}}}})",
                          k_send),
              R"({"a":1})");
  std::vector<double> waits;
  for (int i = 0; i < 3; ++i) {
    bench.fail(bench.take(), "E");
    ASSERT_TRUE(bench.fire());
    waits.push_back(bench.waited);
  }
  EXPECT_EQ(waits, (std::vector<double>{2, 6, 10}));
  bench.fail(bench.take(), "E");
  EXPECT_EQ(bench.outcome(), R"(SUCCEEDED {"a":1,"e":{"Error":"E","Cause":"why"}})");
}

TEST(Engine, JitterStaysWithinTheDelay) {
  Bench bench(fmt::format(R"({{"T":{{{},"Retry":[{{"ErrorEquals":["States.ALL"],
    "IntervalSeconds":100,"JitterStrategy":"FULL"}}],"End":true}}}})",
                          k_send));
  bench.fail(bench.take(), "E");
  bench.fire();
  EXPECT_GT(bench.waited, 0);
  EXPECT_LT(bench.waited, 100);
}

TEST(Engine, ARuntimeErrorIsNeitherRetriedNorCaught) {
  Bench bench(fmt::format(R"({{"T":{{{},"OutputPath":"$.no","Retry":[{{"ErrorEquals":
    ["States.Runtime"]}}],"Catch":[{{"ErrorEquals":["States.ALL"],"Next":"C"}}],"End":true}},
    "C":{{"Type":"Succeed"}}}})",
                          k_send));
  bench.succeed(bench.take(), "{}");
  EXPECT_EQ(bench.outcome(),
            "FAILED States.Runtime: An error occurred while executing the state 'T' (entered at "
            "the event id #2). Invalid path '$.no' : No results for path: $['no']");
}

TEST(Engine, ATaskTimesOutAndIsCancelled) {
  Bench bench(fmt::format(R"({{"T":{{{},"TimeoutSeconds":5,"Catch":[{{"ErrorEquals":
    ["States.TaskFailed"],"Next":"No"}},{{"ErrorEquals":["States.Timeout"],"Next":"C"}}],
    "End":true}},"C":{{"Type":"Pass","End":true}},"No":{{"Type":"Fail"}}}})",
                          k_send));
  EXPECT_TRUE(bench.fire());
  EXPECT_EQ(bench.waited, 5);
  EXPECT_EQ(bench.cancelled, 1);
  EXPECT_EQ(bench.outcome(), R"(SUCCEEDED {"Error":"States.Timeout","Cause":""})");
}

TEST(Engine, AHeartbeatPutsOffTheTimeOut) {
  Bench bench(R"({"T":{"Type":"Task","Resource":
    "arn:aws:states:::sqs:sendMessage.waitForTaskToken","HeartbeatSeconds":5,"End":true}})");
  const auto task = bench.take();
  EXPECT_FALSE(task.token.empty());
  const auto token = decode_token(task.token);
  ASSERT_TRUE(token.has_value());
  EXPECT_EQ(token->frame, task.frame);
  EXPECT_TRUE(bench.send(TaskSubmitted{task.frame, task.sequence, Datum::of_text("{}")}));
  EXPECT_TRUE(bench.send(Heartbeat{task.frame, task.sequence}));
  EXPECT_TRUE(bench.fire());
  EXPECT_EQ(bench.outcome(), "FAILED States.Timeout");
  EXPECT_NE(bench.kinds().find("TaskSubmitted<4 TaskTimedOut<5"), std::string::npos);
}

TEST(Engine, AResumedJobIsNotAskedForAgain) {
  Bench bench(R"({"T":{"Type":"Task","Resource":"arn:aws:states:::ecs:runTask.sync","End":true}})");
  const auto task = bench.take();
  bench.send(TaskSubmitted{task.frame, task.sequence, Datum::of_text(R"({"Tasks":[]})")});
  bench.restart();
  EXPECT_TRUE(bench.fire() == false);  // no timers: the job alone is waited for
}

TEST(Engine, TooLargeAResultFailsTheTask) {
  Bench bench(fmt::format(R"({{"T":{{{},"End":true}}}})", k_send));
  bench.succeed(bench.take(), Json(std::string(300'000, 'x')).is_string()
                                  ? "\"" + std::string(300'000, 'x') + "\""
                                  : "");
  EXPECT_EQ(bench.outcome(),
            "FAILED States.DataLimitExceeded: The state/task 'sqs' returned a result with a size "
            "exceeding the maximum number of bytes service limit.");
}

TEST(Engine, AParallelJoinsInOrderOfItsBranches) {
  Bench bench(fmt::format(R"({{"P":{{"Type":"Parallel","Branches":[
    {{"StartAt":"A","States":{{"A":{{{0},"End":true}}}}}},
    {{"StartAt":"B","States":{{"B":{{{0},"End":true}}}}}}],"End":true}}}})",
                          k_send));
  const auto a = bench.take();
  const auto b = bench.take();
  bench.succeed(b, "\"b\"");
  EXPECT_EQ(bench.outcome(), "running");
  bench.succeed(a, "\"a\"");
  EXPECT_EQ(bench.outcome(), R"(SUCCEEDED ["a","b"])");
}

TEST(Engine, AFailingBranchAbortsTheOthers) {
  Bench bench(fmt::format(R"({{"P":{{"Type":"Parallel","Branches":[
    {{"StartAt":"A","States":{{"A":{{{0},"End":true}}}}}},
    {{"StartAt":"B","States":{{"B":{{{0},"End":true}}}}}}],"End":true}}}})",
                          k_send));
  bench.take();
  bench.fail(bench.take(), "E");
  EXPECT_EQ(bench.outcome(), "FAILED E: why");
  EXPECT_EQ(bench.cancelled, 1);
  const auto kinds = bench.kinds();
  EXPECT_NE(kinds.find("TaskFailed<9 TaskStateAborted<10 TaskStateAborted<10 "
                       "ParallelStateFailed<10 ExecutionFailed<13"),
            std::string::npos)
      << kinds;
}

TEST(Engine, AMapKeepsToItsConcurrencyAndWritesOnlyWhatChanged) {
  std::string items = "[";
  for (int i = 0; i < 500; ++i) items += fmt::format("{}{}", i ? "," : "", i);
  Bench bench(fmt::format(R"({{"M":{{"Type":"Map","MaxConcurrency":3,"ItemProcessor":{{
    "StartAt":"T","States":{{"T":{{{},"End":true}}}}}},"End":true}}}})",
                          k_send),
              items + "]");
  EXPECT_EQ(bench.tasks.size(), 3U);
  for (int i = 0; i < 500; ++i) {
    const auto task = bench.take();
    const auto before = bench.written;
    bench.succeed(task, task.arguments.text());
    EXPECT_LE(bench.written - before, 4U);  // the item, its successor, the Map's small part
  }
  EXPECT_EQ(bench.outcome(), "SUCCEEDED " + items + "]");
}

TEST(Engine, ADistributedMapToleratesFailures) {
  const char* form = R"({{"M":{{"Type":"Map","ToleratedFailureCount":{},"ItemProcessor":{{
    "ProcessorConfig":{{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"}},"StartAt":"C","States":{{
    "C":{{"Type":"Choice","Choices":[{{"Variable":"$","NumericEquals":2,"Next":"F"}}],"Default":"P"}},
    "F":{{"Type":"Fail","Error":"Two"}},"P":{{"Type":"Pass","End":true}}}}}},"End":true}}}})";
  Bench tolerant(fmt::format(fmt::runtime(form), 1), "[1,2,3]");
  EXPECT_EQ(tolerant.outcome(), "SUCCEEDED [1,3]");
  Bench strict(fmt::format(fmt::runtime(form), 0), "[1,2,3]");
  EXPECT_EQ(strict.outcome(),
            "FAILED States.ExceedToleratedFailureThreshold: The specified tolerated failure "
            "threshold was exceeded");
  EXPECT_EQ(strict.kinds(),
            "ExecutionStarted<0 MapStateEntered<0 MapStateStarted<2 MapRunStarted<3 MapRunFailed<4 "
            "MapStateFailed<5 ExecutionFailed<6");
}

TEST(Engine, BranchesSeeOuterVariablesAndKeepTheirOwn) {
  Bench bench(R"({"A":{"Type":"Pass","Assign":{"x":1},"Next":"P"},"P":{"Type":"Parallel",
    "Branches":[{"StartAt":"B","States":{"B":{"Type":"Pass","Parameters":{"x.$":"$x"},
    "Assign":{"y":2},"End":true}}}],"Next":"C"},
    "C":{"Type":"Pass","Parameters":{"y.$":"$y"},"End":true}})");
  EXPECT_NE(bench.outcome().find("The variable 'y' referenced by the JSONPath '$y' is not defined"),
            std::string::npos)
      << bench.outcome();
}

TEST(Engine, AMachineTimesOutAsAWhole) {
  Bench bench(R"({"W":{"Type":"Wait","Seconds":100,"End":true}})", "{}", R"(,"TimeoutSeconds":7)");
  EXPECT_TRUE(bench.fire());
  EXPECT_EQ(bench.waited, 7);
  EXPECT_EQ(bench.outcome(), "TIMED_OUT States.Timeout");
}

TEST(Engine, AnExpressExecutionTakesFiveMinutesAtMost) {
  const char* waiting = R"({"W":{"Type":"Wait","Seconds":1000,"End":true}})";
  for (const auto& [more, seconds] : {std::pair("", 300), std::pair(R"(,"TimeoutSeconds":7)", 7),
                                      std::pair(R"(,"TimeoutSeconds":900)", 300)}) {
    Bench bench(waiting, "{}", more, true);
    EXPECT_TRUE(bench.fire());
    EXPECT_EQ(bench.waited, seconds);
    EXPECT_EQ(bench.outcome(), "TIMED_OUT States.Timeout");
  }
}

TEST(Engine, ALongChainYieldsSoThatNoStepIsEndless) {
  Bench bench(R"({"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Pass","Next":"A"}})");
  for (int i = 0; i < 20 && !bench.end; ++i) bench.send(Continue{});
  EXPECT_GT(bench.yields, 1);
  EXPECT_EQ(bench.events.size(), k_history_events_max);
  EXPECT_NE(bench.outcome().find("maximum number of history events"), std::string::npos);
}

TEST(Engine, TextPassesThroughUntouched) {
  Bench bench(R"({"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Succeed"}})", R"({ "b" : 1.50 })");
  EXPECT_EQ(bench.outcome(), R"(SUCCEEDED { "b" : 1.50 })");
}

TEST(History, ABatchReadsBackAsItWasWritten) {
  std::vector<HistoryEvent> events(2);
  events[0].id = 7;
  events[0].previous = 3;
  events[0].type = HistoryType::task_failed;
  events[0].error = "E";
  events[0].more["resource"] = "x";
  events[1].id = 8;
  events[1].type = HistoryType::pass_state_exited;
  events[1].name = "S";
  events[1].data = Datum::of_text("[1, 2]");
  std::vector<HistoryEvent> read;
  decode_events(encode_events(events), read);
  ASSERT_EQ(read.size(), 2U);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(dump_json(Json(event_json(read[i], true))),
              dump_json(Json(event_json(events[i], true))));
  }
  EXPECT_THROW(decode_events(encode_events(events).substr(0, 9), read), std::runtime_error);
}

// Bytes that an earlier Tarn wrote: they must stay readable.
TEST(StoredForms, VersionOneOfFramesAndHistoriesStaysReadable) {
  const auto bytes = [](const char* hex) { return *from_hex(hex); };
  const std::string state = bytes(
      "010301020104030209078080f281838985060502010001017300018089ec8283898506000c0a0000000000036172"
      "6e");
  const std::string data = bytes("01087b2261223a20317d035b325d0701370172027b7d0101760474727565");
  const Frame frame = Frame::decode(state, data);
  EXPECT_EQ(frame.id, 3U);
  EXPECT_EQ(frame.waiting, Waiting::task);
  EXPECT_EQ(frame.attempts, (std::vector<std::uint64_t>{1, 0}));
  EXPECT_EQ(frame.input.text(), R"({"a": 1})");
  EXPECT_EQ(frame.variables.at("v").text(), "true");
  EXPECT_EQ(frame.submission->text(), "{}");
  EXPECT_EQ(frame.encode_state(), state);
  EXPECT_EQ(frame.encode_data(), data);
  std::vector<HistoryEvent> events;
  decode_events(bytes("0102002201018080f28183898506027b7d0f7b22726f6c6541726e223a2272227d06070102d0"
                      "0f0141"),
                events);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].name, "A");
  EXPECT_EQ(events[1].previous, 0U);
  EXPECT_EQ(events[1].data->text(), "{}");
  EXPECT_EQ(events[1].time, from_millis(1'700'000'000'001));
}

}  // namespace
}  // namespace tarn::stepfunctions::asl
