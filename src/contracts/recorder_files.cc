#include "contracts/recorder_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>

namespace manta::contracts {
namespace {

constexpr std::string_view kSuffix = ".rec";

std::string NamesFile(const std::string& session) { return RecorderDirectory(session) + "/names"; }

std::string Hex8(uint32_t value) {
  char text[9];
  std::snprintf(text, sizeof text, "%08x", value);
  return text;
}

// On one line, and not endless.
std::string Clean(std::string_view text) {
  std::string clean(text.substr(0, kMaxNameBytes));
  std::replace_if(clean.begin(), clean.end(), [](char c) { return c == '\n' || c == '\0'; }, ' ');
  return clean;
}

// Up to the next space, which is consumed.
std::string_view NextWord(std::string_view* rest) {
  const size_t space = rest->find(' ');
  const std::string_view word = rest->substr(0, space);
  rest->remove_prefix(space == std::string_view::npos ? rest->size() : space + 1);
  return word;
}

bool NextHex(std::string_view* rest, uint32_t* value) {
  const std::string_view word = NextWord(rest);
  if (word.empty() || word.size() > 8) return false;
  *value = 0;
  for (const char c : word) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'a' || c > 'f')) return false;
    *value = *value << 4 | static_cast<uint32_t>(digit ? c - '0' : c - 'a' + 10);
  }
  return true;
}

void ParseLine(std::string_view line, RecorderNames* names) {
  const std::string_view what = NextWord(&line);
  uint32_t key = 0;
  if (!NextHex(&line, &key)) return;
  if (what == "function") {
    manta_function_id id{};
    for (uint32_t* part : {&id.module, &id.invoker, &id.target_module, &id.target}) {
      if (!NextHex(&line, part)) return;
    }
    names->functions.push_back({key, id, std::string(line)});
  } else if (what == "module") {
    const std::string_view build_id = NextWord(&line);
    names->modules.push_back({key, std::string(build_id == "-" ? "" : build_id), std::string(line)});
  } else if (what == "program") {
    names->programs.push_back({key, std::string(line)});
  }
}

Result<std::string> ReadAll(const std::string& path, uint64_t limit) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return errno == ENOENT ? Result<std::string>(std::string()) : ErrnoError("opening " + path, errno);
  std::string text;
  char buffer[16 * 1024];
  ssize_t size;
  while ((size = read(fd, buffer, sizeof buffer)) > 0 && text.size() < limit) {
    text.append(buffer, static_cast<size_t>(size));
  }
  const int error_number = errno;
  close(fd);
  if (size < 0) return ErrnoError("reading " + path, error_number);
  return text;
}

}  // namespace

std::string RecorderDirectory(const std::string& session) { return session + "/recorder"; }

std::string RecorderFile(const std::string& session, ProcessId process, RecorderThreads threads) {
  return RecorderDirectory(session) + "/process-" + std::to_string(static_cast<uint32_t>(process.value)) +
         (threads == RecorderThreads::kOthers ? "-threads" : "") + std::string(kSuffix);
}

Result<std::vector<std::string>> FindRecorderFiles(const std::string& session) {
  const std::string directory = RecorderDirectory(session);
  DIR* entries = opendir(directory.c_str());
  if (entries == nullptr) return ErrnoError("opening " + directory, errno);
  std::vector<std::string> files;
  while (const dirent* entry = readdir(entries)) {
    const std::string_view name = entry->d_name;
    if (name.starts_with("process-") && name.ends_with(kSuffix)) {
      files.push_back(directory + "/" + std::string(name));
    }
  }
  closedir(entries);
  std::sort(files.begin(), files.end());
  return files;
}

RecorderNames ParseRecorderNames(std::string_view text) {
  RecorderNames names;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) break;  // half written
    ParseLine(text.substr(0, end), &names);
    text.remove_prefix(end + 1);
  }
  return names;
}

RecorderNames ReadRecorderNames(const std::string& session) {
  const Result<std::string> text = ReadAll(NamesFile(session), 2 * kMaxNamesBytes);
  return text ? ParseRecorderNames(text.value()) : RecorderNames{};
}

RecorderNamesWriter::RecorderNamesWriter(const std::string& session) : path_(NamesFile(session)) {}

Result<> RecorderNamesWriter::Add(const RecorderNames::Function& function) {
  const std::string head = "function " + Hex8(function.key) + " ";
  const manta_function_id& id = function.id;
  return AddLine(head, head + Hex8(id.module) + " " + Hex8(id.invoker) + " " + Hex8(id.target_module) + " " +
                           Hex8(id.target) + " " + Clean(function.type));
}

Result<> RecorderNamesWriter::Add(const RecorderNames::Module& module) {
  const std::string head = "module " + Hex8(module.hash) + " ";
  return AddLine(head, head + (module.build_id.empty() ? "-" : Clean(module.build_id)) + " " + Clean(module.path));
}

Result<> RecorderNamesWriter::Add(const RecorderNames::Program& program) {
  const std::string head = "program " + Hex8(program.key) + " ";
  return AddLine(head, head + Clean(program.path));
}

Result<> RecorderNamesWriter::AddLine(const std::string& head, std::string line) {
  if (!has_read_) {
    Result<std::string> text = ReadAll(path_, kMaxNamesBytes);
    if (!text) return text.error();
    known_ = "\n" + *text;
    has_read_ = true;
  }
  if (known_.find("\n" + head) != std::string::npos) return {};
  line += '\n';
  const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (fd < 0) return ErrnoError("opening " + path_, errno);
  struct stat status;
  ssize_t written = 0;
  const bool has_room = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                        static_cast<uint64_t>(status.st_size) + line.size() <= kMaxNamesBytes;
  // In one write, so that lines of several processes do not mix.
  if (has_room) written = write(fd, line.data(), line.size());
  const int error_number = errno;
  close(fd);
  if (written < 0) return ErrnoError("writing " + path_, error_number);
  known_ += line;
  return {};
}

}  // namespace manta::contracts
