// SPDX-License-Identifier: Apache-2.0
// AWS::CloudFormation::WaitConditionHandle and AWS::CloudFormation::WaitCondition.
#include <algorithm>
#include <limits>

#include "aws/error.hpp"
#include "base/strings.hpp"
#include "services/cloudformation/custom_resource.hpp"
#include "services/cloudformation/references.hpp"
#include "services/cloudformation/wait_condition.hpp"

namespace tarn::cloudformation {
namespace {

using platform::ResourceProgress;
using platform::ResourceRequest;
using Status = platform::ResourceProgress::Status;

constexpr std::chrono::milliseconds k_poll{200};
constexpr std::int64_t k_timeout_s_max = 43'200;
constexpr std::size_t k_name_length_max = 255;

// Empty where the text is no handle's URL. The host may have changed since: the port may.
std::string token_of(std::string_view url) {
  const auto at = url.find(k_signal_path);
  if (at == std::string_view::npos) return {};
  return std::string(url.substr(at + std::string_view(k_signal_path).size()));
}

class WaitConditionHandle : public platform::ResourceType {
 public:
  explicit WaitConditionHandle(platform::Environment& environment) : environment_(environment) {}
  std::string_view name() const override { return "AWS::CloudFormation::WaitConditionHandle"; }
  std::set<std::string> properties() const override { return {}; }
  std::string choose_physical_id(const ResourceRequest&, Random& random) const override {
    return environment_.endpoint + k_signal_path + random.uuid();
  }

  Task<ResourceProgress> create(ResourceRequest request) const override {
    environment_.store.transact({}, [&](kernel::Txn& txn) {
      txn.put(WaitHandleRecord{token_of(request.physical_id), environment_.clock.now()});
    });
    co_return done(request);
  }
  // Without properties there is nothing that could change.
  Task<ResourceProgress> update(ResourceRequest request) const override { co_return done(request); }
  Task<ResourceProgress> remove(ResourceRequest request) const override {
    const std::string token = token_of(request.physical_id);
    environment_.store.transact({}, [&](kernel::Txn& txn) {
      txn.erase<WaitHandleRecord>(token);
      for (const auto& signal : txn.list<WaitSignalRecord>(kernel::Key(token))) {
        txn.erase<WaitSignalRecord>(token, signal.unique_id);
      }
    });
    co_return done(request);
  }

 private:
  static ResourceProgress done(const ResourceRequest& request) {
    ResourceProgress progress{.physical_id = request.physical_id};
    progress.attributes["Id"] = request.physical_id;
    return progress;
  }

  platform::Environment& environment_;
};

class WaitCondition : public platform::ResourceType {
 public:
  explicit WaitCondition(platform::Environment& environment) : environment_(environment) {}
  std::string_view name() const override { return "AWS::CloudFormation::WaitCondition"; }
  std::set<std::string> properties() const override { return {"Handle", "Timeout", "Count"}; }
  // AWS's schema requires none, because a CreationPolicy may stand for them. Tarn has none.
  std::set<std::string> required_properties() const override { return {"Handle", "Timeout"}; }
  std::string choose_physical_id(const ResourceRequest& request, Random& random) const override {
    return platform::generated_name(request, random, k_name_length_max);
  }

  // `state` is when the waiting began.
  Task<ResourceProgress> create(ResourceRequest request) const override {
    const auto wait = Wait::of(request.properties);
    const auto now = environment_.clock.now();
    if (request.state.empty()) {
      environment_.store.transact({}, [&](kernel::Txn& txn) {
        txn.put(WaitConditionRecord{request.physical_id, dump_json(request.properties)});
      });
      request.state = std::to_string(to_millis(now));
    }
    auto seen = look(wait);
    ResourceProgress progress{.physical_id = request.physical_id};
    const auto began = from_millis(parse_int(request.state).value_or(0));
    if (!seen.failure.empty()) {
      progress.status = Status::failed;
      progress.message = std::move(seen.failure);
    } else if (seen.successes >= wait.count) {
      progress.attributes["Data"] = dump_json(seen.data);
    } else if (now > began + wait.timeout) {
      progress.status = Status::failed;
      progress.message =
          fmt::format("WaitCondition timed out. Received {} conditions when expecting {}",
                      seen.successes, wait.count);
    } else {
      progress.status = Status::pending;
      progress.state = request.state;
      progress.retry_after = k_poll;
    }
    co_return progress;
  }

  // AWS updates none. A rollback asks for what it was made with, which it still is.
  Task<ResourceProgress> update(ResourceRequest request) const override {
    auto txn = environment_.store.begin({});
    const auto made = txn.peek<WaitConditionRecord>(request.physical_id);
    ResourceProgress progress{.physical_id = request.physical_id};
    if (made && json_equal(parse_json(made->properties), request.properties)) co_return progress;
    progress.status = Status::failed;
    progress.message = fmt::format("Update to resource type {} is not supported.", name());
    co_return progress;
  }

  Task<ResourceProgress> remove(ResourceRequest request) const override {
    environment_.store.transact(
        {}, [&](kernel::Txn& txn) { txn.erase<WaitConditionRecord>(request.physical_id); });
    co_return ResourceProgress{.physical_id = request.physical_id};
  }

 private:
  struct Wait {
    std::string token;
    std::chrono::seconds timeout{};
    std::int64_t count = 1;

    static std::int64_t number(const Json& properties, const char* name, std::int64_t least,
                               std::int64_t most) {
      const auto text = scalar_text(properties.at(name)).value_or("");
      const auto value = parse_int(text);
      if (value && *value >= least && *value <= most) return *value;
      throw aws::ApiError("ValidationError",
                          fmt::format("Value '{}' of property {} must be a number from {} to {}",
                                      text, name, least, most));
    }
    static Wait of(const Json& properties) {
      Wait wait;
      wait.token = token_of(string_or(properties, "Handle"));
      wait.timeout = Seconds(number(properties, "Timeout", 0, k_timeout_s_max));
      if (find_member(properties, "Count")) {
        wait.count = number(properties, "Count", 1, std::numeric_limits<std::int32_t>::max());
      }
      return wait;
    }
  };

  struct Seen {
    std::int64_t successes = 0;
    std::string failure;  // in AWS's words; empty: none
    JsonObject data;
  };

  // In the order in which they came: a failure after the last signal that was needed is too late.
  Seen look(const Wait& wait) const {
    auto txn = environment_.store.begin({});
    if (!txn.peek<WaitHandleRecord>(wait.token)) {
      throw aws::ApiError("ValidationError", "Handle is not the URL of a wait condition handle");
    }
    auto signals = txn.list<WaitSignalRecord>(kernel::Key(wait.token));
    std::ranges::stable_sort(signals, {}, &WaitSignalRecord::received);
    Seen seen;
    for (const auto& signal : signals) {
      if (signal.status == "SUCCESS") {
        ++seen.successes;
        seen.data[signal.unique_id] = signal.data;
      } else if (seen.successes < wait.count) {
        seen.failure = fmt::format("WaitCondition received failed message: '{}' for uniqueId: {}",
                                   signal.reason, signal.unique_id);
        break;
      }
    }
    return seen;
  }

  platform::Environment& environment_;
};

aws::HttpResponse keep_signal(platform::Environment& environment, const std::string& token,
                              const std::string& body) {
  const Json given = parse_json(body);
  WaitSignalRecord signal{.token = token};
  signal.unique_id = string_or(given, "UniqueId");
  signal.status = string_or(given, "Status");
  signal.reason = string_or(given, "Reason");
  if (const Json* data = find_member(given, "Data")) {
    signal.data = scalar_text(*data).value_or(dump_json(*data));
  }
  signal.received = environment.clock.now();
  if (signal.unique_id.empty()) return plain_response(400, "UniqueId is missing\n");
  if (signal.status != "SUCCESS" && signal.status != "FAILURE") {
    return plain_response(400, "Status must be SUCCESS or FAILURE\n");
  }
  bool known = false;
  environment.store.transact({}, [&](kernel::Txn& txn) {
    known = txn.find_for_update<WaitHandleRecord>(token).has_value();
    // The first signal of an id counts.
    if (!known || txn.find_for_update<WaitSignalRecord>(token, signal.unique_id)) return;
    txn.put(signal);
  });
  return known ? plain_response(200, "") : plain_response(404, "no such wait condition handle\n");
}

}  // namespace

void add_wait_types(platform::ResourceTypes& types, platform::Environment& environment) {
  types.add(std::make_unique<WaitConditionHandle>(environment));
  types.add(std::make_unique<WaitCondition>(environment));
}

void mount_wait_signals(platform::Environment& environment) {
  mount_answers(environment, k_signal_path, &keep_signal);
}

}  // namespace tarn::cloudformation
