// SPDX-License-Identifier: Apache-2.0
#include "services/sqs/queue.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "aws/arn.hpp"
#include "aws/digest.hpp"
#include "aws/sqs/errors.hpp"
#include "base/json.hpp"
#include "base/strings.hpp"

namespace tarn::sqs {
namespace {

struct Rule {
  std::string_view fallback;  // empty: exists only when set
  std::int64_t low = 0, high = -1;
  bool flag = false;
  bool fifo_only = false;
};

const std::map<std::string, Rule, std::less<>>& rules() {
  static const std::map<std::string, Rule, std::less<>> k_rules = {
      {"DelaySeconds", {"0", 0, 900}},
      {"MaximumMessageSize", {"1048576", 1024, 1048576}},
      {"MessageRetentionPeriod", {"345600", 60, 1209600}},
      {"ReceiveMessageWaitTimeSeconds", {"0", 0, 20}},
      {"VisibilityTimeout", {"30", 0, 43200}},
      {"SqsManagedSseEnabled", {"true", 0, -1, true}},
      {"KmsDataKeyReusePeriodSeconds", {"", 60, 86400}},
      {"KmsMasterKeyId", {}},
      {"Policy", {}},
      {"RedrivePolicy", {}},
      {"RedriveAllowPolicy", {}},
      {"FifoQueue", {"true", 0, -1, true, true}},
      {"ContentBasedDeduplication", {"false", 0, -1, true, true}},
      {"DeduplicationScope", {"queue", 0, -1, false, true}},
      {"FifoThroughputLimit", {"perQueue", 0, -1, false, true}},
  };
  return k_rules;
}

aws::ApiError invalid_value(std::string_view name) {
  return aws::ApiError("InvalidAttributeValue",
                       fmt::format("Invalid value for the parameter {}.", name));
}

void check_json(const std::string& name, const std::string& value) {
  if (value.empty()) return;
  try {
    if (!parse_json(value).is_object()) throw invalid_value(name);
  } catch (const JsonError&) {
    throw invalid_value(name);
  }
}

// byQueue names one to ten queues, the others none.
void check_redrive_allow_policy(const std::string& text) {
  if (text.empty()) return;
  const Json policy = parse_json(text);
  const std::string permission = string_or(policy, "redrivePermission");
  const Json* sources = find_member(policy, "sourceQueueArns");
  const bool by_queue = permission == "byQueue";
  const bool known = by_queue || permission == "allowAll" || permission == "denyAll";
  const std::size_t count = sources && sources->is_array() ? sources->get_array().size() : 0;
  if (!known || by_queue != (sources != nullptr) || (by_queue && (count < 1 || count > 10))) {
    throw invalid_value("RedriveAllowPolicy");
  }
}

void append_length(std::string& out, std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(size >> shift & 255));
  out += text;
}

}  // namespace

void check_name(const std::string& name, bool fifo) {
  const std::string_view stem =
      fifo && name.ends_with(".fifo") ? std::string_view(name).substr(0, name.size() - 5) : name;
  const bool plain = std::all_of(stem.begin(), stem.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_';
  });
  if (!stem.empty() && name.size() <= 80 && plain && fifo == name.ends_with(".fifo")) return;
  throw aws::ApiError(
      "InvalidParameterValue",
      fifo
          ? "The name of a FIFO queue can only include alphanumeric characters, hyphens, or "
            "underscores, must end with .fifo suffix and be 1 to 80 in length."
          : "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length");
}

std::optional<QueueAddress> QueueAddress::parse_url(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  const auto parts = split(url, '/');
  if (parts.size() < 2 || parts.back().empty()) return std::nullopt;
  return QueueAddress{parts[parts.size() - 2], parts.back()};
}

std::string queue_arn(const kernel::Scope& scope, const std::string& name) {
  return aws::make_arn("sqs", scope.region, scope.account, name);
}

void check_attributes(const AttributeMap& attributes, bool fifo) {
  for (const auto& [name, value] : attributes) {
    const auto found = rules().find(name);
    if (found == rules().end() || (found->second.fifo_only && !fifo)) {
      throw InvalidAttributeName(fmt::format("Unknown Attribute {}.", name));
    }
    const Rule& rule = found->second;
    if (rule.flag) {
      if (value != "true" && value != "false") throw invalid_value(name);
      if (name == "FifoQueue" && value != "true") throw invalid_value(name);
    } else if (rule.high >= 0) {
      const auto number = parse_int(value);
      if (!number || *number < rule.low || *number > rule.high) throw invalid_value(name);
    } else if (name == "DeduplicationScope") {
      if (value != "queue" && value != "messageGroup") throw invalid_value(name);
    } else if (name == "FifoThroughputLimit") {
      if (value != "perQueue" && value != "perMessageGroupId") throw invalid_value(name);
    } else if (name == "RedrivePolicy") {
      RedrivePolicy::parse(value);
    } else if (name == "Policy" || name == "RedriveAllowPolicy") {
      check_json(name, value);
      if (name == "RedriveAllowPolicy") check_redrive_allow_policy(value);
    }
  }
}

std::string attribute(const QueueRecord& queue, const std::string& name) {
  const auto set = queue.attributes.find(name);
  if (set != queue.attributes.end()) return set->second;
  const auto rule = rules().find(name);
  if (rule == rules().end() || (rule->second.fifo_only && !queue.fifo())) return {};
  return std::string(rule->second.fallback);
}

std::int64_t number_attribute(const QueueRecord& queue, const std::string& name) {
  return parse_int(attribute(queue, name)).value_or(0);
}

bool flag_attribute(const QueueRecord& queue, const std::string& name) {
  return attribute(queue, name) == "true";
}

AttributeMap settings(const QueueRecord& queue) {
  AttributeMap all;
  for (const auto& [name, rule] : rules()) {
    std::string value = attribute(queue, name);
    if (!value.empty()) all.emplace(name, std::move(value));
  }
  // Encryption by SQS itself and by a KMS key exclude each other.
  if (all.contains("KmsMasterKeyId")) all["SqsManagedSseEnabled"] = "false";
  return all;
}

std::optional<std::string> first_difference(const QueueRecord& queue, const AttributeMap& wanted) {
  for (const auto& [name, value] : wanted) {
    if (attribute(queue, name) != value) return name;
  }
  return std::nullopt;
}

std::optional<RedrivePolicy> RedrivePolicy::parse(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto bad = [&](std::string_view reason) {
    return aws::ApiError(
        "InvalidParameterValue",
        fmt::format("Value {} for parameter RedrivePolicy is invalid. Reason: {}", text, reason));
  };
  Json policy;
  try {
    policy = parse_json(text);
  } catch (const JsonError&) {
    throw bad("Redrive policy is not a valid JSON map.");
  }
  if (!policy.is_object()) throw bad("Redrive policy is not a valid JSON map.");
  const Json* count = find_member(policy, "maxReceiveCount");
  const auto arn = find_string(policy, "deadLetterTargetArn");
  if (!arn) {
    throw bad("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.");
  }
  if (!count) throw bad("Redrive policy does not contain mandatory attribute: maxReceiveCount.");
  // Templates write the count as a number or as text.
  const auto receives = count->is_int64()    ? std::optional(count->get_int64())
                        : count->is_string() ? parse_int(json_text(count->get_string()))
                                             : std::nullopt;
  if (!receives || *receives < 1 || *receives > 1000) {
    throw bad("Invalid value for maxReceiveCount: " + dump_json(*count) +
              ", valid values are from 1 to 1000 both inclusive.");
  }
  const auto target = aws::Arn::parse(*arn);
  if (!target || target->service != "sqs") throw bad("Invalid value for deadLetterTargetArn.");
  return RedrivePolicy{*arn, *receives};
}

bool redrive_allowed(const QueueRecord& dead_letters, const std::string& source_arn) {
  const std::string text = attribute(dead_letters, "RedriveAllowPolicy");
  if (text.empty()) return true;
  const Json policy = parse_json(text);
  const std::string permission = string_or(policy, "redrivePermission", "allowAll");
  if (permission == "denyAll") return false;
  if (permission != "byQueue") return true;
  const Json* sources = find_member(policy, "sourceQueueArns");
  if (!sources || !sources->is_array()) return false;
  return std::any_of(sources->get_array().begin(), sources->get_array().end(),
                     [&](const Json& arn) {
                       return arn.is_string() && json_text(arn.get_string()) == source_arn;
                     });
}

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/
// sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation
std::string attributes_md5(const std::map<std::string, StoredAttribute>& attributes) {
  std::string text;
  for (const auto& [name, value] : attributes) {
    append_length(text, name);
    append_length(text, value.type);
    text.push_back(value.type.starts_with("Binary") ? 2 : 1);
    append_length(text, value.value);
  }
  return to_hex(aws::digest(aws::Digest::md5, text));
}

std::size_t message_size(const std::string& body,
                         const std::map<std::string, StoredAttribute>& attributes) {
  std::size_t size = body.size();
  for (const auto& [name, value] : attributes) {
    size += name.size() + value.type.size() + value.value.size();
  }
  return size;
}

bool valid_characters(std::string_view text) {
  if (!is_valid_utf8(text)) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') return false;
    // U+FFFE and U+FFFF are EF BF BE and EF BF BF.
    if (c == 0xef && i + 2 < text.size() && static_cast<unsigned char>(text[i + 1]) == 0xbf &&
        static_cast<unsigned char>(text[i + 2]) >= 0xbe) {
      return false;
    }
  }
  return true;
}

std::string ReceiptHandle::text() const {
  return to_base64(fmt::format("1:{}:{}:{}", uid, number, receives));
}

ReceiptHandle ReceiptHandle::parse(const std::string& text, const std::string& uid) {
  const auto bytes = from_base64(text);
  const auto parts = split(bytes.value_or(""), ':');
  const auto number = parts.size() == 4 ? parse_uint(parts[2]) : std::nullopt;
  const auto receives = parts.size() == 4 ? parse_uint(parts[3]) : std::nullopt;
  if (!number || !receives || parts[0] != "1" || parts[1] != uid) {
    throw ReceiptHandleIsInvalid(
        fmt::format("The input receipt handle \"{}\" is not a valid receipt handle.", text));
  }
  return {parts[1], *number, static_cast<std::uint32_t>(*receives)};
}

std::string sequence_number(std::uint64_t number) { return fmt::format("{:020}", number); }

}  // namespace tarn::sqs
