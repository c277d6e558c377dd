#include "stacks/function_name.h"

#include <cxxabi.h>

#include <cstdlib>
#include <string_view>

namespace manta::stacks {

std::string Demangled(const std::string& symbol) {
  int status = 0;
  char* text = abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status);
  std::string name = text != nullptr ? text : symbol;
  std::free(text);
  // The version of the interface is the library's business.
  constexpr std::string_view kNamespace = "manta::";
  constexpr std::string_view kVersion = "v1::";
  for (size_t at = 0; (at = name.find(kNamespace, at)) != std::string::npos;) {
    at += kNamespace.size();
    if (name.compare(at, kVersion.size(), kVersion) == 0) name.erase(at, kVersion.size());
  }
  // Of results that contain the strings of one of the two interfaces of libstdc++.
  constexpr std::string_view kTag = "[abi:";
  for (size_t at = 0; (at = name.find(kTag, at)) != std::string::npos;) {
    const size_t end = name.find(']', at);
    if (end == std::string::npos) break;
    name.erase(at, end + 1 - at);
  }
  return name;
}

std::string WithoutSignature(const std::string& demangled) {
  // The last ')' closes the parameters, whatever qualifiers follow; what is in front of its '(' is the name.
  size_t end = demangled.rfind(')');
  if (end == std::string::npos) return demangled;
  int depth = 0;
  do {
    depth += demangled[end] == ')' ? 1 : demangled[end] == '(' ? -1 : 0;
  } while (depth > 0 && end-- > 0);
  if (depth != 0 || end == 0) return demangled;
  const std::string name = demangled.substr(0, end);
  // Templates have their result type in front.
  size_t begin = 0;
  depth = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '<' || name[i] == '(') ++depth;
    if (name[i] == '>' || name[i] == ')') --depth;
    if (name[i] == ' ' && depth == 0 && name.find("operator", begin) > i) begin = i + 1;
  }
  return name.substr(begin);
}

}  // namespace manta::stacks
