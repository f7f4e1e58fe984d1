// SPDX-License-Identifier: Apache-2.0
// Lambda: the operation table and its handlers. What runs functions stands in
// environment_pool.hpp and execution_environment.hpp.
//
// Threading: handlers run on the call pool, several at a time; durable state is in the store.
#pragma once
#include <map>
#include <mutex>
#include <stop_token>

#include "aws/lambda/operations.hpp"
#include "base/strings.hpp"
#include "engines/sandbox/compute.hpp"
#include "platform/service.hpp"
#include "services/lambda/code_store.hpp"
#include "services/lambda/environment_pool.hpp"
#include "services/lambda/names.hpp"
#include "services/lambda/records.hpp"

namespace tarn::lambda {

// An event on its way to an asynchronous invocation: a bus event, retried under the same id.
struct AsyncInvocation {
  kernel::Scope scope;
  std::string function, qualifier, request_id, payload, client_context;
  std::int64_t accepted_ms = 0;
  int attempt = 1;
  int throttled = 0;  // in a row
  std::string encode() const;
  static AsyncInvocation decode(std::string_view text);
};

class Lambda : public platform::ServiceOf<Lambda> {
 public:
  Lambda(platform::Environment& environment, sandbox::Compute& compute);
  std::string_view name() const override { return "lambda"; }
  void operations(platform::OpTable& t);
  void resources(platform::ResourceTypes& types) override;
  void start() override;
  void stop() override;

 private:
  using Call = platform::Call;
  using CallPtr = platform::CallPtr;
  using Txn = kernel::Txn;
  void function_operations(platform::OpTable& t);
  void version_operations(platform::OpTable& t);
  void layer_operations(platform::OpTable& t);
  void permission_operations(platform::OpTable& t);
  void invoke_operations(platform::OpTable& t);
  void event_source_operations(platform::OpTable& t);

  // functions.cpp
  Task<CreateFunctionOutput> create_function(CallPtr, CreateFunctionInput);
  GetFunctionOutput get_function(Call&, const GetFunctionInput&);
  GetFunctionConfigurationOutput get_configuration(Call&, const GetFunctionConfigurationInput&);
  ListFunctionsOutput list_functions(Call&, const ListFunctionsInput&);
  Task<UpdateFunctionCodeOutput> update_code(CallPtr, UpdateFunctionCodeInput);
  UpdateFunctionConfigurationOutput update_configuration(Call&,
                                                         const UpdateFunctionConfigurationInput&);
  DeleteFunctionOutput delete_function(Call&, const DeleteFunctionInput&);
  PutFunctionConcurrencyOutput put_concurrency(Call&, const PutFunctionConcurrencyInput&);
  GetFunctionConcurrencyOutput get_concurrency(Call&, const GetFunctionConcurrencyInput&);
  DeleteFunctionConcurrencyOutput delete_concurrency(Call&, const DeleteFunctionConcurrencyInput&);
  GetFunctionCodeSigningConfigOutput get_code_signing(Call&,
                                                      const GetFunctionCodeSigningConfigInput&);
  GetRuntimeManagementConfigOutput get_runtime_management(Call&,
                                                          const GetRuntimeManagementConfigInput&);
  GetAccountSettingsOutput get_account_settings(Call&, const GetAccountSettingsInput&);

  // versions.cpp
  PublishVersionOutput publish_version(Call&, const PublishVersionInput&);
  ListVersionsByFunctionOutput list_versions(Call&, const ListVersionsByFunctionInput&);
  CreateAliasOutput create_alias(Call&, const CreateAliasInput&);
  GetAliasOutput get_alias(Call&, const GetAliasInput&);
  ListAliasesOutput list_aliases(Call&, const ListAliasesInput&);
  UpdateAliasOutput update_alias(Call&, const UpdateAliasInput&);
  DeleteAliasOutput delete_alias(Call&, const DeleteAliasInput&);

  // layers.cpp
  Task<PublishLayerVersionOutput> publish_layer(CallPtr, PublishLayerVersionInput);
  GetLayerVersionOutput get_layer(Call&, const GetLayerVersionInput&);
  GetLayerVersionByArnOutput get_layer_by_arn(Call&, const GetLayerVersionByArnInput&);
  ListLayersOutput list_layers(Call&, const ListLayersInput&);
  ListLayerVersionsOutput list_layer_versions(Call&, const ListLayerVersionsInput&);
  DeleteLayerVersionOutput delete_layer(Call&, const DeleteLayerVersionInput&);

  // permissions.cpp
  AddPermissionOutput add_permission(Call&, const AddPermissionInput&);
  RemovePermissionOutput remove_permission(Call&, const RemovePermissionInput&);
  GetPolicyOutput get_policy(Call&, const GetPolicyInput&);
  std::optional<std::string> policy_of(Call&, const std::string& function,
                                       const std::optional<std::string>& qualifier);
  TagResourceOutput tag_resource(Call&, const TagResourceInput&);
  UntagResourceOutput untag_resource(Call&, const UntagResourceInput&);
  ListTagsOutput list_tags(Call&, const ListTagsInput&);

  // invoke.cpp
  Task<InvokeOutput> invoke(CallPtr, InvokeInput);
  PutFunctionEventInvokeConfigOutput put_event_invoke(Call&,
                                                      const PutFunctionEventInvokeConfigInput&);
  UpdateFunctionEventInvokeConfigOutput update_event_invoke(
      Call&, const UpdateFunctionEventInvokeConfigInput&);
  GetFunctionEventInvokeConfigOutput get_event_invoke(Call&,
                                                      const GetFunctionEventInvokeConfigInput&);
  DeleteFunctionEventInvokeConfigOutput delete_event_invoke(
      Call&, const DeleteFunctionEventInvokeConfigInput&);
  ListFunctionEventInvokeConfigsOutput list_event_invoke(
      Call&, const ListFunctionEventInvokeConfigsInput&);
  Task<InvocationResult> run(FunctionRecord function, kernel::Scope scope, std::string qualifier,
                             std::string request_id, std::string payload,
                             std::string client_context);
  Task<void> deliver_async(kernel::Delivery delivery);
  Task<void> finish_async(AsyncInvocation what, FunctionRecord function, InvocationResult result,
                          std::string condition);
  void run_later(AsyncInvocation what, Microseconds pause);
  Task<void> send_to(CallPtr call, std::string arn, std::string body, JsonObject attributes);
  Task<void> deliver_to(CallPtr call, std::string arn, std::string body, JsonObject attributes);
  void check_destinations(Txn& txn, const EventInvokeRecord& config);

  // event_sources.cpp
  Task<CreateEventSourceMappingOutput> create_event_source(CallPtr, CreateEventSourceMappingInput);
  GetEventSourceMappingOutput get_event_source(Call&, const GetEventSourceMappingInput&);
  ListEventSourceMappingsOutput list_event_sources(Call&, const ListEventSourceMappingsInput&);
  UpdateEventSourceMappingOutput update_event_source(Call&, const UpdateEventSourceMappingInput&);
  DeleteEventSourceMappingOutput delete_event_source(Call&, const DeleteEventSourceMappingInput&);
  Task<void> check_queue(EventSourceRecord source, FunctionRecord function, std::string region);
  struct Poll;
  using PollPtr = std::shared_ptr<Poll>;
  void start_polling(kernel::Scope scope, EventSourceRecord source);
  void stop_polling(const std::string& uuid);
  Task<void> poll(PollPtr poll, bool helps);
  Task<bool> poll_once(PollPtr poll, bool helps);
  void call_helper(const PollPtr& poll, const FunctionRecord& function);
  Task<JsonArray> gather(PollPtr poll, CallPtr call, bool helps);
  Task<InvocationResult> invoke_batch(PollPtr poll, FunctionRecord function, std::string payload);

  // What several use.
  struct Package {
    std::string digest;
    std::int64_t bytes = 0;
  };
  // The zip of a request, from its bytes or from S3 as the caller; unpacked once to see that it
  // can.
  Task<Package> take_package(CallPtr call, std::optional<std::string> zip,
                             std::optional<std::string> bucket, std::optional<std::string> key,
                             std::optional<std::string> version);
  // Looks through aliases; throws ResourceNotFoundException. Locks shared.
  static FunctionRecord require_function(Txn& txn, const FunctionId& id);
  static FunctionRecord require_latest_for_update(Txn& txn, const FunctionId& id);
  void touch(FunctionRecord& function, Timestamp now);
  void check_role(const std::string& role, const std::string& function);
  void check_dead_letters(const FunctionRecord& function);
  bool role_allows(const std::string& role, const std::string& function, const std::string& action,
                   const std::string& resource,
                   const std::optional<std::string>& resource_policy = std::nullopt);
  FunctionImage image_of(const FunctionRecord& function, const kernel::Scope& scope);
  static std::int64_t next_number(Txn& txn, const std::string& kind, const std::string& name);
  std::int64_t layer_bytes(const std::string& arn);
  std::string code_location(const std::string& digest);
  Task<aws::HttpResponse> serve_code(std::shared_ptr<aws::HttpRequest> request);
  template <class Output>
  void show(Output& out, const FunctionRecord& function, const kernel::Scope& scope,
            const std::string& qualifier = {});

  platform::Environment& environment_;
  kernel::Store& store_;
  sandbox::Compute& compute_;
  CodeStore code_;
  EnvironmentPool pool_;
  std::stop_source stop_;
  std::mutex polling_mutex_;
  std::map<std::string, std::stop_source> polling_;                               // by mapping
  std::shared_ptr<std::monostate> pollers_ = std::make_shared<std::monostate>();  // each has one
  SystemClock real_clock_;  // last: its thread may call into the pool
};

// Function, version or alias: the ARN that a caller asked for, as policies name it.
std::string asked_arn(platform::Call& call, const std::string& function,
                      const std::optional<std::string>& qualifier = std::nullopt);

template <class Output>
void Lambda::show(Output& out, const FunctionRecord& function, const kernel::Scope& scope,
                  const std::string& qualifier) {
  out.function_name = function.name;
  out.function_arn = function_arn(scope, function.name,
                                  function.version == k_latest ? qualifier : function.version);
  out.runtime = function.runtime;
  out.role = function.role;
  if (!function.handler.empty()) out.handler = function.handler;
  out.code_size = function.code_bytes;
  out.description = function.description;
  out.timeout = function.timeout_s;
  out.memory_size = function.memory_mb;
  out.last_modified = iso8601(function.modified).substr(0, 23) + "+0000";
  out.code_sha256 = to_base64(from_hex(function.code_digest).value_or(""));
  out.version = function.version;
  if (!function.dead_letter_arn.empty()) {
    out.dead_letter_config = DeadLetterConfig{.target_arn = function.dead_letter_arn};
  }
  if (!function.variables.empty()) {
    out.environment = EnvironmentResponse{.variables = function.variables};
  }
  if (!function.kms_key.empty()) out.kms_key_arn = function.kms_key;
  out.tracing_config = TracingConfigResponse{.mode = function.tracing_mode};
  out.revision_id = function.revision;
  if (!function.layers.empty()) {
    out.layers = std::vector<Layer>();
    for (const auto& arn : function.layers) {
      out.layers->push_back({.arn = arn, .code_size = layer_bytes(arn)});
    }
  }
  if (function.vpc.is_object()) {
    VpcConfigResponse vpc;
    const auto list = [&](const char* name) {
      std::vector<std::string> texts;
      if (const Json* found = find_member(function.vpc, name); found && found->is_array()) {
        for (const auto& text : found->get_array()) texts.emplace_back(json_text(text.as_string()));
      }
      return texts;
    };
    vpc.subnet_ids = list("SubnetIds");
    vpc.security_group_ids = list("SecurityGroupIds");
    vpc.vpc_id = "";
    out.vpc_config = std::move(vpc);
  }
  out.state = "Active";
  out.last_update_status = "Successful";
  out.package_type = "Zip";
  out.architectures = function.architectures;
  out.ephemeral_storage = EphemeralStorage{.size = function.ephemeral_mb};
  out.snap_start = SnapStartResponse{.apply_on = "None", .optimization_status = "Off"};
  out.runtime_version_config = RuntimeVersionConfig{
      .runtime_version_arn = "arn:aws:lambda:" + scope.region + "::runtime:tarn"};
  out.logging_config = LoggingConfig{.log_format = "Text", .log_group = function.log_group};
}

}  // namespace tarn::lambda
