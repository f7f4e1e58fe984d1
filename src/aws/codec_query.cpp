// SPDX-License-Identifier: Apache-2.0
// Requests of the query protocols: form fields with dotted names, as a tree.
#include <algorithm>
#include <deque>

#include <fmt/format.h>

#include "aws/codec_internal.hpp"
#include "base/strings.hpp"

namespace tarn::aws {

namespace {

constexpr std::size_t k_fields_max = 20'000;
constexpr std::size_t k_depth_max = 48;

struct Node {
  std::string name;
  std::optional<std::string> value;
  std::deque<Node> children;

  Node* child(std::string_view wanted) {
    for (Node& node : children) {
      if (node.name == wanted) return &node;
    }
    return nullptr;
  }
  Node& child_or_new(std::string_view wanted) {
    // Fields come in order: what was added last is the likeliest.
    if (!children.empty() && children.back().name == wanted) return children.back();
    if (Node* known = child(wanted)) return *known;
    children.push_back(Node{std::string(wanted), {}, {}});
    return children.back();
  }
};

Node make_tree(const DecodeContext& context, std::string_view form) {
  Node root;
  std::size_t fields = 0;
  for (QueryPair& pair : parse_query(form)) {
    if (++fields > k_fields_max) context.unreadable("Too many parameters");
    Node* node = &root;
    std::size_t depth = 0;
    std::string_view rest = pair.key;
    while (true) {
      if (++depth > k_depth_max) context.unreadable("Parameters are nested too deeply");
      const auto dot = rest.find('.');
      node = &node->child_or_new(rest.substr(0, dot));
      if (dot == std::string_view::npos) break;
      rest = rest.substr(dot + 1);
    }
    node->value = std::move(pair.value);
  }
  return root;
}

// The numbered children, in order of their numbers.
std::vector<Node*> numbered(Node& node) {
  std::vector<std::pair<std::uint64_t, Node*>> found;
  for (Node& child : node.children) {
    if (const auto number = parse_uint(child.name)) found.emplace_back(*number, &child);
  }
  std::ranges::stable_sort(found, {}, &std::pair<std::uint64_t, Node*>::first);
  std::vector<Node*> nodes;
  nodes.reserve(found.size());
  for (auto& [number, child] : found) nodes.push_back(child);
  return nodes;
}

class Reader {
 public:
  Reader(DecodeContext& context, Protocol protocol)
      : context_(context),
        ec2_(protocol == Protocol::ec2) {}

  void structure(const Shape& shape, Node& node, void* target, const Path& path) {
    Presence present(shape);
    for (std::size_t i = 0; i < shape.members.size(); ++i) {
      const Member& member = shape.members[i];
      const Path here{&path, member.name};
      Node* found = find(node, member);
      if (!found) continue;
      if (value(member, *found, member.create(target), here)) present.mark(i);
    }
    finish_structure(context_, shape, target, present, path);
  }

 private:
  // The element's own name replaces a flattened list's.
  Node* find(Node& node, const Member& member) {
    const Shape& shape = *member.shape;
    if (!ec2_ && member.flattened && shape.kind == Kind::list && !shape.members[0].query.empty()) {
      if (Node* renamed = node.child(shape.members[0].query)) return renamed;
    }
    return node.child(member.query);
  }

  bool value(const Member& member, Node& node, void* target, const Path& path) {
    const Shape& shape = *member.shape;
    switch (shape.kind) {
      case Kind::structure: structure(shape, node, target, path); return true;
      case Kind::list: list(member, node, target, path); return true;
      case Kind::map: map(member, node, target, path); return true;
      case Kind::stream: return false;
      default:
        if (!node.value) return false;
        decode_scalar_text(context_, member, *node.value, TimeFormat::iso8601, target);
        return true;
    }
  }

  void list(const Member& member, Node& node, void* target, const Path& path) {
    const Member& element = member.shape->members[0];
    Node* parent = &node;
    if (!ec2_ && !member.flattened) {
      parent = node.child(element.query.empty() ? "member" : element.query);
      // Tolerated: some clients flatten what is not flattened.
      if (!parent) parent = &node;
    }
    std::size_t index = 0;
    for (Node* item : numbered(*parent)) {
      value(element, *item, member.shape->list->append(target), Path{&path, {}, ++index});
    }
  }

  void map(const Member& member, Node& node, void* target, const Path& path) {
    const Member& key = member.shape->members[0];
    const Member& element = member.shape->members[1];
    Node* parent = &node;
    if (!member.flattened) {
      parent = node.child("entry");
      if (!parent) return;
    }
    for (Node* item : numbered(*parent)) {
      Node* name = item->child(key.query);
      Node* content = item->child(element.query);
      if (!name || !name->value) context_.unreadable("A map's entry has no key");
      const Path here{&path, *name->value};
      void* slot = member.shape->map->insert(target, *name->value);
      if (content) value(element, *content, slot, Path{&here, "member"});
    }
  }

  DecodeContext& context_;
  bool ec2_;
};

}  // namespace

void read_query(DecodeContext& context, Protocol protocol, const Shape& shape,
                std::string_view form, void* input) {
  Node root = make_tree(context, form);
  Reader(context, protocol).structure(shape, root, input, Path{});
}

}  // namespace tarn::aws
