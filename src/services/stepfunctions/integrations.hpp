// SPDX-License-Identifier: Apache-2.0
// Carries out the tasks of Task states: calls of other services in process, under the state
// machine's role, in the forms that Step Functions gives them.
//
//   a function's ARN            Lambda, the input as it is
//   states:::service:action     optimised: .sync waits for the job, .waitForTaskToken only sends
//   states:::aws-sdk:service:operation   any operation that exists here
//
// A repeated order (after a restart) uses the same client token or name, made of its effect id,
// where the operation takes one. Failures come back as AWS names them. Threading: any.
#pragma once
#include <memory>
#include <string>

#include "platform/service.hpp"
#include "services/stepfunctions/runner.hpp"

namespace tarn::stepfunctions {

class Integrations {
 public:
  explicit Integrations(platform::Environment& environment) : environment_(environment) {}
  Task<TaskOutcome> carry_out(std::shared_ptr<TaskOrder> order);
  // Ends the wait for an execution of this service, if it runs here.
  std::function<Task<void>(std::string arn)> wait_for_execution;

 private:
  using OrderPtr = std::shared_ptr<TaskOrder>;
  Task<Json> run(OrderPtr order, platform::CallPtr call);
  Task<Json> run_lambda(OrderPtr order, platform::CallPtr call);
  Task<Json> run_optimized(OrderPtr order, platform::CallPtr call);
  Task<Json> run_sdk(OrderPtr order, platform::CallPtr call);
  Task<Json> invoke_lambda(OrderPtr order, platform::CallPtr call);
  Task<Json> start_execution(OrderPtr order, platform::CallPtr call);
  Task<Json> start_once(platform::CallPtr call, Json input, bool own_name);
  Task<Json> wait_for_started(OrderPtr order, platform::CallPtr call, Json started);
  Task<Json> run_ecs_task(OrderPtr order, platform::CallPtr call);
  Task<Json> wait_for_ecs(OrderPtr order, platform::CallPtr call, Json started);
  Task<Json> put_events(OrderPtr order, platform::CallPtr call);
  Task<Json> send(OrderPtr order, platform::CallPtr call, std::string service,
                  std::string operation, std::string text_field);
  Task<void> pause(Microseconds duration);
  // What is left of a stopped .sync job: stopped too, best effort.
  void clean_up(OrderPtr order, std::string service, std::string operation, Json input);

  platform::Environment& environment_;
};

}  // namespace tarn::stepfunctions
