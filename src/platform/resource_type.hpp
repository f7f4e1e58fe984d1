// SPDX-License-Identifier: Apache-2.0
// Resource types: how CloudFormation and Cloud Control make, change and remove things. Each service
// describes its own (resources.cpp) in terms of public operations only, called as the stack's
// caller or role.
//
// The driver's promise: `physical_id` (where the type can name it beforehand) and `client_token`
// are committed before `create` is called; after a crash `create` is called again with the same
// ones, so it must treat "already exists, with my name/token" as its own earlier success. A long
// create returns `pending` and is asked again with the state that it left.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "platform/call.hpp"

namespace tarn::platform {

struct ResourceRequest {
  CallPtr call;  // acts as the stack's caller or its service role
  std::string logical_id;
  std::string stack_name, stack_id;
  std::string physical_id;   // as chosen beforehand or by an earlier step; may be empty at create
  Json properties;           // resolved; an object
  Json previous_properties;  // on update
  std::string client_token;  // the same for every repetition of this step
  std::string state;         // what `pending` left, empty at first
  std::map<std::string, std::string> tags;  // the stack's, incl. aws:cloudformation:*
};

struct ResourceProgress {
  enum class Status { complete, pending, failed };
  Status status = Status::complete;
  std::string physical_id;
  JsonObject attributes;  // for Fn::GetAtt, by name ("Arn", "Endpoint.Address")
  std::string message;    // why it failed, as AWS words it
  std::string state;      // given back on the next call while pending
  std::chrono::milliseconds retry_after{200};
};

class ResourceType {
 public:
  virtual ~ResourceType() = default;
  virtual std::string_view name() const = 0;  // "AWS::SQS::Queue"
  // The properties that this type acts on; any other is refused at validation, by name.
  virtual std::set<std::string> properties() const = 0;
  // Those whose change replaces the resource (top-level names).
  virtual std::set<std::string> replacing_properties() const { return {}; }
  virtual std::set<std::string> required_properties() const { return {}; }
  // A physical id that can be known beforehand: the name property, or a generated one
  // ("stack-Logical-RANDOM12"). Empty: the service chooses.
  virtual std::string choose_physical_id(const ResourceRequest& request, Random& random) const;
  virtual Task<ResourceProgress> create(ResourceRequest request) const = 0;
  // In place; never called for a change of replacing properties.
  virtual Task<ResourceProgress> update(ResourceRequest request) const = 0;
  // A resource that is gone already is a success.
  virtual Task<ResourceProgress> remove(ResourceRequest request) const = 0;
  // What Ref gives; the physical id for nearly all types.
  virtual std::string ref(const ResourceRequest& request) const { return request.physical_id; }
};

// "stack-Logical-1A2B3C4D5E6F", cut so that it fits `length_max`; lower case where the type needs.
std::string generated_name(const ResourceRequest& request, Random& random, std::size_t length_max,
                           bool lower_case = false);

class ResourceTypes {
 public:
  void add(std::unique_ptr<ResourceType> type);
  const ResourceType* find(std::string_view name) const;
  std::vector<std::string> names() const;

 private:
  std::map<std::string, std::unique_ptr<ResourceType>, std::less<>> types_;
};

}  // namespace tarn::platform
