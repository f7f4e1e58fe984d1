# SPDX-License-Identifier: Apache-2.0
"""Which structures the declared operations need, what they are called in C++, and in which header
each stands. A structure is a *unit*: a C++ name and the model's shape. An operation's input and
output are units of their own (`<Op>Input`, `<Op>Output`) whatever the model calls them."""
from . import names


class Unit:
    def __init__(self, name, shape_name):
        self.name = name            # in C++
        self.shape_name = shape_name  # in the model; None: an empty structure
        self.fields = []            # (field name, member name, Ref)
        self.header = None
        self.group = [self]         # units that refer to each other, in one header
        self.input = False          # reachable from an input


class Structs:
    def __init__(self, model, operation_names):
        self.model = model
        self.operations = sorted(operation_names)
        self.nested = {}     # shape name -> Unit
        self.units = []
        self.inputs = {}     # operation -> Unit
        self.outputs = {}
        self.enums = []      # shape names
        self.collections = []  # list and map shape names, in order of need
        self.scalars = []
        self.input_shapes = set()
        self._taken = set(operation_names)
        for op in self.operations:
            self._taken.update((op + "Input", op + "Output"))
        self._taken.update(model.errors())
        self._seen = set()
        for op in self.operations:
            raw = model.operation(op)
            self.inputs[op] = self._root(op + "Input", raw.get("input"), True)
            self.outputs[op] = self._root(op + "Output", raw.get("output"), False)
        self._group()

    # -- what is reachable

    def _root(self, name, raw, is_input):
        unit = Unit(name, raw["shape"] if raw else None)
        unit.input = is_input
        self.units.append(unit)
        if raw:
            self._fill(unit, is_input)
        return unit

    def _fill(self, unit, is_input):
        used = set()
        for member, ref in self.model.members(unit.shape_name):
            field = names.field(member)
            while field in used:
                field += "_"
            used.add(field)
            unit.fields.append((field, member, ref))
            self._reach(ref, is_input)

    def _reach(self, ref, is_input):
        if self.model.is_stream(ref):
            return
        self._reach_shape(ref.shape_name, is_input)

    def _reach_shape(self, name, is_input):
        if (name, is_input) in self._seen:
            return
        self._seen.add((name, is_input))
        first = (name, not is_input) not in self._seen
        shape = self.model.shapes[name]
        if is_input:
            self.input_shapes.add(name)
        kind = shape["type"]
        if kind == "structure":
            if shape.get("document"):
                return
            if name not in self.nested:
                cpp = name + "Shape" if name in self._taken else name
                unit = self.nested[name] = Unit(names.safe(cpp), name)
                self.units.append(unit)
                self._fill(unit, is_input)
            else:
                for _, _, ref in self.nested[name].fields:
                    self._reach(ref, is_input)
            self.nested[name].input |= is_input
        elif kind == "list":
            if first:
                self.collections.append(name)
            self._reach(self.model.ref(shape["member"]), is_input)
        elif kind == "map":
            if first:
                self.collections.append(name)
            self._reach(self.model.ref(shape["key"]), is_input)
            self._reach(self.model.ref(shape["value"]), is_input)
        elif first:
            self.scalars.append(name)
            if shape.get("enum"):
                self.enums.append(name)

    # -- C++ types

    def type_of(self, ref, unit=None):
        """The C++ type of a value; `unit`: the structure that has it as a direct member."""
        if self.model.is_stream(ref):
            return "::tarn::ByteSourcePtr"
        shape, kind = ref.shape, ref.type
        if kind == "structure":
            if shape.get("document"):
                return "::tarn::Json"
            target = self.nested[ref.shape_name]
            name = target.name if target.name[0].isupper() else f"struct {target.name}"
            if unit and any(other is target for other in unit.group):
                return f"::tarn::aws::Boxed<{name}>"
            return name
        if kind in ("list", "map"):
            inner = self.model.ref(shape["member" if kind == "list" else "value"])
            text = self.type_of(inner)
            if shape.get("sparse"):
                text = f"std::optional<{text}>"
            elif kind == "list" and text == "bool":
                text = "::tarn::aws::Flag"
            return f"std::vector<{text}>" if kind == "list" else f"std::map<std::string, {text}>"
        return {
            "string": "std::string", "character": "std::string", "blob": "std::string",
            "integer": "std::int32_t", "long": "std::int64_t", "float": "float",
            "double": "double", "boolean": "bool", "timestamp": "::tarn::Timestamp",
        }[kind]

    def required(self, unit):
        return set(self.model.shapes[unit.shape_name].get("required", ())) if unit.shape_name \
            else set()

    # -- headers: units that refer to each other share one

    def targets(self, unit):
        found = []

        def visit(ref):
            if self.model.is_stream(ref):
                return
            kind = ref.type
            if kind == "structure" and not ref.shape.get("document"):
                found.append(self.nested[ref.shape_name])
            elif kind == "list":
                visit(self.model.ref(ref.shape["member"]))
            elif kind == "map":
                visit(self.model.ref(ref.shape["value"]))

        for _, _, ref in unit.fields:
            visit(ref)
        return list(dict.fromkeys(found))

    def _group(self):
        """Tarjan's strongly connected components, iteratively."""
        index, low, stack, on_stack = {}, {}, [], set()
        for root in self.units:
            if root in index:
                continue
            work = [(root, iter(self.targets(root)))]
            index[root] = low[root] = len(index)
            stack.append(root)
            on_stack.add(root)
            while work:
                unit, rest = work[-1]
                advanced = False
                for target in rest:
                    if target not in index:
                        index[target] = low[target] = len(index)
                        stack.append(target)
                        on_stack.add(target)
                        work.append((target, iter(self.targets(target))))
                        advanced = True
                        break
                    if target in on_stack:
                        low[unit] = min(low[unit], index[target])
                if advanced:
                    continue
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[unit])
                if low[unit] == index[unit]:
                    group = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        group.append(member)
                        if member is unit:
                            break
                    self._set_group(unit, group)

    def _set_group(self, unit, group):
        if len(group) == 1 and unit not in self.targets(unit):
            unit.group = []
            return
        group.sort(key=lambda member: member.name)
        for member in group:
            member.group = group
