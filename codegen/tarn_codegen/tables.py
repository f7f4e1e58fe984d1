# SPDX-License-Identifier: Apache-2.0
"""Writes model.cpp: the constant tables that the codecs interpret (src/aws/shape.hpp)."""
from . import names, patterns
from .model import PROTOCOLS
from .names import cpp_string

_SCALARS = {"string": "string", "character": "string", "blob": "blob", "integer": "integer",
            "long": "long_", "float": "float_", "double": "double_", "boolean": "boolean",
            "timestamp": "timestamp"}
_SHARED = {"string": "string", "blob": "blob", "integer": "integer", "long_": "long",
           "float_": "float", "double_": "double", "boolean": "boolean",
           "timestamp": "timestamp"}
_TIMES = {"iso8601": "iso8601", "rfc822": "rfc822", "unixTimestamp": "unix_time"}
_LOCATIONS = {"uri": "uri", "querystring": "query", "header": "header", "headers": "headers",
              "statusCode": "status"}


class Tables:
    def __init__(self, structs, headers, output):
        self.structs = structs
        self.model = structs.model
        self.headers = headers
        self.output = output
        self.protocol = self.model.metadata["protocol"]
        self.checks = self.model.checks
        self.checking = self.checks[0] != "none"
        self.checked = self._find_checked() if self.checking else set()
        self.namespaces = {}  # (uri, prefix) -> variable

    # -- what has constraints somewhere below

    def _own_check(self, name):
        shape = self.model.shapes[name]
        if name not in self.structs.input_shapes:
            return False
        if shape["type"] == "structure":
            return bool(shape.get("required"))
        return bool(self._limits(shape))

    def _limits(self, shape):
        parts = []
        minimum, maximum = shape.get("min"), shape.get("max")
        sized = shape["type"] in ("string", "blob", "list", "map")
        if minimum is not None and not (sized and minimum <= 0):
            parts.append(f".min = {minimum}.0" if isinstance(minimum, int) else
                         f".min = {minimum!r}")
        if maximum is not None:
            parts.append(f".max = {maximum}.0" if isinstance(maximum, int) else
                         f".max = {maximum!r}")
        if shape.get("pattern"):
            expression, partial = patterns.translate(shape["pattern"])
            parts.append(f".pattern = {cpp_string(shape['pattern'])}")
            parts.append(f".expression = {cpp_string(expression)}")
            if partial:
                parts.append(".partial = true")
        if shape.get("enum"):
            parts.append(".values")
        return parts

    def _find_checked(self):
        shapes = self.model.shapes
        reached = ({u.shape_name for u in self.structs.units if u.shape_name and u.input}
                   | (self.structs.input_shapes))
        inputs = {u.shape_name for u in self.structs.inputs.values() if u.shape_name}
        checked = {n for n in reached
                   if self._own_check(n) or (n in inputs and shapes[n].get("required"))}
        below = {}
        for name in reached:
            shape = shapes[name]
            refs = [r["shape"] for r in shape.get("members", {}).values()]
            refs += [shape[k]["shape"] for k in ("member", "key", "value") if k in shape]
            below[name] = refs
        changed = True
        while changed:
            changed = False
            for name, refs in below.items():
                if name not in checked and any(r in checked for r in refs):
                    checked.add(name)
                    changed = True
        return checked

    # -- references

    def shape_address(self, ref):
        if self.model.is_stream(ref):
            return "&aws::k_stream_shape"
        shape = ref.shape
        if ref.type == "structure":
            if shape.get("document"):
                return "&aws::k_document_shape"
            return "&t_" + self.structs.nested[ref.shape_name].name
        if ref.type in ("list", "map") or self._own_scalar(ref.shape_name):
            return f"&s_{ref.shape_name}"
        return f"&aws::k_{_SHARED[_SCALARS[ref.type]]}_shape"

    def _own_scalar(self, name):
        return self.checking and self._own_check(name)

    def _query_name(self, member, ref):
        if self.protocol == "ec2":
            if ref.own("queryName"):
                return ref.own("queryName")
            location = ref.own("locationName")
            return location[0].upper() + location[1:] if location else member
        return ref.own("tarnQueryName") or ref.own("locationName", member)

    def _xml_namespace(self, ref):
        space = ref.trait("xmlNamespace")
        if not space:
            return None
        if isinstance(space, str):
            space = {"uri": space}
        key = (space["uri"], space.get("prefix", ""))
        return self.namespaces.setdefault(key, f"n_{len(self.namespaces)}")

    def _entry(self, name, wire, query, ref, access=None, payload=False, required=False):
        parts = [f".name = {cpp_string(name)}", f".wire = {cpp_string(wire)}",
                 f".query = {cpp_string(query)}", f".shape = {self.shape_address(ref)}"]
        if access:
            parts.append(f".access = &aws::detail::access<&{access}>")
        location = "payload" if payload else _LOCATIONS.get(ref.own("location"))
        if location:
            parts.append(f".location = aws::Location::{location}")
        time = _TIMES.get(ref.trait("timestampFormat"))
        if time:
            parts.append(f".time_format = aws::TimeFormat::{time}")
        if required:
            parts.append(".required = true")
        if ref.type in ("list", "map") and (ref.trait("flattened") or ref.own("tarnFlattened")):
            parts.append(".flattened = true")
        if ref.own("xmlAttribute"):
            parts.append(".xml_attribute = true")
        if ref.own("idempotencyToken"):
            parts.append(".idempotency_token = true")
        if ref.own("jsonvalue"):
            parts.append(".json_value = true")
        if ref.shape.get("eventstream"):
            parts.append(".event_stream = true")
        space = self._xml_namespace(ref)
        if space:
            parts.append(f".xml_namespace = &{space}")
        return "{" + ", ".join(parts) + "}"

    # -- tables

    def _constraints(self, name):
        shape = self.model.shapes[name]
        parts = self._limits(shape)
        text = ""
        if ".values" in parts:
            values = ", ".join(cpp_string(v) for v in shape["enum"])
            text += f"constexpr std::string_view v_{name}[] = {{{values}}};\n"
            parts[parts.index(".values")] = f".values = v_{name}"
        return text + f"constinit const aws::Constraints c_{name}{{{', '.join(parts)}}};\n"

    def _scalar(self, name):
        shape = self.model.shapes[name]
        kind = _SCALARS[shape["type"]]
        sensitive = ", .sensitive = true" if shape.get("sensitive") else ""
        return (self._constraints(name) +
                f"constinit const aws::Shape s_{name}{{.kind = aws::Kind::{kind}, "
                f".name = {cpp_string(name)}, .constraints = &c_{name}, .checked = true"
                f"{sensitive}}};\n")

    def _collection(self, name):
        shape = self.model.shapes[name]
        is_list = shape["type"] == "list"
        text = ""
        if is_list:
            element = self.model.ref(shape["member"])
            own = element.own("locationName")
            # An EC2 response's elements are called item where the model says nothing.
            default = "item" if self.protocol == "ec2" else "member"
            rows = [self._entry("member", own or default, own or "", element)]
        else:
            key, value = self.model.ref(shape["key"]), self.model.ref(shape["value"])
            rows = [self._entry("key", key.own("locationName", "key"),
                                key.own("locationName", "key"), key),
                    self._entry("value", value.own("locationName", "value"),
                                value.own("locationName", "value"), value)]
        whole = self.structs.type_of(self.model.ref({"shape": name}))
        ops = (f".list = &aws::detail::list_ops<{whole}>" if is_list
               else f".map = &aws::detail::map_ops<{whole}>")
        constraints = ""
        if self._own_scalar(name):
            text += self._constraints(name)
            constraints = f", .constraints = &c_{name}"
        if name in self.checked:
            constraints += ", .checked = true"
        joined = ",\n    ".join(rows)
        text += f"constexpr aws::Member m_{name}[] = {{\n    {joined}}};\n"
        kind = "list" if is_list else "map"
        return text + (f"constinit const aws::Shape s_{name}{{.kind = aws::Kind::{kind}, "
                       f".name = {cpp_string(name)}, .members = m_{name}, {ops}"
                       f"{constraints}}};\n")

    def _structure(self, unit):
        shape = self.model.shapes[unit.shape_name] if unit.shape_name else {}
        payload = shape.get("payload")
        required = self.structs.required(unit)
        rows = []
        all_in_body = True
        for field, member, ref in unit.fields:
            wire = ref.own("locationName", member)
            if ref.own("location") or member == payload:
                all_in_body = False
            rows.append(self._entry(member, wire, self._query_name(member, ref), ref,
                                    f"{unit.name}::{field}", member == payload,
                                    member in required))
        text = members = ""
        if rows:
            joined = ",\n    ".join(rows)
            text = f"constexpr aws::Member mt_{unit.name}[] = {{\n    {joined}}};\n"
            members = f", .members = mt_{unit.name}"
        flags = ""
        if unit.input and unit.shape_name in self.checked:
            flags += ", .checked = true"
        if shape.get("union"):
            flags += ", .is_union = true"
        if not all_in_body:
            flags += ", .all_in_body = false"
        name = unit.shape_name or unit.name
        return text + (f"constinit const aws::Shape t_{unit.name}{{.kind = aws::Kind::structure, "
                       f".name = {cpp_string(name)}{members}{flags}}};\n")

    def _payload(self, unit):
        if not unit.shape_name:
            return None
        payload = self.model.shapes[unit.shape_name].get("payload")
        for index, (_, member, _) in enumerate(unit.fields):
            if member == payload:
                return index
        return None

    def _operation(self, op):
        raw = self.model.operation(op)
        http = raw["http"]
        parts = [f".name = {cpp_string(op)}", ".service = &service",
                 f".method = {cpp_string(http['method'])}",
                 f".uri = {cpp_string(http['requestUri'])}"]
        if http.get("responseCode", 200) != 200:
            parts.append(f".status = {http['responseCode']}")
        parts += [f".input = &t_{op}Input", f".output = &t_{op}Output"]
        output = raw.get("output", {})
        if output.get("resultWrapper"):
            parts.append(f".result_wrapper = {cpp_string(output['resultWrapper'])}")
        sides = {"input": self.structs.inputs[op], "output": self.structs.outputs[op]}
        for side, unit in sides.items():
            index = self._payload(unit)
            if index is not None:
                parts.append(f".{side}_payload = &mt_{unit.name}[{index}]")
        if self.protocol == "rest-xml":
            parts += self._root(op, raw)
        if output:
            parts.append(".has_output = true")
        if raw.get("readonly"):
            parts.append(".read_only = true")
        return (f"const aws::Operation& {op}::operation() {{\n"
                f"  static constexpr aws::Operation k_operation{{{', '.join(parts)}}};\n"
                f"  return k_operation;\n}}\n")

    def _root(self, op, raw):
        """The root element of a rest-xml response."""
        parts = []
        own = self.model.tarn.get("roots", {}).get(op)
        space = (self.model.metadata.get("xmlNamespace") or
                 self.model.tarn.get("xmlNamespace") or "")
        unit = self.structs.outputs[op]
        index = self._payload(unit)
        if index is not None:
            ref = unit.fields[index][2]
            root = ref.own("locationName") or ref.shape.get("locationName") or ref.shape_name
            own_space = ref.trait("xmlNamespace")
            if own_space:
                space = own_space if isinstance(own_space, str) else own_space["uri"]
        else:
            root = raw.get("output", {}).get("shape", op + "Result")
        parts.append(f".output_root = {cpp_string(own or root)}")
        if space:
            parts.append(f".output_xmlns = {cpp_string(space)}")
        if op in self.model.tarn.get("unwrapped", []):
            parts.append(".output_unwrapped = true")
        return parts

    def _service(self):
        model, meta = self.model, self.model.metadata
        protocols = ", ".join(f"aws::Protocol::{PROTOCOLS[p]}" for p in model.protocols)
        style, invalid, missing, unreadable = self.checks
        parts = [
            f".folder = {cpp_string(names.folder_of(model.service))}",
            f".id = {cpp_string(model.service)}",
            f".full_name = {cpp_string(meta['serviceFullName'])}",
            f".api_version = {cpp_string(meta['apiVersion'])}",
            f".signing_name = {cpp_string(model.signing_name)}",
            f".target_prefix = {cpp_string(meta.get('targetPrefix', ''))}",
            f".json_version = {cpp_string(meta.get('jsonVersion', '1.1'))}",
            f".xml_namespace = {cpp_string(self._service_namespace())}",
            f".error_namespace = {cpp_string(model.tarn.get('errorNamespace', ''))}",
            ".protocols = k_protocols",
            f".checks = aws::CheckStyle::{style}",
            f".invalid_code = {cpp_string(invalid)}",
            f".missing_code = {cpp_string(missing)}",
            f".serialization_code = {cpp_string(unreadable)}",
        ]
        if "awsQueryCompatible" in meta:
            parts.append(".query_compatible = true")
        joined = ",\n    ".join(parts)
        return (f"constexpr aws::Protocol k_protocols[] = {{{protocols}}};\n"
                f"constexpr aws::ServiceModel service{{\n    {joined}}};\n")

    def _service_namespace(self):
        space = self.model.metadata.get("xmlNamespace") or self.model.tarn.get("xmlNamespace", "")
        return space if isinstance(space, str) else space["uri"]

    def write(self, registry=False):
        structs, headers = self.structs, self.headers
        ops = structs.operations
        body = ""
        for name in structs.scalars:
            if self._own_scalar(name):
                body += self._scalar(name)
        for name in structs.collections:
            body += self._collection(name)
        for unit in structs.units:
            body += self._structure(unit)
        declared = ""
        for name in structs.collections:
            declared += f"extern const aws::Shape s_{name};\n"
        for unit in structs.units:
            declared += f"extern const aws::Shape t_{unit.name};\n"
        spaces = "".join(
            f"constexpr aws::XmlNamespace {var}{{{cpp_string(uri)}, {cpp_string(prefix)}}};\n"
            for (uri, prefix), var in self.namespaces.items())
        includes = "".join(f'#include "{headers.include}/{op}.hpp"\n' for op in ops)
        text = ("// SPDX-License-Identifier: Apache-2.0\n"
                "// Generated from the service model; do not edit.\n"
                f'#include "{headers.include}/service.hpp"\n\n'
                f'#include "aws/operation.hpp"\n#include "aws/shape.hpp"\n{includes}\n'
                f"namespace {headers.namespace} {{\n"
                f"namespace aws = ::tarn::aws;\n\n"
                "// Referred to before they are defined: recursive structures.\n"
                "namespace tables {\n" + declared + "}\n"
                "namespace tables {\nnamespace {\n" + self._service() + spaces + "}\n" + body +
                "}  // namespace tables\n\nusing namespace tables;\n\n")
        text += "const aws::ServiceModel& service_model() { return service; }\n"
        text += "".join(self._operation(op) for op in ops)
        addresses = ", ".join(f"&{op}::operation()" for op in ops)
        text += ("std::span<const aws::Operation* const> declared_operations() {\n"
                 f"  static const aws::Operation* const k_all[] = {{{addresses or 'nullptr'}}};\n"
                 f"  return {{k_all, {len(ops)}}};\n}}\n")
        text += f"\n}}  // namespace {headers.namespace}\n\nnamespace tarn::aws {{\n"
        for unit in structs.units:
            full = f"{headers.namespace}::{unit.name}"
            text += (f"template <>\nconst Shape& shape_of<{full}>() {{\n"
                     f"  return {headers.namespace}::tables::t_{unit.name};\n}}\n")
        text += "}  // namespace tarn::aws\n"
        if registry:
            text += self._registry()
        self.output.write(f"{headers.include}/model.cpp", text)

    def _registry(self):
        """For the codec's own tests: operations that are run without knowing their types."""
        space = self.headers.namespace
        rows = "".join(
            f"      {{&{space}::{op}::operation(),\n"
            f"       &tarn::aws::testing::make_erased<{space}::{op}Input>,\n"
            f"       &tarn::aws::testing::make_erased<{space}::{op}Output>}},\n"
            for op in self.structs.operations)
        return ('\n#include "aws/testing/erased.hpp"\n\nnamespace {\n'
                "const bool k_registered = [] {\n  for (const auto& row : "
                f"std::initializer_list<tarn::aws::testing::ErasedOperation>{{\n{rows}  }}) {{\n"
                "    tarn::aws::testing::erased_operations().push_back(row);\n  }\n"
                "  return true;\n}();\n}  // namespace\n")
