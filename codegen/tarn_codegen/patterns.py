# SPDX-License-Identifier: Apache-2.0
"""Java's regular expressions, as the models have them, to RE2's."""
import re


def translate(pattern):
    """(expression for RE2 or '' where it has none, whether the pattern anchors itself).

    AWS matches the whole value, except where the pattern has anchors of its own.
    """
    partial = pattern.startswith("^") or pattern.endswith("$")
    if re.search(r"\(\?[=!<]|\\[1-9]|\d\}\{\d|&&\[|\\[GZX]", pattern):
        return "", partial  # look-around, back references, doubled quantifiers, intersections
    text = pattern
    # Surrogate pairs stand for what is beyond the basic plane.
    text = text.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\x{10000}-\x{10FFFF}")
    text = text.replace(r"\ud800\udc00-\udbff\udfff", r"\x{10000}-\x{10FFFF}")
    if re.search(r"\\u[dD][89a-fA-F]", text):
        text = re.sub(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}(-\\u[dD][89a-fA-F][0-9a-fA-F]{2})?", "",
                      text)
        text = text.replace("[]", "")
    text = re.sub(r"\\u([0-9A-Fa-f]{4})", r"\\x{\1}", text)
    for java, posix in (("IsLetter", "L"), ("IsDigit", "Nd"), ("IsAlphabetic", "L")):
        text = text.replace(r"\p{%s}" % java, r"\p{%s}" % posix)
    for java, content in _CLASSES.items():
        text = re.sub(r"\\p\{(?:Is)?%s\}" % java, lambda m, c=content: _OPEN + c + _CLOSE, text)
    text = _rewrite_brackets(text)
    # RE2 repeats at most 1000 times; the length is bounded by the shape's own maximum.
    text = re.sub(r"\{(\d+),(\d+)\}", _bounded, text)
    if re.search(r"(?<!\\x)\{[1-9]\d{3,},?\}", text):
        return "", partial
    return text, partial


def _bounded(match):
    low, high = int(match[1]), int(match[2])
    if low > 1000:
        return match[0]
    return "{%d,}" % low if high > 1000 else match[0]


_OPEN, _CLOSE = "\x0e", "\x0f"  # in no pattern


# Java's classes, as the content of a bracket.
_CLASSES = {name: f"[:{name.lower()}:]" for name in (
    "Alpha", "Digit", "Alnum", "Upper", "Lower", "Punct", "Graph", "Print", "Space", "XDigit",
    "Cntrl", "Blank", "ASCII")}
_CLASSES.update({"Whitespace": r"\s", "all": r"\x{0}-\x{10FFFF}", "LD": r"\p{L}\p{Nd}",
                 "White_Space": r"\s"})


def _rewrite_brackets(text):
    """What differs inside brackets and outside of them: a Java class outside gets a pair of its
    own; an opening bracket inside is a literal in RE2; outside, a possessive quantifier becomes a
    greedy one, which matches at least as much."""
    out, inside, i = [], False, 0
    while i < len(text):
        char = text[i]
        if char == "\\" and i + 1 < len(text):
            end = text.find("}", i) + 1 if re.match(r"\\[pPx]\{", text[i:]) else i + 2
            out.append(text[i:end])
            i = end
            continue
        if char == _OPEN:
            end = text.index(_CLOSE, i)
            content = text[i + 1:end]
            out.append(content if inside else f"[{content}]")
            i = end + 1
            continue
        if inside and text.startswith("[:", i) and ":]" in text[i:]:
            end = text.index(":]", i) + 2
            out.append(text[i:end])
            i = end
            continue
        if char == "[":
            out.append("\\[" if inside else "[")
            inside = True
        elif char == "]" and inside:
            inside = False
            out.append("]")
        else:
            out.append(char)
            if not inside and char in "*+?}" and text[i + 1:i + 2] == "+":
                i += 1
        i += 1
    return "".join(out)
