// SPDX-License-Identifier: Apache-2.0
// XML: bodies of restXml both ways, responses of the query protocols.
#include <pugixml.hpp>

#include <fmt/format.h>

#include "aws/codec_internal.hpp"
#include "base/strings.hpp"

namespace tarn::aws {

namespace {

constexpr int k_depth_max = 100;

// A name without its prefix.
std::string_view local(const char* name) {
  const std::string_view text = name;
  const auto colon = text.find(':');
  return colon == std::string_view::npos ? text : text.substr(colon + 1);
}

class Reader {
 public:
  explicit Reader(DecodeContext& context) : context_(context) {}

  void structure(const Shape& shape, pugi::xml_node node, void* target, const Path& path) {
    Presence present(shape);
    members(shape, node, target, path, false, present);
    finish_structure(context_, shape, target, present, path);
  }

  void members(const Shape& shape, pugi::xml_node node, void* target, const Path& path,
               bool body_only, Presence& present) {
    if (++depth_ > k_depth_max) malformed();
    for (std::size_t i = 0; i < shape.members.size(); ++i) {
      const Member& member = shape.members[i];
      if (body_only && member.location != Location::body) continue;
      if (read_member(member, node, target, Path{&path, member.name})) present.mark(i);
    }
    --depth_;
  }

  void value(const Member& member, pugi::xml_node node, void* target, const Path& path) {
    const Shape& shape = *member.shape;
    switch (shape.kind) {
      case Kind::structure: structure(shape, node, target, path); break;
      case Kind::list: {
        std::size_t index = 0;
        for (pugi::xml_node child : node.children()) {
          if (child.type() != pugi::node_element) continue;
          ++index;
          value(shape.members[0], child, shape.list->append(target), Path{&path, {}, index});
        }
        break;
      }
      case Kind::map:
        for (pugi::xml_node child : node.children()) {
          if (child.type() == pugi::node_element) entry(shape, child, target, path);
        }
        break;
      case Kind::stream: break;
      default:
        decode_scalar_text(context_, member, text_of(member, node), TimeFormat::iso8601, target);
    }
  }

 private:
  bool read_member(const Member& member, pugi::xml_node node, void* target, const Path& path) {
    if (member.xml_attribute) {
      for (pugi::xml_attribute attribute : node.attributes()) {
        if (local(attribute.name()) == local(std::string(member.wire).c_str())) {
          decode_scalar_text(context_, member, attribute.value(), TimeFormat::iso8601,
                             member.create(target));
          return true;
        }
      }
      return false;
    }
    if (member.flattened) return flattened(member, node, target, path);
    for (pugi::xml_node child : node.children()) {
      if (child.type() == pugi::node_element && local(child.name()) == member.wire) {
        value(member, child, member.create(target), path);
        return true;
      }
    }
    return false;
  }

  bool flattened(const Member& member, pugi::xml_node node, void* target, const Path& path) {
    const Shape& shape = *member.shape;
    std::size_t index = 0;
    for (pugi::xml_node child : node.children()) {
      if (child.type() != pugi::node_element || local(child.name()) != member.wire) continue;
      void* field = member.create(target);
      if (shape.kind == Kind::list) {
        value(shape.members[0], child, shape.list->append(field), Path{&path, {}, ++index});
      } else {
        ++index;
        entry(shape, child, field, path);
      }
    }
    return index > 0;
  }

  void entry(const Shape& shape, pugi::xml_node node, void* target, const Path& path) {
    std::optional<std::string> key;
    pugi::xml_node content;
    for (pugi::xml_node child : node.children()) {
      if (local(child.name()) == shape.members[0].wire) {
        key = child.text().get();
      } else if (local(child.name()) == shape.members[1].wire) {
        content = child;
      }
    }
    if (!key) malformed();
    const Path here{&path, *key};
    void* slot = shape.map->insert(target, *key);
    if (content) value(shape.members[1], content, slot, Path{&here, "member"});
  }

  static std::string text_of(const Member& member, pugi::xml_node node) {
    std::string text;
    for (pugi::xml_node child : node.children()) {
      if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata) {
        text += child.value();
      }
    }
    if (member.shape->kind != Kind::string) return std::string(trim(text));
    return text;
  }

  [[noreturn]] void malformed() {
    context_.unreadable(
        "The XML you provided was not well-formed or did not validate against our published "
        "schema");
  }

  DecodeContext& context_;
  int depth_ = 0;
};

pugi::xml_node parse(DecodeContext& context, pugi::xml_document& document, std::string_view text) {
  const auto result = document.load_buffer(
      text.data(), text.size(), pugi::parse_default | pugi::parse_ws_pcdata, pugi::encoding_utf8);
  const pugi::xml_node root = document.document_element();
  if (!result || !root) {
    context.unreadable(
        "The XML you provided was not well-formed or did not validate against our published "
        "schema");
  }
  return root;
}

}  // namespace

void read_xml(DecodeContext& context, const Member& member, std::string_view document, void* target,
              const Path& path) {
  pugi::xml_document parsed;
  Reader(context).value(member, parse(context, parsed, document), target, path);
}

void read_xml_body(DecodeContext& context, const Shape& structure, std::string_view document,
                   void* target, Presence& present) {
  pugi::xml_document parsed;
  Reader(context).members(structure, parse(context, parsed, document), target, Path{}, true,
                          present);
}

void append_xml_text(std::string_view text, std::string& out) {
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char* entity = nullptr;
    switch (text[i]) {
      case '&': entity = "&amp;"; break;
      case '<': entity = "&lt;"; break;
      case '>': entity = "&gt;"; break;
      case '"': entity = "&quot;"; break;
      case '\r': entity = "&#xd;"; break;  // a bare one would be read as a line feed
      default: continue;
    }
    out.append(text, start, i - start);
    out += entity;
    start = i + 1;
  }
  out.append(text, start);
}

namespace {

class Writer {
 public:
  Writer(std::string& out, Protocol protocol) : out_(out), protocol_(protocol) {}

  void members(const Shape& structure, const void* value) {
    for (const Member& member : structure.members) {
      if (member.location != Location::body || member.xml_attribute) continue;
      const void* field = member.find(value);
      if (field && member.shape->kind != Kind::stream) element(member, name_of(member), field);
    }
  }

 private:
  // Responses of the query protocol have the names that its requests have.
  std::string_view name_of(const Member& member) const {
    return protocol_ == Protocol::query && !member.query.empty() ? member.query : member.wire;
  }

  void open(const Member& member, std::string_view name, const void* value) {
    out_ += '<';
    out_ += name;
    if (const XmlNamespace* space = member.xml_namespace) {
      out_ += " xmlns";
      if (!space->prefix.empty()) (out_ += ':') += space->prefix;
      ((out_ += "=\"") += space->uri) += '"';
    }
    if (member.shape->kind == Kind::structure) write_xml_attributes(*member.shape, value, out_);
    out_ += '>';
  }
  void close(std::string_view name) { ((out_ += "</") += name) += '>'; }

  void element(const Member& member, std::string_view name, const void* value) {
    const Shape& shape = *member.shape;
    if (shape.kind == Kind::list && member.flattened && protocol_ != Protocol::ec2) {
      // The element's own name, if it has one, is the one that clients look for.
      const Member& item = shape.members[0];
      items(shape, item.wire != "member" ? item.wire : name, value);
      return;
    }
    if (shape.kind == Kind::map && member.flattened) {
      entries(shape, name, value);
      return;
    }
    open(member, name, value);
    switch (shape.kind) {
      case Kind::structure: members(shape, value); break;
      case Kind::list: items(shape, shape.members[0].wire, value); break;
      case Kind::map: entries(shape, "entry", value); break;
      default: append_xml_text(encode_scalar_text(member, value, TimeFormat::iso8601), out_);
    }
    close(name);
  }

  void items(const Shape& shape, std::string_view name, const void* value) {
    for (std::size_t i = 0, count = shape.list->size(value); i < count; ++i) {
      if (const void* item = shape.list->at(value, i)) element(shape.members[0], name, item);
    }
  }

  void entries(const Shape& shape, std::string_view name, const void* value) {
    static constexpr Member k_key{.name = "key", .shape = &k_string_shape};
    for_each_entry(*shape.map, value, [&](const std::string& key, const void* content) {
      ((out_ += '<') += name) += '>';
      element(k_key, shape.members[0].wire, &key);
      if (content) element(shape.members[1], shape.members[1].wire, content);
      close(name);
    });
  }

  std::string& out_;
  Protocol protocol_;
};

}  // namespace

void write_xml_members(Protocol protocol, const Shape& structure, const void* value,
                       std::string& out) {
  Writer(out, protocol).members(structure, value);
}

void write_xml_attributes(const Shape& structure, const void* value, std::string& out) {
  for (const Member& member : structure.members) {
    if (!member.xml_attribute) continue;
    const void* field = member.find(value);
    if (!field) continue;
    ((out += ' ') += member.wire) += "=\"";
    append_xml_text(encode_scalar_text(member, field, TimeFormat::iso8601), out);
    out += '"';
  }
}

void write_xml_json(std::string_view name, const Json& value, std::string& out) {
  ((out += '<') += name) += '>';
  if (value.is_object()) {
    for (const auto& entry : value.get_object()) write_xml_json(entry.key(), entry.value(), out);
  } else if (value.is_array()) {
    for (const Json& item : value.get_array()) write_xml_json("member", item, out);
  } else if (value.is_string()) {
    append_xml_text(json_text(value.get_string()), out);
  } else if (!value.is_null()) {
    out += dump_json(value);
  }
  ((out += "</") += name) += '>';
}

}  // namespace tarn::aws
