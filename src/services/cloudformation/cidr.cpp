// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/cidr.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>

#include "base/strings.hpp"
#include "services/cloudformation/template_text.hpp"

namespace tarn::cloudformation {
namespace {

using Address = unsigned __int128;

constexpr int k_count_max = 256;
constexpr int k_host_bits_ipv4 = 8;
constexpr int k_host_bits_ipv6 = 64;

std::string address_text(Address address, int family, int bits) {
  std::array<unsigned char, 16> bytes{};
  for (int i = 0; i < bits / 8; ++i) {
    bytes[static_cast<std::size_t>(i)] =
        static_cast<unsigned char>(address >> (bits - 8 * (i + 1)));
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family, bytes.data(), text.data(), text.size());
  return text.data();
}

[[noreturn]] void refuse(const std::string& block) {
  throw TemplateError("Template error: Fn::Cidr: invalid ipBlock " + block);
}

}  // namespace

std::vector<std::string> cidr_subnets(const std::string& block, int count,
                                      std::optional<int> host_bits) {
  const auto slash = block.find('/');
  const auto prefix =
      slash == std::string::npos ? std::nullopt : parse_uint(block.substr(slash + 1));
  if (!prefix) refuse(block);
  const int family = block.find(':') == std::string::npos ? AF_INET : AF_INET6;
  const int bits = family == AF_INET ? 32 : 128;
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(family, block.substr(0, slash).c_str(), bytes.data()) != 1 ||
      *prefix > static_cast<std::uint64_t>(bits)) {
    refuse(block);
  }
  if (count < 1 || count > k_count_max) {
    throw TemplateError("Template error: Fn::Cidr: count must be between 1 and 256");
  }
  const int hosts = host_bits.value_or(family == AF_INET ? k_host_bits_ipv4 : k_host_bits_ipv6);
  const int spare = bits - static_cast<int>(*prefix) - hosts;
  if (hosts < 1 || hosts >= bits || spare < 0 || (spare < 9 && count > (1 << spare))) {
    throw TemplateError(
        fmt::format("Template error: Fn::Cidr: {} has no room for {} subnets of {} "
                    "bits",
                    block, count, hosts));
  }
  Address base = 0;
  for (int i = 0; i < bits / 8; ++i) base = (base << 8) | bytes[static_cast<std::size_t>(i)];
  const int outside = bits - static_cast<int>(*prefix);
  if (outside > 0) base = outside >= 128 ? 0 : (base >> outside) << outside;
  std::vector<std::string> subnets;
  for (int i = 0; i < count; ++i) {
    const Address address = base + (static_cast<Address>(i) << hosts);
    subnets.push_back(fmt::format("{}/{}", address_text(address, family, bits), bits - hosts));
  }
  return subnets;
}

}  // namespace tarn::cloudformation
