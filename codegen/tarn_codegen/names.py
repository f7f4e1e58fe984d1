# SPDX-License-Identifier: Apache-2.0
"""Names: from the models' to C++'s. The snake_case rules are botocore's, so boto3's docs apply."""
import re

_FIRST_CAP = re.compile("(.)([A-Z][a-z]+)")
_END_CAP = re.compile("([a-z0-9])([A-Z])")
_PLURAL_ACRONYM = re.compile("[A-Z]{2,}s$")  # ARNs, ACLs

KEYWORDS = frozenset(
    """alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t
    char32_t class compl concept const consteval constexpr constinit const_cast continue co_await
    co_return co_yield decltype default delete do double dynamic_cast else enum explicit export
    extern false float for friend goto if inline int long mutable namespace new noexcept not
    not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires
    return short signed sizeof static static_assert static_cast struct switch template this
    thread_local throw true try typedef typeid typename union unsigned using virtual void volatile
    wchar_t while xor xor_eq""".split()
)
# Macros of headers that our sources include.
MACROS = frozenset(
    """errno assert linux unix major minor makedev NULL TRUE FALSE EOF DOMAIN SING OVERFLOW
    UNDERFLOW PLOSS TLOSS INFINITY NAN HUGE BUFSIZ NDEBUG DEBUG RAND_MAX PATH_MAX INT_MAX INT_MIN
    stdin stdout stderr environ signal OPTIONAL CONST VOID ERROR IN OUT BOOL INT FLOAT DOUBLE
    STRICT STDIN STDOUT STDERR PI""".split()
)


def snake(name):
    """botocore's xform_name, and lower case for names that already have underscores."""
    name = re.sub(r"[^0-9A-Za-z_]", "_", name)
    if "_" in name:
        return name.lower()
    plural = _PLURAL_ACRONYM.search(name)
    if plural:
        matched = plural.group()
        name = f"{name[: -len(matched)]}_{matched.lower()}"
    return _END_CAP.sub(r"\1_\2", _FIRST_CAP.sub(r"\1_\2", name)).lower()


def safe(name):
    """An identifier that is neither keyword nor macro."""
    if not name:
        name = "empty"
    elif name[0].isdigit():
        name = "v_" + name
    if name in KEYWORDS or name in MACROS or re.match(r"SIG[A-Z]+$|E[A-Z0-9]{3,}$", name):
        name += "_"
    return name


def field(name):
    return safe(snake(name))


def constant(value):
    """The identifier of an enum value."""
    name = re.sub(r"[^0-9A-Za-z_]", "_", value)
    name = re.sub(r"__+", "_", name)
    if name.startswith("_") and name != "_":
        name = name[1:]
    return safe(name) if name != "_" else "other_"


def folder_of(service):
    return service.replace("-", "_")


def cpp_string(text):
    """A C++ string literal of the text's UTF-8."""
    out = []
    for byte in text.encode():
        char = chr(byte)
        if char in '"\\':
            out.append("\\" + char)
        elif char == "\n":
            out.append("\\n")
        elif byte < 0x20 or byte >= 0x7F:
            out.append(f"\\{byte:03o}")  # octal escapes end by themselves
        else:
            out.append(char)
    return '"' + "".join(out).replace("??", "?\\?") + '"'
