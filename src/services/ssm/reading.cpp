// SPDX-License-Identifier: Apache-2.0
// What reads parameters: by name, by path, with their history and descriptions.
#include <algorithm>

#include "aws/ssm/errors.hpp"
#include "base/strings.hpp"
#include "services/ssm/parameter_filter.hpp"
#include "services/ssm/service.hpp"

namespace tarn::ssm {
namespace {

constexpr std::size_t k_path_page = 10;
constexpr std::size_t k_describe_page = 50;
constexpr std::size_t k_history_page = 50;

template <class Shapes>
std::vector<ParameterFilter> read_filters(const std::optional<Shapes>& shapes) {
  std::vector<ParameterFilter> filters;
  if (!shapes) return filters;
  for (const auto& shape : *shapes) {
    ParameterFilter& filter = filters.emplace_back();
    filter.key = shape.key;
    filter.option = shape.option.value_or("");
    if (shape.values) filter.values = *shape.values;
  }
  return filters;
}

// The older form, which knows no options: names begin with a value, the others equal it.
std::vector<ParameterFilter> read_old_filters(const std::vector<ParametersFilter>& shapes) {
  std::vector<ParameterFilter> filters;
  for (const auto& shape : shapes) {
    filters.push_back({shape.key, shape.key == "Name" ? "BeginsWith" : "Equals", shape.values});
  }
  return filters;
}

std::optional<std::string> if_any(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

ParameterMetadata described(platform::Call& call, const ParameterRecord& record) {
  const auto& current = record.current;
  ParameterMetadata out;
  out.name = record.name;
  out.arn = parameter_arn(call.region(), call.account(), record.name);
  out.type = current.type;
  out.key_id = if_any(current.key_id);
  out.last_modified_date = current.modified;
  out.last_modified_user = current.modified_by;
  out.description = if_any(current.description);
  out.allowed_pattern = if_any(current.allowed_pattern);
  out.version = current.number;
  out.tier = current.tier;
  out.policies.emplace();
  out.data_type = current.data_type;
  return out;
}

}  // namespace

void Ssm::reading_operations(platform::OpTable& t) {
  const auto arn_of = [](Call& call, const std::string& name) {
    return parameter_arn(call.region(), call.account(), ParameterReference::parse(name).name);
  };
  const auto arn = [arn_of](Call& call, const auto& in) { return arn_of(call, in.name); };
  t.op<GetParameter>(&Ssm::get_parameter).on(arn);
  t.op<GetParameters>(&Ssm::get_parameters).on([arn_of](Call& call, const auto& in) {
    std::vector<std::string> list;
    for (const auto& name : in.names) list.push_back(arn_of(call, name));
    return list;
  });
  t.op<GetParametersByPath>(&Ssm::get_parameters_by_path).on([](Call& call, const auto& in) {
    return parameter_arn(call.region(), call.account(), in.path);
  });
  t.op<DescribeParameters>(&Ssm::describe_parameters);
  t.op<GetParameterHistory>(&Ssm::get_parameter_history).on(arn);
}

std::string Ssm::shown_value(const kernel::Scope& scope, const std::string& name,
                             const VersionData& version, bool decrypted) {
  if (version.type != "SecureString") return version.value;
  if (!decrypted) return to_base64(version.value);
  return environment_.secrets.open(version.value, seal_context(scope, name, version.number));
}

Parameter Ssm::shown(Call& call, const std::string& name, const VersionData& version,
                     bool decrypted) {
  Parameter out;
  out.name = name;
  out.type = version.type;
  out.value = shown_value(call.scope(), name, version, decrypted);
  out.version = version.number;
  out.last_modified_date = version.modified;
  out.arn = parameter_arn(call.region(), call.account(), name);
  out.data_type = version.data_type;
  return out;
}

GetParameterOutput Ssm::get_parameter(Call& call, const GetParameterInput& in) {
  const auto reference = ParameterReference::parse(in.name);
  auto txn = store_.begin(call.scope());
  const auto record = require_parameter(txn, reference);
  std::int64_t number = reference.version.value_or(record.current.number);
  if (!reference.label.empty()) {
    const auto labelled = record.labels.find(reference.label);
    if (labelled == record.labels.end()) throw_no_version(record.name, reference.label);
    number = labelled->second;
  }
  const auto version = find_version(txn, record, number);
  if (!version) throw_no_version(record.name, std::to_string(number));
  GetParameterOutput out;
  out.parameter = shown(call, record.name, *version, in.with_decryption.value_or(false));
  if (!reference.selector.empty()) out.parameter->selector = reference.selector;
  return out;
}

GetParametersOutput Ssm::get_parameters(Call& call, const GetParametersInput& in) {
  GetParametersOutput out;
  out.parameters.emplace();
  out.invalid_parameters.emplace();
  std::vector<std::string> names = in.names;
  std::ranges::sort(names);
  if (std::ranges::adjacent_find(names) != names.end()) {
    throw aws::validation_error("Duplicate parameter names are not allowed.");
  }
  for (const auto& name : names) {
    GetParameterInput one;
    one.name = name;
    one.with_decryption = in.with_decryption;
    try {
      out.parameters->push_back(*get_parameter(call, one).parameter);
    } catch (const ParameterNotFound&) {
      out.invalid_parameters->push_back(name);
    } catch (const ParameterVersionNotFound&) {
      out.invalid_parameters->push_back(name);
    }
  }
  return out;
}

GetParametersByPathOutput Ssm::get_parameters_by_path(Call& call,
                                                      const GetParametersByPathInput& in) {
  check_path(in.path);
  const auto filters = check_filters(read_filters(in.parameter_filters), FilterPlace::by_path);
  const bool recursive = in.recursive.value_or(false);
  const bool decrypted = in.with_decryption.value_or(false);
  const auto max =
      static_cast<std::size_t>(in.max_results.value_or(static_cast<std::int32_t>(k_path_page)));
  const std::string after = read_token(in.next_token);
  kernel::ScanOptions options;
  if (!after.empty()) options.after = kernel::Key(after).bytes();
  kernel::Key prefix;
  // At the root stand names with and without a slash in front.
  if (in.path != "/") prefix.add_open_prefix(in.path);
  GetParametersByPathOutput out;
  out.parameters.emplace();
  auto txn = store_.begin(call.scope());
  txn.scan<ParameterRecord>(prefix, options, [&](ParameterRecord& record, const std::string&) {
    if (!is_below(record.name, in.path, recursive) || !matches(record, filters)) return true;
    const auto number = labelled_version(record, filters);
    const auto version = number > 0 ? find_version(txn, record, number) : std::nullopt;
    if (!version) return true;
    if (out.parameters->size() == max) {
      out.next_token = to_base64(*out.parameters->back().name);
      return false;
    }
    out.parameters->push_back(shown(call, record.name, *version, decrypted));
    return true;
  });
  return out;
}

DescribeParametersOutput Ssm::describe_parameters(Call& call, const DescribeParametersInput& in) {
  if (in.filters && !in.filters->empty() && in.parameter_filters &&
      !in.parameter_filters->empty()) {
    throw aws::validation_error(
        "You can use either Filters or ParameterFilters in a single request.");
  }
  DescribeParametersOutput out;
  out.parameters.emplace();
  // Parameters that other accounts share: there is no sharing.
  if (in.shared.value_or(false)) return out;
  auto filters = read_filters(in.parameter_filters);
  if (in.filters && !in.filters->empty()) filters = read_old_filters(*in.filters);
  filters = check_filters(std::move(filters), FilterPlace::describe);
  const auto max =
      static_cast<std::size_t>(in.max_results.value_or(static_cast<std::int32_t>(k_describe_page)));
  const std::string after = read_token(in.next_token);
  kernel::ScanOptions options;
  if (!after.empty()) options.after = kernel::Key(after).bytes();
  auto txn = store_.begin(call.scope());
  txn.scan<ParameterRecord>({}, options, [&](ParameterRecord& record, const std::string&) {
    if (!matches(record, filters)) return true;
    if (out.parameters->size() == max) {
      out.next_token = to_base64(*out.parameters->back().name);
      return false;
    }
    out.parameters->push_back(described(call, record));
    return true;
  });
  return out;
}

GetParameterHistoryOutput Ssm::get_parameter_history(Call& call,
                                                     const GetParameterHistoryInput& in) {
  const auto reference = ParameterReference::parse(in.name);
  const auto max =
      static_cast<std::size_t>(in.max_results.value_or(static_cast<std::int32_t>(k_history_page)));
  const auto after = parse_int(read_token(in.next_token)).value_or(0);
  auto txn = store_.begin(call.scope());
  const auto record = require_parameter(txn, reference);
  GetParameterHistoryOutput out;
  out.parameters.emplace();
  std::vector<VersionData> versions;
  for (auto& former : txn.list<FormerVersionRecord>(kernel::Key(record.name))) {
    versions.push_back(std::move(former.version));
  }
  versions.push_back(record.current);
  for (const auto& version : versions) {
    if (version.number <= after) continue;
    if (out.parameters->size() == max) {
      out.next_token = to_base64(std::to_string(*out.parameters->back().version));
      break;
    }
    ParameterHistory& shown = out.parameters->emplace_back();
    shown.name = record.name;
    shown.type = version.type;
    shown.key_id = if_any(version.key_id);
    shown.last_modified_date = version.modified;
    shown.last_modified_user = version.modified_by;
    shown.description = if_any(version.description);
    shown.value =
        shown_value(call.scope(), record.name, version, in.with_decryption.value_or(false));
    shown.allowed_pattern = if_any(version.allowed_pattern);
    shown.version = version.number;
    shown.labels.emplace();
    for (const auto& [label, number] : record.labels) {
      if (number == version.number) shown.labels->push_back(label);
    }
    shown.tier = version.tier;
    shown.policies.emplace();
    shown.data_type = version.data_type;
  }
  return out;
}

}  // namespace tarn::ssm
