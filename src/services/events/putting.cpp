// SPDX-License-Identifier: Apache-2.0
// Events in: from callers, and from rules whose time has come.
#include <algorithm>

#include <fmt/format.h>

#include "aws/digest.hpp"
#include "aws/events/errors.hpp"
#include "base/log.hpp"
#include "platform/event_pattern.hpp"
#include "services/events/service.hpp"

namespace tarn::events {
namespace {

constexpr std::size_t k_event_bytes_max = 256 * 1024;

Json make_event(const std::string& id, const std::string& source, const std::string& detail_type,
                const kernel::Scope& scope, Timestamp time, JsonArray resources, Json detail) {
  return JsonObject{{"version", "0"},
                    {"id", id},
                    {"detail-type", detail_type},
                    {"source", source},
                    {"account", scope.account},
                    {"time", iso8601(time, Precision::seconds)},
                    {"region", scope.region},
                    {"resources", std::move(resources)},
                    {"detail", std::move(detail)}};
}

// What is wrong with an entry, as the answer says it.
struct Refusal {
  std::string code, message;
};

std::optional<Refusal> check_entry(const PutEventsRequestEntry& entry) {
  const auto missing = [](const char* name) {
    return Refusal{"InvalidArgument", fmt::format("Parameter {0} is not valid. Reason: {0} is a "
                                                  "required argument.",
                                                  name)};
  };
  if (!entry.source || entry.source->empty()) return missing("Source");
  if (!entry.detail_type || entry.detail_type->empty()) return missing("DetailType");
  if (!entry.detail || entry.detail->empty()) return missing("Detail");
  return std::nullopt;
}

}  // namespace

void emit_deliveries(kernel::Txn& txn, const RuleRecord& rule, const Json& event, Timestamp now,
                     int hops) {
  for (const auto& target : rule.targets) {
    PendingDelivery pending;
    pending.account = txn.scope().account;
    pending.region = txn.scope().region;
    pending.bus = rule.bus;
    pending.rule = rule.name;
    pending.rule_arn = rule_arn(txn.scope(), rule.bus, rule.name);
    pending.target = target.json;
    pending.event = dump_json(event);
    pending.ingested = now;
    pending.hops = hops;
    txn.emit({Deliveries::k_topic, {}, kernel::encode_record(pending)});
  }
}

void route_event(kernel::Txn& txn, const std::string& bus, const Json& event, Timestamp now,
                 int hops) {
  txn.scan<RuleRecord>(kernel::Key(bus), {}, [&](RuleRecord& rule, const std::string&) {
    if (!rule.enabled() || rule.pattern.empty() || rule.targets.empty()) return true;
    // It was checked when the rule was put.
    if (platform::EventPattern::parse(rule.pattern).matches(event)) {
      emit_deliveries(txn, rule, event, now, hops);
    }
    return true;
  });
}

PutEventsOutput Events::put_events(Call& call, const PutEventsInput& in) {
  if (in.entries.size() > 10) {
    throw aws::validation_error(
        "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must "
        "have length less than or equal to 10");
  }
  Txn txn = store_.begin(call.scope());
  PutEventsOutput out;
  out.failed_entry_count = 0;
  auto& results = out.entries.emplace();
  const Timestamp now = call.now();
  const bool is_service = call.identity().kind == platform::Identity::Kind::service;
  std::size_t bytes = 0;
  for (const auto& entry : in.entries) {
    bytes += entry.source.value_or("").size() + entry.detail_type.value_or("").size() +
             entry.detail.value_or("").size() + (entry.time ? 14 : 0);
    for (const auto& resource : entry.resources.value_or(std::vector<std::string>{})) {
      bytes += resource.size();
    }
  }
  if (bytes > k_event_bytes_max) {
    throw aws::validation_error("Total size of the entries in the request is over the limit.");
  }
  for (const auto& entry : in.entries) {
    auto refusal = check_entry(entry);
    Json detail;
    if (!refusal) {
      try {
        detail = parse_json(*entry.detail);
        if (!detail.is_object()) refusal = Refusal{"MalformedDetail", "Detail is malformed."};
      } catch (const JsonError&) {
        refusal = Refusal{"MalformedDetail", "Detail is malformed."};
      }
    }
    if (!refusal && entry.source->starts_with("aws.") && !is_service) {
      refusal = Refusal{"NotAuthorizedForSourceException",
                        fmt::format("Not authorized for the source {}.", *entry.source)};
    }
    if (refusal) {
      ++*out.failed_entry_count;
      results.push_back({.error_code = refusal->code, .error_message = refusal->message});
      continue;
    }
    const std::string id = environment_.random.uuid();
    results.push_back({.event_id = id});
    const std::string bus = bus_name_of(entry.event_bus_name);
    // AWS takes events for a bus that does not exist, and drops them.
    if (bus != k_default_bus && !txn.find<BusRecord>(bus)) continue;
    JsonArray resources;
    for (const auto& resource : entry.resources.value_or(std::vector<std::string>{})) {
      resources.emplace_back(resource);
    }
    const Json event =
        make_event(id, *entry.source, *entry.detail_type, call.scope(), entry.time.value_or(now),
                   std::move(resources), std::move(detail));
    route_event(txn, bus, event, now, 0);
  }
  txn.commit();
  return out;
}

// The kernel tells once per occurrence; its time is the ordering key.
Task<void> Events::fire_scheduled(kernel::Delivery delivery) {
  const auto due = kernel::decode_record<ScheduledRule>(delivery.payload);
  const kernel::Scope scope{due.account, due.region};
  store_.transact(scope, [&](Txn& txn) {
    const auto rule = txn.find<RuleRecord>(due.bus, due.rule);
    if (!rule || !rule->enabled() || rule->schedule.empty()) return;
    const Timestamp time = parse_iso8601(delivery.ordering_key).value_or(delivery.emitted);
    // An id in the form of a UUID, the same for every repetition.
    std::string id = aws::sha256_hex("scheduled" + delivery.event_id).substr(0, 32);
    for (const std::size_t at : {20U, 16U, 12U, 8U}) id.insert(at, 1, '-');
    const Json event =
        make_event(id, "aws.events", "Scheduled Event", scope, time,
                   JsonArray{Json(rule_arn(scope, due.bus, due.rule))}, JsonObject());
    emit_deliveries(txn, *rule, event, store_.clock().now(), 0);
  });
  co_return;
}

}  // namespace tarn::events
