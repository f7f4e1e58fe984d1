// SPDX-License-Identifier: Apache-2.0
// What the sandbox and its first process (sandbox_init_static_main.cpp) tell each other.
//
// The program `sandbox-init` runs twice. Outside, it joins the control groups, makes the user and
// mount namespaces, stacks the layers, and becomes bubblewrap. Inside, as process 1, it opens the
// listeners, starts the command and reaps. Both stages read one specification from a memory file:
// fields of {tag, 32-bit length, bytes}. This header is all that they share: the program is linked
// statically and must not depend on the rest.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tarn::sandbox::init {

// Descriptors that the program inherits besides 0, 1 and 2.
inline constexpr int k_control_fd = 3;  // sequenced packets, see Report and Order
inline constexpr int k_spec_fd = 4;
inline constexpr int k_self_fd = 5;  // the program itself, so that it needs no path inside

enum class Field : char {
  parent_pid = 'P',
  namespaces = 'N',    // one Namespaces
  cgroup_procs = 'C',  // a file to write "0" to; repeated
  overlay = 'O',       // target \0 options; repeated
  bubblewrap = 'B',    // one argument; repeated
  listener = 'L',      // address \0 port; repeated
  uid = 'U',
  gid = 'G',
  working_directory = 'W',
  argument = 'A',        // repeated
  environment = 'E',     // NAME=value; repeated
  resource_limit = 'R',  // number \0 value; repeated
};

enum class Namespaces : char {
  user_identity = 'i',  // a user namespace in which every id means itself: capabilities end there
  user_single = 's',    // a user namespace with the caller as id 0 and nobody else
  none = 'n',           // no user namespace; only as root
};

// First byte of a packet from the program.
enum class Report : char {
  listeners = 'L',  // with the descriptors as ancillary data
  started = 'S',
  failed = 'F',  // text: the command does not run
  exited = 'X',  // wait status, user µs, system µs, peak KiB: four 64-bit numbers
};

// First byte of a packet to the program.
enum class Order : char {
  signal_all = 'A',   // a second byte: the signal, for every process inside
  signal_main = 'M',  // a second byte: the signal, for the command alone
};

inline constexpr std::size_t k_listeners_max = 64;
inline constexpr int k_exit_not_started = 125;

inline void append_field(std::string& spec, Field field, std::string_view bytes) {
  const auto length = static_cast<std::uint32_t>(bytes.size());
  spec.push_back(static_cast<char>(field));
  spec.append(reinterpret_cast<const char*>(&length), sizeof length);
  spec.append(bytes);
}

// Calls visit(field, bytes) for each; false when the text is cut off.
template <class Visit>
bool for_each_field(std::string_view spec, Visit visit) {
  while (!spec.empty()) {
    std::uint32_t length = 0;
    if (spec.size() < 1 + sizeof length) return false;
    std::memcpy(&length, spec.data() + 1, sizeof length);
    const auto field = static_cast<Field>(spec.front());
    spec.remove_prefix(1 + sizeof length);
    if (spec.size() < length) return false;
    visit(field, spec.substr(0, length));
    spec.remove_prefix(length);
  }
  return true;
}

}  // namespace tarn::sandbox::init
