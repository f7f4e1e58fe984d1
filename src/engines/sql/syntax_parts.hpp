// SPDX-License-Identifier: Apache-2.0
// The pieces of the statement parser, shared between its files (syntax*.cpp). See syntax.hpp.
#pragma once
#include "engines/sql/syntax.hpp"

namespace tarn::sql {

std::vector<std::string> parse_name_list(TokenCursor& cursor);  // ( a, b )
CreateTable parse_create_table(TokenCursor& cursor);            // behind TABLE
ColumnSpec parse_column(TokenCursor& cursor, std::map<std::string, std::string>& tags);
AlterTable parse_alter_table(TokenCursor& cursor, bool view);  // behind TABLE or VIEW
CopyFrom parse_copy(TokenCursor& cursor);
Unload parse_unload(TokenCursor& cursor);

}  // namespace tarn::sql
