// SPDX-License-Identifier: Apache-2.0
// The common kind of resource type: one operation makes the thing, some more bring it into the
// wanted state, one removes it.
//
// A type says its facts and writes three short tasks. This class does what they share: the physical
// id (a name property, or a generated name), "already exists" after a crash in the middle of a
// create, and removal of what is gone. Whether an existing thing is this stack's own earlier work
// is decided by `is_ours`; a generated name is always our own.
// Stateless: one object serves all requests. Avoided: knowledge of any service.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "aws/error.hpp"
#include "platform/resource_type.hpp"

namespace tarn::platform {

struct ResourceFacts {
  std::string_view name;  // "AWS::IAM::Role"
  std::set<std::string> properties, replacing, required;
  std::string_view name_property = {};  // empty: no property names it
  std::size_t name_length_max = 0;      // of generated names; 0: the service chooses the id
  bool lower_case = false;
  std::set<std::string, std::less<>> exists = {};  // error codes: there is one already
  std::set<std::string, std::less<>> gone = {};    // error codes: there is none
};

class OperationResource : public ResourceType {
 public:
  explicit OperationResource(ResourceFacts facts) : facts_(std::move(facts)) {}
  std::string_view name() const override { return facts_.name; }
  std::set<std::string> properties() const override { return facts_.properties; }
  std::set<std::string> replacing_properties() const override { return facts_.replacing; }
  std::set<std::string> required_properties() const override { return facts_.required; }
  std::string choose_physical_id(const ResourceRequest& request, Random& random) const override;
  Task<ResourceProgress> create(ResourceRequest request) const override;
  Task<ResourceProgress> update(ResourceRequest request) const override;
  Task<ResourceProgress> remove(ResourceRequest request) const override;

 protected:
  // The three are awaited at once, so the request outlives them.
  // Makes the thing and nothing else. May change the physical id where the service chooses it.
  virtual Task<void> make(ResourceRequest& request) const = 0;
  // Brings it into the state of `properties`, from that of `previous_properties` (empty after
  // `make`); may run again. Gives the attributes.
  virtual Task<JsonObject> settle(ResourceRequest& request) const = 0;
  virtual Task<void> erase(ResourceRequest& request) const = 0;
  // Asked when `make` says that there is one with the name that the template gives.
  virtual Task<bool> is_ours(ResourceRequest& request) const;

  bool is_named(const ResourceRequest& request) const;

 private:
  ResourceFacts facts_;
};

using ResourceTags = std::map<std::string, std::string>;

// The stack's tags under the resource's own (`Tags`, a list of Key and Value or a map).
ResourceTags wanted_tags(const ResourceRequest& request);
// Of the state before an update: keys that are wanted no more.
std::vector<std::string> dropped_tags(const ResourceRequest& request);
// Do a thing's tags say that this resource of this stack made it?
bool are_our_tags(const ResourceTags& tags, const ResourceRequest& request);

template <class Tag>
std::vector<Tag> tag_shapes(const ResourceTags& tags) {
  std::vector<Tag> shapes;
  for (const auto& [key, value] : tags) {
    Tag& tag = shapes.emplace_back();
    tag.key = key;
    tag.value = value;
  }
  return shapes;
}

// The texts of a list property; empty where it is absent.
std::vector<std::string> text_list(const Json& properties, std::string_view name);
// Those of `before` that `after` lacks.
std::vector<std::string> missing_from(const std::vector<std::string>& after,
                                      const std::vector<std::string>& before);
// A policy document, which a template may give as an object or as text.
std::string document_text(const Json& properties, std::string_view name);

}  // namespace tarn::platform
