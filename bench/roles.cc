#include "roles.h"

#include <cstdio>
#include <map>

#include "manta/errors.h"

namespace manta::bench {

int RunRole(const std::string& name, const std::vector<std::string>& arguments) {
  const std::map<std::string, Role> roles = {
      {"two-drivers", TwoDriversRole()},
      {"cost-driver", CostDriverRole()},
      {"first-result", FirstResultRole()},
  };
  const auto role = roles.find(name);
  if (role == roles.end()) return 2;
  try {
    return role->second(arguments);
  } catch (const Error& error) {
    std::fprintf(stderr, "manta_bench, role %s: %s\n", name.c_str(), error.what());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "manta_bench, role %s: %s\n", name.c_str(), error.what());
  }
  return 1;
}

}  // namespace manta::bench
