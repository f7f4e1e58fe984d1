// SPDX-License-Identifier: Apache-2.0
// Functions: making, showing, changing, removing.
#include <fmt/format.h>

#include <set>

#include "aws/codec.hpp"
#include "aws/lambda/errors.hpp"
#include "services/lambda/service.hpp"

namespace tarn::lambda {
namespace {

constexpr std::size_t k_page = 50;
constexpr std::int32_t k_concurrency = 64;  // environments that the pool runs at once
const std::set<std::string> k_runtimes{"python3.11", "provided.al2023", "provided.al2", "provided"};
// Set by the runtime itself.
const std::set<std::string> k_reserved_variables{"_HANDLER",
                                                 "AWS_REGION",
                                                 "AWS_DEFAULT_REGION",
                                                 "AWS_EXECUTION_ENV",
                                                 "AWS_ACCESS_KEY",
                                                 "AWS_ACCESS_KEY_ID",
                                                 "AWS_SECRET_ACCESS_KEY",
                                                 "AWS_SESSION_TOKEN",
                                                 "AWS_LAMBDA_RUNTIME_API",
                                                 "AWS_LAMBDA_FUNCTION_NAME",
                                                 "AWS_LAMBDA_FUNCTION_VERSION",
                                                 "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
                                                 "AWS_LAMBDA_LOG_GROUP_NAME",
                                                 "AWS_LAMBDA_LOG_STREAM_NAME",
                                                 "LAMBDA_TASK_ROOT",
                                                 "LAMBDA_RUNTIME_DIR"};

[[noreturn]] void not_implemented(const std::string& what) {
  throw aws::ApiError("NotImplemented", "lambda: " + what + " is not implemented by Tarn", 501);
}

template <class Input>
void refuse_unsupported(const Input& in) {
  if (in.file_system_configs && !in.file_system_configs->empty()) {
    not_implemented("FileSystemConfigs");
  }
  if (in.snap_start && in.snap_start->apply_on.value_or("None") != "None") {
    not_implemented("SnapStart");
  }
  if (in.image_config) not_implemented("ImageConfig");
  if (in.durable_config) not_implemented("DurableConfig");
  if (in.capacity_provider_config) not_implemented("CapacityProviderConfig");
  if (in.logging_config && in.logging_config->log_format.value_or("Text") != "Text") {
    not_implemented("LoggingConfig.LogFormat JSON");
  }
}

// Upper limits of the service that its model does not have.
void check_limit(const std::optional<std::int32_t>& value, const char* name, std::int32_t max) {
  if (!value || *value <= max) return;
  throw aws::ApiError(
      "ValidationException",
      fmt::format("1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: "
                  "Member must have value less than or equal to {}",
                  *value, name, max));
}

void check_runtime(const FunctionRecord& function) {
  if (!k_runtimes.contains(function.runtime)) {
    throw InvalidParameterValueException(
        fmt::format("Runtime {} is not supported by Tarn: it has python3.11 and provided.al2023",
                    function.runtime.empty() ? "(none)" : function.runtime));
  }
  if (function.runtime.starts_with("python") && function.handler.empty()) {
    throw InvalidParameterValueException(
        "Runtime and Handler are mandatory parameters for functions created with deployment "
        "packages.");
  }
}

void check_variables(const std::map<std::string, std::string>& variables) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : variables) {
    bytes += name.size() + value.size();
    if (k_reserved_variables.contains(name)) {
      throw InvalidParameterValueException(fmt::format(
          "Lambda was unable to configure your environment variables because the environment "
          "variables you have provided contains reserved keys that are currently not supported "
          "for modification. Reserved keys used in this request: {}",
          name));
    }
  }
  if (bytes > 4096) {
    throw InvalidParameterValueException(
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided exceeded the 4KB limit.");
  }
}

void check_layers(kernel::Txn& txn, const std::vector<std::string>& layers) {
  if (layers.size() > 5) {
    throw InvalidParameterValueException("Layers consist of more than 5 layer versions");
  }
  for (const auto& arn : layers) {
    const auto id = LayerVersionId::parse(arn);
    const auto layer = txn.in(id.scope).find<LayerRecord>(id.name, id.version);
    if (!layer || layer->deleted) {
      throw InvalidParameterValueException("Layer version " + arn + " does not exist.");
    }
  }
}

// What create and update have in common; absent members change nothing.
template <class Input>
void apply(FunctionRecord& function, const Input& in) {
  refuse_unsupported(in);
  check_limit(in.timeout, "timeout", 900);
  check_limit(in.memory_size, "memorySize", 10'240);
  if (in.runtime) function.runtime = *in.runtime;
  if (in.handler) function.handler = *in.handler;
  if (in.description) function.description = *in.description;
  if (in.timeout) function.timeout_s = *in.timeout;
  if (in.memory_size) function.memory_mb = *in.memory_size;
  if (in.kms_key_arn) function.kms_key = *in.kms_key_arn;
  if (in.environment) {
    function.variables = in.environment->variables.value_or(std::map<std::string, std::string>());
  }
  if (in.layers) function.layers = *in.layers;
  if (in.dead_letter_config) {
    function.dead_letter_arn = in.dead_letter_config->target_arn.value_or("");
  }
  if (in.tracing_config) function.tracing_mode = in.tracing_config->mode.value_or("PassThrough");
  if (in.ephemeral_storage) function.ephemeral_mb = in.ephemeral_storage->size;
  if (in.vpc_config) function.vpc = aws::encode_json(aws::shape_of<VpcConfig>(), &*in.vpc_config);
  if (in.logging_config && in.logging_config->log_group) {
    function.log_group = *in.logging_config->log_group;
  }
  check_runtime(function);
  check_variables(function.variables);
}

void refuse_aliased(kernel::Txn& txn, const FunctionId& id) {
  std::vector<std::string> aliases;
  for (const auto& alias : txn.list<AliasRecord>(kernel::Key(id.name))) {
    if (alias.version == id.qualifier) aliases.push_back(alias.name);
  }
  if (aliases.empty()) return;
  throw ResourceConflictException(
      fmt::format("Unable to delete version because the following aliases reference it: [{}]",
                  join(aliases, ", ")));
}

void check_revision(const FunctionRecord& function, const std::optional<std::string>& wanted) {
  if (wanted && *wanted != function.revision) {
    throw PreconditionFailedException(
        "The Revision Id provided does not match the latest Revision Id. Call the "
        "GetFunction/GetAlias API to retrieve the latest Revision Id");
  }
}

}  // namespace

void Lambda::function_operations(platform::OpTable& t) {
  const auto function = [](Call& call, const auto& in) {
    return asked_arn(call, in.function_name);
  };
  const auto qualified = [](Call& call, const auto& in) {
    return asked_arn(call, in.function_name, in.qualifier);
  };
  const auto role = [](Call&, const auto& in) { return std::optional<std::string>(in.role); };
  t.op<CreateFunction>(&Lambda::create_function)
      .on(function)
      .passes_role("lambda.amazonaws.com", role)
      .partial("VpcConfig, TracingConfig, KMSKeyArn and Architectures are recorded only");
  t.op<GetFunction>(&Lambda::get_function).on(qualified);
  t.op<GetFunctionConfiguration>(&Lambda::get_configuration).on(qualified);
  t.op<ListFunctions>(&Lambda::list_functions);
  t.op<UpdateFunctionCode>(&Lambda::update_code).on(function);
  t.op<UpdateFunctionConfiguration>(&Lambda::update_configuration)
      .on(function)
      .passes_role("lambda.amazonaws.com", role)
      .partial("VpcConfig, TracingConfig and KMSKeyArn are recorded only");
  t.op<DeleteFunction>(&Lambda::delete_function).on(qualified);
  t.op<PutFunctionConcurrency>(&Lambda::put_concurrency).on(function);
  t.op<GetFunctionConcurrency>(&Lambda::get_concurrency).on(function);
  t.op<DeleteFunctionConcurrency>(&Lambda::delete_concurrency).on(function);
  t.op<GetFunctionCodeSigningConfig>(&Lambda::get_code_signing).on(function);
  t.op<GetRuntimeManagementConfig>(&Lambda::get_runtime_management).on(function);
  t.op<GetAccountSettings>(&Lambda::get_account_settings);
}

Task<CreateFunctionOutput> Lambda::create_function(CallPtr call, CreateFunctionInput in) {
  if (in.package_type.value_or("Zip") != "Zip" || in.code.image_uri) {
    not_implemented("PackageType Image");
  }
  if (in.tenancy_config) not_implemented("TenancyConfig");
  if (in.code_signing_config_arn) not_implemented("CodeSigningConfigArn");
  const FunctionId id = FunctionId::parse(in.function_name, std::nullopt);
  FunctionRecord function;
  function.name = id.name;
  function.role = in.role;
  function.log_group = "/aws/lambda/" + id.name;
  apply(function, in);
  if (in.architectures) function.architectures = *in.architectures;
  if (in.tags) function.tags = *in.tags;
  check_role(function.role, function.name);
  if (in.dead_letter_config) check_dead_letters(function);
  Package package = co_await take_package(call, std::move(in.code.zip_file), in.code.s3_bucket,
                                          in.code.s3_key, in.code.s3_object_version);
  function.code_digest = std::move(package.digest);
  function.code_bytes = package.bytes;
  touch(function, call->now());
  const bool publish = in.publish.value_or(false);
  FunctionRecord shown = store_.transact(call->scope(), [&](Txn& txn) {
    if (txn.find_for_update<FunctionRecord>(id.name, k_latest)) {
      throw ResourceConflictException("Function already exist: " + id.name);
    }
    check_layers(txn, function.layers);
    txn.put(function);
    if (!publish) return function;
    FunctionRecord version = function;
    version.version = std::to_string(next_number(txn, "function", id.name));
    txn.put(version);
    return version;
  });
  call->set_response_status(201);
  CreateFunctionOutput out;
  show(out, shown, call->scope());
  co_return out;
}

GetFunctionOutput Lambda::get_function(Call& call, const GetFunctionInput& in) {
  const FunctionId id = FunctionId::parse(in.function_name, in.qualifier);
  auto txn = store_.begin(call.scope());
  const FunctionRecord function = require_function(txn, id);
  const auto latest = txn.peek<FunctionRecord>(id.name, k_latest);
  GetFunctionOutput out;
  show(out.configuration.emplace(), function, call.scope(), id.qualifier);
  out.code = FunctionCodeLocation{.repository_type = "S3",
                                  .location = code_location(function.code_digest)};
  if (latest && !latest->tags.empty()) out.tags = latest->tags;
  if (latest && latest->reserved_concurrency) {
    out.concurrency = Concurrency{.reserved_concurrent_executions = latest->reserved_concurrency};
  }
  return out;
}

GetFunctionConfigurationOutput Lambda::get_configuration(Call& call,
                                                         const GetFunctionConfigurationInput& in) {
  const FunctionId id = FunctionId::parse(in.function_name, in.qualifier);
  auto txn = store_.begin(call.scope());
  GetFunctionConfigurationOutput out;
  show(out, require_function(txn, id), call.scope(), id.qualifier);
  return out;
}

ListFunctionsOutput Lambda::list_functions(Call& call, const ListFunctionsInput& in) {
  auto txn = store_.begin(call.scope());
  const bool all = in.function_version.value_or("") == "ALL";
  kernel::ScanOptions options;
  if (in.marker) options.after = from_base64(*in.marker).value_or("");
  const auto limit = static_cast<std::size_t>(in.max_items.value_or(k_page));
  ListFunctionsOutput out{.functions = std::vector<FunctionConfiguration>()};
  std::string last;
  txn.scan<FunctionRecord>({}, options, [&](FunctionRecord& function, const std::string& key) {
    if (!all && function.version != k_latest) return true;
    if (out.functions->size() == limit) {
      out.next_marker = to_base64(last);
      return false;
    }
    show(out.functions->emplace_back(), function, call.scope(), all ? function.version : "");
    last = key;
    return true;
  });
  return out;
}

Task<UpdateFunctionCodeOutput> Lambda::update_code(CallPtr call, UpdateFunctionCodeInput in) {
  if (in.image_uri) not_implemented("ImageUri");
  const FunctionId id = FunctionId::parse(in.function_name, std::nullopt);
  {
    auto txn = store_.begin(call->scope());
    check_revision(require_function(txn, {id.name, ""}), in.revision_id);
  }
  const Package package = co_await take_package(call, std::move(in.zip_file), in.s3_bucket,
                                                in.s3_key, in.s3_object_version);
  const bool publish = in.publish.value_or(false);
  const bool dry_run = in.dry_run.value_or(false);
  const FunctionRecord shown = store_.transact(call->scope(), [&](Txn& txn) {
    FunctionRecord function = require_latest_for_update(txn, id);
    function.code_digest = package.digest;
    function.code_bytes = package.bytes;
    if (in.architectures) function.architectures = *in.architectures;
    touch(function, call->now());
    if (dry_run) return function;
    txn.put(function);
    if (!publish) return function;
    FunctionRecord version = function;
    version.version = std::to_string(next_number(txn, "function", id.name));
    txn.put(version);
    return version;
  });
  pool_.retire(function_arn(call->scope(), id.name));
  UpdateFunctionCodeOutput out;
  show(out, shown, call->scope());
  co_return out;
}

UpdateFunctionConfigurationOutput Lambda::update_configuration(
    Call& call, const UpdateFunctionConfigurationInput& in) {
  const FunctionId id = FunctionId::parse(in.function_name, std::nullopt);
  if (in.role) check_role(*in.role, id.name);
  auto txn = store_.begin(call.scope());
  FunctionRecord function = require_latest_for_update(txn, id);
  check_revision(function, in.revision_id);
  apply(function, in);
  if (in.role) function.role = *in.role;
  if (in.dead_letter_config) check_dead_letters(function);
  if (in.layers) check_layers(txn, *in.layers);
  touch(function, call.now());
  txn.put(function);
  txn.commit();
  pool_.retire(function_arn(call.scope(), id.name));
  UpdateFunctionConfigurationOutput out;
  show(out, function, call.scope());
  return out;
}

DeleteFunctionOutput Lambda::delete_function(Call& call, const DeleteFunctionInput& in) {
  const FunctionId id = FunctionId::parse(in.function_name, in.qualifier);
  auto txn = store_.begin(call.scope());
  if (!id.qualifier.empty() && id.qualifier != k_latest) {
    if (!txn.find_for_update<FunctionRecord>(id.name, id.qualifier)) {
      throw ResourceNotFoundException("Function not found: " +
                                      function_arn(call.scope(), id.name, id.qualifier));
    }
    refuse_aliased(txn, id);
    txn.erase<FunctionRecord>(id.name, id.qualifier);
  } else {
    if (id.qualifier == k_latest) {
      throw InvalidParameterValueException(
          "$LATEST version cannot be deleted without deleting the "
          "function.");
    }
    require_latest_for_update(txn, id);
    for (const auto& version : txn.list<FunctionRecord>(kernel::Key(id.name))) {
      txn.erase<FunctionRecord>(id.name, version.version);
    }
    for (const auto& alias : txn.list<AliasRecord>(kernel::Key(id.name))) {
      txn.erase<AliasRecord>(id.name, alias.name);
    }
    for (const auto& policy : txn.list<PolicyRecord>(kernel::Key(id.name))) {
      txn.erase<PolicyRecord>(id.name, policy.qualifier);
    }
    for (const auto& config : txn.list<EventInvokeRecord>(kernel::Key(id.name))) {
      txn.erase<EventInvokeRecord>(id.name, config.qualifier);
    }
  }
  txn.commit();
  pool_.retire(function_arn(call.scope(), id.name));
  return {.status_code = 204};
}

PutFunctionConcurrencyOutput Lambda::put_concurrency(Call& call,
                                                     const PutFunctionConcurrencyInput& in) {
  auto txn = store_.begin(call.scope());
  FunctionRecord function =
      require_latest_for_update(txn, FunctionId::parse(in.function_name, std::nullopt));
  function.reserved_concurrency = in.reserved_concurrent_executions;
  txn.put(function);
  txn.commit();
  return {.reserved_concurrent_executions = in.reserved_concurrent_executions};
}

GetFunctionConcurrencyOutput Lambda::get_concurrency(Call& call,
                                                     const GetFunctionConcurrencyInput& in) {
  auto txn = store_.begin(call.scope());
  const auto id = FunctionId::parse(in.function_name, std::nullopt);
  return {.reserved_concurrent_executions =
              require_function(txn, {id.name, ""}).reserved_concurrency};
}

DeleteFunctionConcurrencyOutput Lambda::delete_concurrency(
    Call& call, const DeleteFunctionConcurrencyInput& in) {
  auto txn = store_.begin(call.scope());
  FunctionRecord function =
      require_latest_for_update(txn, FunctionId::parse(in.function_name, std::nullopt));
  function.reserved_concurrency.reset();
  txn.put(function);
  txn.commit();
  return {};
}

GetFunctionCodeSigningConfigOutput Lambda::get_code_signing(
    Call& call, const GetFunctionCodeSigningConfigInput& in) {
  auto txn = store_.begin(call.scope());
  const auto id = FunctionId::parse(in.function_name, std::nullopt);
  require_function(txn, {id.name, ""});
  return {.code_signing_config_arn = "", .function_name = id.name};
}

GetRuntimeManagementConfigOutput Lambda::get_runtime_management(
    Call& call, const GetRuntimeManagementConfigInput& in) {
  const auto id = FunctionId::parse(in.function_name, in.qualifier);
  auto txn = store_.begin(call.scope());
  require_function(txn, id);
  return {.update_runtime_on = "Auto",
          .function_arn = function_arn(call.scope(), id.name, id.qualifier)};
}

GetAccountSettingsOutput Lambda::get_account_settings(Call& call, const GetAccountSettingsInput&) {
  auto txn = store_.begin(call.scope());
  AccountUsage usage{.total_code_size = 0, .function_count = 0};
  std::int32_t unreserved = k_concurrency;
  for (const auto& function : txn.list<FunctionRecord>()) {
    *usage.total_code_size += function.code_bytes;
    if (function.version != k_latest) continue;
    ++*usage.function_count;
    unreserved -= function.reserved_concurrency.value_or(0);
  }
  return {
      .account_limit = AccountLimit{.total_code_size = 80'530'636'800,
                                    .code_size_unzipped = 262'144'000,
                                    .code_size_zipped = 52'428'800,
                                    .concurrent_executions = k_concurrency,
                                    .unreserved_concurrent_executions = std::max(0, unreserved)},
      .account_usage = usage};
}

}  // namespace tarn::lambda
