# SPDX-License-Identifier: Apache-2.0
"""Writes the first files of a service: `./dev new-service NAME OPERATION NOUN`."""

from __future__ import annotations

import os
import pathlib
import re
import string
import subprocess
import sys

import botocore.session
from botocore import xform_name

REPO = pathlib.Path(os.environ.get("TARN_REPO", pathlib.Path(__file__).parents[2]))

README = """\
# $title

What is real, what deviates from AWS, where to look. `docs/coverage.md` lists the operations.

- Operations: `service.cpp`. The domain, without AWS's wire types: `$noun.hpp`.
- Durable records: `records.hpp`.
- Deviations: $Operation is not implemented yet.
"""

SERVICE_HPP = """\
// SPDX-License-Identifier: Apache-2.0
// $title: the operation table and its handlers. What they decide stands in $noun.hpp.
//
// Threading: handlers run on the call pool, several at a time; all state is in the store.
#pragma once
#include "aws/$folder/operations.hpp"
#include "platform/service.hpp"
#include "services/$folder/records.hpp"

namespace tarn::$folder {

class $Class : public platform::ServiceOf<$Class> {
 public:
  explicit $Class(platform::Environment& environment);
  std::string_view name() const override { return "$folder"; }$action_prefix
  void operations(platform::OpTable& t);

 private:
  using Call = platform::Call;
  ${Operation}Output $operation(Call&, const ${Operation}Input&);

  [[maybe_unused]] kernel::Store& store_;
};

}  // namespace tarn::$folder
"""

SERVICE_CPP = """\
// SPDX-License-Identifier: Apache-2.0
#include "services/$folder/service.hpp"

#include "aws/error.hpp"
#include "services/$folder/$noun.hpp"

namespace tarn::$folder {

$Class::$Class(platform::Environment& environment) : store_(environment.store) {}

void $Class::operations(platform::OpTable& t) {
  t.op<$Operation>(&$Class::$operation).partial("not implemented yet");
}

// Parse the input into the domain's types, then one transaction:
//   auto txn = store_.begin(call.scope());
//   if (txn.find_for_update<${Noun}Record>(name)) throw …;
//   txn.put(${Noun}Record{…});
//   txn.commit();
${Operation}Output $Class::$operation(Call&, const ${Operation}Input&) {
  throw aws::not_implemented("$name", "$Operation");
}

}  // namespace tarn::$folder
"""

RECORDS_HPP = """\
// SPDX-License-Identifier: Apache-2.0
// The durable records of $title. A field is added at the end, under f.since(version).
#pragma once
#include <string>

#include "base/time.hpp"
#include "kernel/record.hpp"

namespace tarn::$folder {

struct ${Noun}Record {
  static constexpr kernel::RecordKind k_kind{"$folder", "$noun", 1};
  std::string name;
  Timestamp created{};
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) { f(name, created); }
};

}  // namespace tarn::$folder
"""

NOUN_HPP = """\
// SPDX-License-Identifier: Apache-2.0
// A $noun's rules: its name, and what may be done to it. No AWS wire types, no store, no HTTP.
#pragma once
#include <string>
#include <string_view>

namespace tarn::$folder {

// 1 to 128 letters, digits, and any of "_.-". Check it against AWS's documentation of
// $Operation.
class ${Noun}Name {
 public:
  // Throws ValidationException.
  static ${Noun}Name parse(std::string_view text);
  const std::string& text() const { return text_; }

 private:
  explicit ${Noun}Name(std::string_view text) : text_(text) {}
  std::string text_;
};

}  // namespace tarn::$folder
"""

NOUN_CPP = """\
// SPDX-License-Identifier: Apache-2.0
#include "services/$folder/$noun.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "aws/error.hpp"

namespace tarn::$folder {

${Noun}Name ${Noun}Name::parse(std::string_view text) {
  const bool well_formed =
      !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](unsigned char c) {
        return std::isalnum(c) || c == '_' || c == '.' || c == '-';
      });
  if (!well_formed) {
    throw aws::validation_error(fmt::format("Invalid $noun name: {}", text));
  }
  return ${Noun}Name(text);
}

}  // namespace tarn::$folder
"""

NOUN_TEST = """\
// SPDX-License-Identifier: Apache-2.0
#include "services/$folder/$noun.hpp"

#include <gtest/gtest.h>

#include "aws/error.hpp"

namespace tarn::$folder {
namespace {

TEST(${Noun}Name, takes_letters_digits_and_punctuation) {
  EXPECT_EQ(${Noun}Name::parse("a-B.c_1").text(), "a-B.c_1");
}

TEST(${Noun}Name, refuses_what_aws_refuses) {
  for (const std::string& text : {std::string(), std::string("a b"), std::string(129, 'x')}) {
    EXPECT_THROW(${Noun}Name::parse(text), aws::ApiError) << text;
  }
}

}  // namespace
}  // namespace tarn::$folder
"""

COMPAT_TEST = '''\
# SPDX-License-Identifier: Apache-2.0
"""$title against the real binary."""

import pytest


@pytest.fixture
def $folder(tarn):
    return tarn.client("$name")


def test_${operation}_answers($folder, unique):
    # Give it what it requires, and look at what it made: this fails until then.
    $folder.$operation()
'''


def camel(text: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[-_ ]", text))


def main() -> None:
    name, operation, noun = sys.argv[1].replace("_", "-"), sys.argv[2], sys.argv[3]
    session = botocore.session.get_session()
    if name not in session.get_available_services():
        sys.exit(f"new-service: botocore knows no service '{name}'")
    model = session.get_service_model(name)
    if operation not in model.operation_names:
        sys.exit(f"new-service: {name} has no operation '{operation}'")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", noun) or noun in ("service", "records"):
        sys.exit("new-service: NOUN is a snake_case word that names what the operation is about")

    folder = name.replace("-", "_")
    target = REPO / "src/services" / folder
    if target.exists():
        sys.exit(f"new-service: {target.relative_to(REPO)} exists")
    prefix = ""
    if model.signing_name != folder:
        prefix = ('\n  std::string_view action_prefix() const override { return "'
                  f'{model.signing_name}"; }}')
    words = {
        "title": model.metadata.get("serviceAbbreviation", model.metadata["serviceFullName"]),
        "name": name, "folder": folder, "Class": camel(name), "noun": noun, "Noun": camel(noun),
        "Operation": operation, "operation": xform_name(operation), "action_prefix": prefix,
    }
    files = {
        target / "README.md": README,
        target / "service.hpp": SERVICE_HPP,
        target / "service.cpp": SERVICE_CPP,
        target / "records.hpp": RECORDS_HPP,
        target / f"{noun}.hpp": NOUN_HPP,
        target / f"{noun}.cpp": NOUN_CPP,
        target / f"{noun}_test.cpp": NOUN_TEST,
        REPO / "tests/compat" / f"test_{folder}.py": COMPAT_TEST,
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            print(f"kept   {path.relative_to(REPO)}")
            continue
        path.write_text(string.Template(text).substitute(words))
        if path.suffix in (".cpp", ".hpp"):
            subprocess.run(["clang-format-16", "-i", path], check=True)
        print(f"wrote  {path.relative_to(REPO)}")
    print(f"""
Next:
  - add {words['Class']} to the services in src/server
  - ./dev build --preset dev svc_{folder}_test && build/dev/bin/svc_{folder}_test
  - write the handler and tests/compat/test_{folder}.py, then ./dev fmt && ./dev tidy""")


if __name__ == "__main__":
    main()
