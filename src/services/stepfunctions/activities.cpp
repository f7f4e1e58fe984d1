// SPDX-License-Identifier: Apache-2.0
// Activities and task tokens: work that is done outside and told back.
#include <fmt/format.h>

#include "aws/arn.hpp"
#include "aws/codec.hpp"
#include "aws/stepfunctions/errors.hpp"
#include "base/strings.hpp"
#include "services/stepfunctions/names.hpp"
#include "services/stepfunctions/service.hpp"

namespace tarn::stepfunctions {
namespace {

constexpr Microseconds k_patience = std::chrono::seconds(60);

[[noreturn]] void no_activity(const std::string& arn) {
  throw ActivityDoesNotExist(fmt::format("Activity Does Not Exist: '{}'", arn));
}

ActivityRecord require_activity(kernel::Txn& txn, const std::string& arn) {
  const auto name = parse_name(arn, "activity");
  auto record = name.scope == txn.scope() ? txn.peek<ActivityRecord>(name.name) : std::nullopt;
  if (!record) no_activity(arn);
  return *record;
}

[[noreturn]] void over(const std::string& token) {
  if (!asl::decode_token(token)) {
    throw InvalidToken(fmt::format("Invalid Token: '{}'", token));
  }
  throw TaskTimedOut("Task Timed Out: 'Provided task does not exist anymore'");
}

}  // namespace

// Creating it again is a success, as in AWS.
CreateActivityOutput StepFunctions::create_activity(Call& call, const CreateActivityInput& in) {
  check_name(in.name);
  auto txn = environment_.store.begin(call.scope());
  if (const auto existing = txn.find_for_update<ActivityRecord>(in.name)) {
    return {.activity_arn = existing->arn, .creation_date = existing->created};
  }
  ActivityRecord made;
  made.name = in.name;
  made.arn = aws::make_arn("states", call.region(), call.account(), "activity:" + in.name);
  made.created = call.now();
  if (in.encryption_configuration) {
    made.encryption =
        aws::encode_json(aws::shape_of<EncryptionConfiguration>(), &*in.encryption_configuration);
  }
  if (in.tags) {
    for (const auto& tag : *in.tags) made.tags[tag.key.value_or("")] = tag.value.value_or("");
  }
  txn.put(made);
  txn.commit();
  return {.activity_arn = made.arn, .creation_date = made.created};
}

DeleteActivityOutput StepFunctions::delete_activity(Call& call, const DeleteActivityInput& in) {
  const auto name = parse_name(in.activity_arn, "activity");
  auto txn = environment_.store.begin(call.scope());
  if (!(name.scope == call.scope()) || !txn.find_for_update<ActivityRecord>(name.name)) return {};
  txn.erase<ActivityRecord>(name.name);
  txn.commit();
  return {};
}

DescribeActivityOutput StepFunctions::describe_activity(Call& call,
                                                        const DescribeActivityInput& in) {
  auto txn = environment_.store.begin(call.scope());
  const auto record = require_activity(txn, in.activity_arn);
  DescribeActivityOutput out;
  out.activity_arn = record.arn;
  out.name = record.name;
  out.creation_date = record.created;
  EncryptionConfiguration encryption{};
  encryption.type = "AWS_OWNED_KEY";
  if (!record.encryption.is_null()) {
    aws::decode_json(aws::shape_of<EncryptionConfiguration>(), record.encryption, &encryption);
  }
  out.encryption_configuration = encryption;
  return out;
}

ListActivitiesOutput StepFunctions::list_activities(Call& call, const ListActivitiesInput& in) {
  auto txn = environment_.store.begin(call.scope());
  const auto most = static_cast<std::size_t>(in.max_results.value_or(0));
  const std::size_t limit = most == 0 ? 100 : most;
  auto options = page_options(in.next_token);
  options.limit = limit + 1;
  ListActivitiesOutput out;
  std::string last;
  txn.scan<ActivityRecord>({}, options, [&](ActivityRecord& row, const std::string& key) {
    if (out.activities.size() == limit) {
      out.next_token = page_token(last);
      return false;
    }
    out.activities.push_back(
        {.activity_arn = row.arn, .name = row.name, .creation_date = row.created});
    last = key;
    return true;
  });
  return out;
}

Task<GetActivityTaskOutput> StepFunctions::get_activity_task(CallPtr call,
                                                             GetActivityTaskInput in) {
  {
    auto txn = environment_.store.begin(call->scope());
    require_activity(txn, in.activity_arn);
  }
  const auto task =
      co_await runner_.next_activity_task(in.activity_arn, in.worker_name.value_or(""), k_patience);
  GetActivityTaskOutput out;
  if (task) {
    out.task_token = task->token;
    out.input = task->input;
  }
  co_return out;
}

Task<SendTaskSuccessOutput> StepFunctions::send_task_success(CallPtr, SendTaskSuccessInput in) {
  try {
    parse_json(in.output);
  } catch (const JsonError&) {
    throw InvalidOutput("Invalid Output: 'The output is not valid JSON'");
  }
  const asl::Datum output = asl::Datum::of_text(in.output);
  std::function<asl::Event(const asl::TaskToken&)> make =
      [output](const asl::TaskToken& token) -> asl::Event {
    return asl::TaskSucceeded{token.frame, token.sequence, output};
  };
  if (!co_await runner_.send_with_token(in.task_token, std::move(make))) over(in.task_token);
  co_return SendTaskSuccessOutput{};
}

Task<SendTaskFailureOutput> StepFunctions::send_task_failure(CallPtr, SendTaskFailureInput in) {
  std::function<asl::Event(const asl::TaskToken&)> make =
      [error = in.error, cause = in.cause](const asl::TaskToken& token) -> asl::Event {
    return asl::TaskFailed{token.frame, token.sequence, error, cause};
  };
  if (!co_await runner_.send_with_token(in.task_token, std::move(make))) over(in.task_token);
  co_return SendTaskFailureOutput{};
}

Task<SendTaskHeartbeatOutput> StepFunctions::send_task_heartbeat(CallPtr,
                                                                 SendTaskHeartbeatInput in) {
  std::function<asl::Event(const asl::TaskToken&)> make =
      [](const asl::TaskToken& token) -> asl::Event {
    return asl::Heartbeat{token.frame, token.sequence};
  };
  if (!co_await runner_.send_with_token(in.task_token, std::move(make))) over(in.task_token);
  co_return SendTaskHeartbeatOutput{};
}

}  // namespace tarn::stepfunctions
