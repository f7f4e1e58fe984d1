// SPDX-License-Identifier: Apache-2.0
// What changes parameters: put, delete, label.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>

#include "aws/ssm/errors.hpp"
#include "base/strings.hpp"
#include "services/ssm/service.hpp"

namespace tarn::ssm {
namespace {

constexpr std::size_t k_standard_value_max = 4096;
constexpr std::size_t k_advanced_value_max = 8192;
constexpr std::size_t k_labels_max = 10;  // of one version
constexpr std::size_t k_tags_max = 50;
constexpr const char* k_default_key = "alias/aws/ssm";

// RE2 has no look-around; a pattern that needs it is refused, not passed over.
void check_pattern(const std::string& pattern, const std::string& value) {
  if (pattern.empty()) return;
  const re2::RE2 expression(pattern, re2::RE2::Quiet);
  if (!expression.ok()) {
    throw InvalidAllowedPatternException(
        fmt::format("The allowed pattern {} is not valid: {}", pattern, expression.error()));
  }
  if (!re2::RE2::PartialMatch(value, expression)) {
    throw ParameterPatternMismatchException(
        fmt::format("Parameter value, cannot be validated against allowedPattern: {}", pattern));
  }
}

// Intelligent-Tiering takes the cheaper tier that will do.
std::string choose_tier(const PutParameterInput& in, const std::optional<ParameterRecord>& before) {
  const std::string former = before ? before->current.tier : "Standard";
  std::string tier = in.tier.value_or(former);
  if (tier == "Intelligent-Tiering") {
    const bool large = in.value.size() > k_standard_value_max;
    tier = large || former == "Advanced" ? "Advanced" : "Standard";
  }
  if (tier == "Standard" && former == "Advanced") {
    throw aws::validation_error(
        "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the "
        "advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the "
        "advanced parameter and recreate it as a standard parameter. Be aware that standard "
        "parameters have a value limit of 4096 characters.");
  }
  if (tier == "Standard" && in.value.size() > k_standard_value_max) {
    throw aws::validation_error(
        "Standard tier parameters support a maximum parameter value of 4096 characters. To create "
        "a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For "
        "more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/"
        "parameter-store-advanced-parameters.html");
  }
  if (in.value.size() > k_advanced_value_max) {
    throw aws::validation_error(
        "Advanced tier parameters support a maximum parameter value of 8192 characters.");
  }
  return tier;
}

void check_put(const PutParameterInput& in) {
  check_new_name(in.name);
  if (in.value.empty()) {
    throw aws::validation_error(
        "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member "
        "must have length greater than or equal to 1.");
  }
  if (in.overwrite.value_or(false) && in.tags && !in.tags->empty()) {
    throw aws::validation_error(
        "Invalid request: tags and overwrite can't be used together. To create a parameter with "
        "tags, please remove overwrite flag. To update tags for an existing parameter, please use "
        "AddTagsToResource or RemoveTagsFromResource.");
  }
  if (in.policies) throw aws::not_implemented("ssm", "PutParameter with Policies");
  const std::string data_type = in.data_type.value_or("text");
  if (data_type == "aws:ec2:image" || data_type == "aws:ssm:integration") {
    throw aws::not_implemented("ssm", "PutParameter with DataType " + data_type);
  }
  if (data_type != "text") {
    throw aws::validation_error(fmt::format(
        "The following data type is not supported: {} (Data type names are all lowercase.)",
        data_type));
  }
}

}  // namespace

void Ssm::writing_operations(platform::OpTable& t) {
  const auto arn = [](Call& call, const auto& in) {
    return parameter_arn(call.region(), call.account(), in.name);
  };
  const auto arns = [](Call& call, const auto& in) {
    std::vector<std::string> list;
    for (const auto& name : in.names) {
      list.push_back(parameter_arn(call.region(), call.account(), name));
    }
    return list;
  };
  t.op<PutParameter>(&Ssm::put_parameter)
      .on(arn)
      .partial("KeyId is recorded: values are sealed under Tarn's own key; no Policies");
  t.op<DeleteParameter>(&Ssm::delete_parameter).on(arn);
  t.op<DeleteParameters>(&Ssm::delete_parameters).on(arns);
  t.op<LabelParameterVersion>(&Ssm::label_version).on(arn);
  t.op<UnlabelParameterVersion>(&Ssm::unlabel_version).on(arn);
}

VersionData Ssm::next_version(Call& call, const PutParameterInput& in,
                              const std::optional<ParameterRecord>& before) {
  VersionData next;
  if (before) {
    next.number = before->current.number + 1;
    next.type = before->current.type;
    next.description = before->current.description;
    next.allowed_pattern = before->current.allowed_pattern;
    next.key_id = before->current.key_id;
  } else if (!in.type) {
    throw aws::validation_error("A parameter type is required when you create a parameter.");
  }
  if (in.type) next.type = *in.type;
  if (in.description) next.description = *in.description;
  if (in.allowed_pattern) next.allowed_pattern = *in.allowed_pattern;
  next.tier = choose_tier(in, before);
  next.modified = call.now();
  next.modified_by = call.identity().arn;
  check_pattern(next.allowed_pattern, in.value);
  if (next.type != "SecureString") {
    if (in.key_id) {
      throw aws::validation_error("KeyId is only valid for parameters of type SecureString.");
    }
    next.key_id.clear();
    next.value = in.value;
    return next;
  }
  if (in.key_id) next.key_id = *in.key_id;
  if (next.key_id.empty()) next.key_id = k_default_key;
  next.value =
      environment_.secrets.seal(in.value, seal_context(call.scope(), in.name, next.number));
  return next;
}

// Makes room: the current version becomes a former one, the oldest goes.
void Ssm::supersede(kernel::Txn& txn, ParameterRecord& record) {
  txn.put(FormerVersionRecord{record.name, record.current});
  const std::int64_t oldest = record.current.number + 1 - static_cast<std::int64_t>(k_versions_max);
  if (oldest < 1) return;
  for (const auto& [label, version] : record.labels) {
    if (version != oldest) continue;
    throw ParameterMaxVersionLimitExceeded(fmt::format(
        "You attempted to create a new version of {} by calling the PutParameter API with the "
        "overwrite flag. Version {}, the oldest version, can't be deleted because it has a label "
        "associated with it. Move the label to another version of the parameter, and try again.",
        record.name, oldest));
  }
  txn.erase<FormerVersionRecord>(record.name, oldest);
}

PutParameterOutput Ssm::put_parameter(Call& call, const PutParameterInput& in) {
  check_put(in);
  auto txn = store_.begin(call.scope());
  const auto before = txn.find_for_update<ParameterRecord>(in.name);
  if (before && !in.overwrite.value_or(false)) {
    throw ParameterAlreadyExists(
        "The parameter already exists. To overwrite this value, set the overwrite option in the "
        "request to true.");
  }
  ParameterRecord record = before.value_or(ParameterRecord{});
  record.name = in.name;
  VersionData next = next_version(call, in, before);
  if (before) supersede(txn, record);
  record.current = std::move(next);
  if (in.tags) {
    for (const auto& tag : *in.tags) record.tags[tag.key] = tag.value;
    if (record.tags.size() > k_tags_max) {
      throw TooManyTagsError("The Targets parameter includes too many tags.");
    }
  }
  txn.put(record);
  txn.commit();
  return {.version = record.current.number, .tier = record.current.tier};
}

namespace {

bool erase_parameter(kernel::Txn& txn, const std::string& name) {
  if (!txn.find_for_update<ParameterRecord>(name)) return false;
  for (const auto& former : txn.list<FormerVersionRecord>(kernel::Key(name))) {
    txn.erase<FormerVersionRecord>(name, former.version.number);
  }
  txn.erase<ParameterRecord>(name);
  return true;
}

}  // namespace

DeleteParameterOutput Ssm::delete_parameter(Call& call, const DeleteParameterInput& in) {
  auto txn = store_.begin(call.scope());
  if (!erase_parameter(txn, in.name)) throw ParameterNotFound();
  txn.commit();
  return {};
}

DeleteParametersOutput Ssm::delete_parameters(Call& call, const DeleteParametersInput& in) {
  DeleteParametersOutput out;
  out.deleted_parameters.emplace();
  out.invalid_parameters.emplace();
  auto txn = store_.begin(call.scope());
  std::vector<std::string> names = in.names;
  std::ranges::sort(names);  // one order of locks for everybody
  for (const auto& name : names) {
    (erase_parameter(txn, name) ? out.deleted_parameters : out.invalid_parameters)->push_back(name);
  }
  txn.commit();
  return out;
}

LabelParameterVersionOutput Ssm::label_version(Call& call, const LabelParameterVersionInput& in) {
  auto txn = store_.begin(call.scope());
  auto record = require_parameter_for_update(txn, in.name);
  const std::int64_t number = in.parameter_version.value_or(record.current.number);
  if (!find_version(txn, record, number)) throw_no_version(in.name, std::to_string(number));
  LabelParameterVersionOutput out;
  out.parameter_version = number;
  out.invalid_labels.emplace();
  for (const auto& label : in.labels) {
    if (is_valid_label(label)) {
      record.labels[label] = number;  // taken from the version that had it
    } else {
      out.invalid_labels->push_back(label);
    }
  }
  const auto count = std::ranges::count_if(
      record.labels, [&](const auto& entry) { return entry.second == number; });
  if (static_cast<std::size_t>(count) > k_labels_max) {
    throw ParameterVersionLabelLimitExceeded(
        "A parameter version can have maximum 10 labels.Move one or more labels to another "
        "version and try again.");
  }
  txn.put(record);
  txn.commit();
  return out;
}

UnlabelParameterVersionOutput Ssm::unlabel_version(Call& call,
                                                   const UnlabelParameterVersionInput& in) {
  auto txn = store_.begin(call.scope());
  auto record = require_parameter_for_update(txn, in.name);
  if (!find_version(txn, record, in.parameter_version)) {
    throw_no_version(in.name, std::to_string(in.parameter_version));
  }
  UnlabelParameterVersionOutput out;
  out.removed_labels.emplace();
  out.invalid_labels.emplace();
  for (const auto& label : in.labels) {
    const auto found = record.labels.find(label);
    if (found != record.labels.end() && found->second == in.parameter_version) {
      record.labels.erase(found);
      out.removed_labels->push_back(label);
    } else {
      out.invalid_labels->push_back(label);
    }
  }
  txn.put(record);
  txn.commit();
  return out;
}

}  // namespace tarn::ssm
