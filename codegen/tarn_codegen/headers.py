# SPDX-License-Identifier: Apache-2.0
"""Writes the headers: one per operation, one per nested structure, errors, enums, the service."""
from . import names
from .names import cpp_string

_TOP = "// SPDX-License-Identifier: Apache-2.0\n// Generated from the service model; do not edit.\n"


class Headers:
    def __init__(self, structs, output, include, namespace):
        self.structs = structs
        self.model = structs.model
        self.output = output
        self.folder = names.folder_of(self.model.service)
        self.include = f"{include}/{self.folder}"
        self.namespace = f"{namespace}::{self.folder}"

    def write(self):
        for unit in self.structs.nested.values():
            first = unit.group[0] if unit.group else unit
            unit.header = f"shape_{first.name}.hpp"
        done = set()
        for unit in self.structs.nested.values():
            if unit.header not in done:
                done.add(unit.header)
                self._file(unit.header, self._group_text(unit.group or [unit]))
        for op in self.structs.operations:
            self._operation(op)
        self._errors()
        self._enums()
        self._service()
        # For a service's own header, which declares a handler for each operation.
        self._file("operations.hpp", "", includes=sorted(
            f"{self.include}/{op}.hpp" for op in self.structs.operations))

    def _file(self, name, body, includes=("aws/types.hpp",)):
        lines = "".join(f'#include "{i}"\n' for i in includes)
        self.output.write(
            f"{self.include}/{name}",
            f"{_TOP}#pragma once\n{lines}\n{body}")

    def _includes(self, units, own=None):
        headers = set()
        for unit in units:
            for target in self.structs.targets(unit):
                if target.header != own:
                    headers.add(f"{self.include}/{target.header}")
        return sorted(headers)

    def _struct(self, unit):
        required = self.structs.required(unit)
        lines = [f"struct {unit.name} {{"]
        for field, member, ref in unit.fields:
            kind = self.structs.type_of(ref, unit)
            if kind == "::tarn::ByteSourcePtr" or member in required:
                initial = "{}" if kind in ("std::int32_t", "std::int64_t", "float", "double",
                                           "bool", "::tarn::Timestamp") else ""
                lines.append(f"  {kind} {field}{initial};")
            else:
                lines.append(f"  std::optional<{kind}> {field};")
        return "\n".join(lines) + "\n};\n"

    def _shape_of(self, units):
        text = "namespace tarn::aws {\n"
        for unit in units:
            text += f"template <>\nconst Shape& shape_of<{self.namespace}::{unit.name}>();\n"
        return text + "}  // namespace tarn::aws\n"

    def _group_text(self, units):
        header = units[0].header
        includes = "".join(f'#include "{i}"\n' for i in self._includes(units, header))
        text = includes + f"\nnamespace {self.namespace} {{\n"
        if len(units) > 1:
            text += "".join(f"struct {unit.name};\n" for unit in units)
        text += "\n".join(self._struct(unit) for unit in units)
        return text + f"}}  // namespace {self.namespace}\n\n" + self._shape_of(units)

    def _operation(self, op):
        units = [self.structs.inputs[op], self.structs.outputs[op]]
        text = "".join(f'#include "{i}"\n' for i in self._includes(units))
        text += f"\nnamespace {self.namespace} {{\n\n"
        text += "\n".join(self._struct(unit) for unit in units)
        text += (f"\nstruct {op} {{\n  using Input = {op}Input;\n  using Output = {op}Output;\n"
                 "  static const ::tarn::aws::Operation& operation();\n};\n\n")
        text += f"}}  // namespace {self.namespace}\n\n" + self._shape_of(units)
        self._file(f"{op}.hpp", text)

    # -- errors

    def error_code(self, name):
        return self.model.shapes[name].get("error", {}).get("code", name)

    def error_status(self, name):
        shape = self.model.shapes[name]
        error = shape.get("error", {})
        fault = bool(shape.get("fault") or error.get("fault"))
        status = error.get("httpStatusCode", 500 if fault else 400)
        return status, bool(error.get("senderFault", status < 500 and not fault))

    def _errors(self):
        text = f"namespace {self.namespace} {{\n"
        for name in sorted(self.model.errors()):
            if not name[0].isalpha():
                continue
            status, sender = self.error_status(name)
            message_key, renamed = "message", []
            for member, ref in self.model.members(name):
                wire = ref.own("locationName", member)
                if member.lower() == "message":
                    message_key = wire
                elif ref.own("location") == "header":
                    renamed.append((member, wire, "true"))
                elif wire != member:
                    renamed.append((member, wire, "false"))
            code = cpp_string(self.error_code(name))
            base = f"::tarn::aws::ModelledError<{name}>"
            text += (f"\nclass {name} : public {base} {{\n public:\n"
                     f"  explicit {name}(std::string text = {{}})\n"
                     f"      : {base}({code}, std::move(text), {status}, "
                     f"{str(sender).lower()}, {cpp_string(name)}) {{\n"
                     f"    message_key = {cpp_string(message_key)};\n  }}\n")
            if renamed:
                rows = ", ".join(f"{{{cpp_string(m)}, {cpp_string(w)}, {h}}}"
                                 for m, w, h in renamed)
                text += ("  static constexpr ::tarn::aws::ErrorMember k_members[] = "
                         f"{{{rows}}};\n")
            text += "};\n"
        text += f"\n}}  // namespace {self.namespace}\n"
        self._file("errors.hpp", text, ("aws/error.hpp",))

    # -- enums

    def _enums(self):
        text = f"namespace {self.namespace} {{\n"
        taken = set(self.structs.operations) | {u.name for u in self.structs.units}
        for name in sorted(self.structs.enums):
            space = names.safe(name if name[0].isalpha() else "Enum" + name)
            if space in taken or name in self.model.errors():
                space += "Enum"
            text += f"\nnamespace {space} {{\n"
            used = set()
            for value in self.model.shapes[name]["enum"]:
                constant = names.constant(value)
                while constant in used:
                    constant += "_"
                used.add(constant)
                text += f"inline constexpr std::string_view {constant} = {cpp_string(value)};\n"
            text += f"}}  // namespace {space}\n"
        text += f"\n}}  // namespace {self.namespace}\n"
        self._file("enums.hpp", text, ())
        self.output.write(f"{self.include}/enums.hpp",
                          f"{_TOP}#pragma once\n#include <string_view>\n\n{text}")

    def _service(self):
        text = (f"namespace {self.namespace} {{\n\n"
                "const ::tarn::aws::ServiceModel& service_model();\n"
                "// Those that a table declares, by name.\n"
                "std::span<const ::tarn::aws::Operation* const> declared_operations();\n\n"
                f"}}  // namespace {self.namespace}\n")
        self._file("service.hpp", text, ("aws/operation.hpp",))
        # For services whose files each handle many operations.
        everything = "".join(f'#include "{self.include}/{op}.hpp"\n'
                             for op in self.structs.operations)
        self.output.write(f"{self.include}/operations.hpp", f"{_TOP}#pragma once\n{everything}")
