# SPDX-License-Identifier: Apache-2.0
"""Every operation of every service, as one text in read-only memory and a table of offsets into it
(no pointers: nothing to relocate at start). The router reads a service's part when it first meets
the service. A line is an operation:

    Name                                                       rpc protocols
    Name METHOD /uri/{Label}?literal required,… optional,…     REST; the last two may be '-'
"""
from . import model, names
from .model import PROTOCOLS

_ORDER = {name: index + 1 for index, name in enumerate(PROTOCOLS.values())}


class Pool:
    def __init__(self):
        self.parts, self.size, self.known = [], 0, {}

    def add(self, text):
        if text not in self.known:
            self.known[text] = self.size
            self.parts.append(text)
            self.size += len(text.encode())
        return self.known[text], len(text.encode())


def _query_members(loaded, raw):
    shape_name = raw.get("input", {}).get("shape")
    if not shape_name:
        return [], []
    required = set(loaded.shapes[shape_name].get("required", ()))
    must, may = [], []
    for member, ref in loaded.members(shape_name):
        if ref.own("location") == "querystring" and ref.type != "map":
            (must if member in required else may).append(ref.own("locationName", member))
    return must, may


def _operations(loaded):
    rest = loaded.metadata["protocol"].startswith("rest-")
    lines, routes = [], set()
    # Where two operations share a route, the one that is not deprecated is meant.
    ordered = sorted(loaded.operations.items(), key=lambda o: (bool(o[1].get("deprecated")), o[0]))
    for name, raw in ordered:
        if not rest:
            lines.append(name)
            continue
        http = raw["http"]
        must, may = _query_members(loaded, raw)
        keep_optional = loaded.service == "s3"
        line = " ".join([name, http["method"], http["requestUri"], ",".join(must) or "-",
                         ",".join(may) if keep_optional and may else "-"])
        route = (http["method"], http["requestUri"], tuple(must))
        if raw.get("deprecated") and route in routes:
            continue
        routes.add(route)
        lines.append(line)
    return "".join(line + "\n" for line in sorted(lines))


def write(data, output):
    pool, rows = Pool(), []
    for service in model.services(data):
        loaded = model.load(data, service)
        meta = loaded.metadata
        protocols = 0
        for index, protocol in enumerate(loaded.protocols):
            protocols |= _ORDER[PROTOCOLS[protocol]] << (4 * index)
        space = meta.get("xmlNamespace") or loaded.tarn.get("xmlNamespace", "")
        space = space if isinstance(space, str) else space["uri"]
        texts = [service, names.folder_of(service), meta["serviceFullName"], loaded.signing_name,
                 meta["endpointPrefix"], meta.get("targetPrefix", ""), meta["apiVersion"],
                 meta.get("jsonVersion", "1.1"), space, _operations(loaded)]
        fields = ", ".join("{%d, %d}" % pool.add(text) for text in texts)
        rows.append(f"    {{{fields}, {hex(protocols)}}},\n")
    text = "".join(pool.parts)
    lines = [names.cpp_string(text[i:i + 4000]) for i in range(0, len(text), 4000)]
    output.write("aws/catalogue.cpp",
                 "// SPDX-License-Identifier: Apache-2.0\n"
                 "// Generated from the service models; do not edit.\n"
                 '#include "aws/catalogue.hpp"\n\nnamespace tarn::aws {\nnamespace {\n\n'
                 "constexpr char k_text[] =\n    " + "\n    ".join(lines) + ";\n\n"
                 "constexpr CatalogueService k_services[] = {\n" + "".join(rows) + "};\n\n"
                 "}  // namespace\n\n"
                 "std::string_view PoolText::view() const { return {k_text + offset, length}; }\n"
                 "std::span<const CatalogueService> catalogue() { return k_services; }\n\n"
                 "}  // namespace tarn::aws\n")
