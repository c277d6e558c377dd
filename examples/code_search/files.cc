#include "files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "report.h"

namespace code_search {
namespace {

class Walk {
 public:
  Walk(const std::string& root, uint64_t group_bytes, const std::function<bool(FileGroup&&)>& sink)
      : root_(root), group_bytes_(group_bytes), sink_(sink) {
    group_.root = root;
  }

  Totals Run() {
    const bool complete = Directory("");
    if (complete && !group_.paths.empty()) sink_(std::move(group_));
    return totals_;
  }

 private:
  // A group has at most so many files, so that many small ones do not make one long task.
  static constexpr uint32_t kMaxFiles = 4000;

  // `below`: the path of a directory below the root, with a slash at its end unless it is empty.
  // False when the walk is to end.
  bool Directory(const std::string& below) {
    struct Entry {
      std::string name;
      bool is_directory;
      uint64_t size;
    };
    std::vector<Entry> entries;
    const std::string path = root_ + "/" + below;
    DIR* directory = opendir(path.c_str());
    if (directory == nullptr) return NoteUnreadable(path);
    while (const dirent* found = readdir(directory)) {
      if (std::strcmp(found->d_name, ".") == 0 || std::strcmp(found->d_name, "..") == 0) continue;
      struct stat status;
      if (fstatat(dirfd(directory), found->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        NoteUnreadable(path + found->d_name);
      } else if (S_ISDIR(status.st_mode) || S_ISREG(status.st_mode)) {
        entries.push_back({found->d_name, S_ISDIR(status.st_mode), uint64_t(status.st_size)});
      }
    }
    closedir(directory);
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.name < b.name; });
    for (const Entry& entry : entries) {
      const bool go_on = entry.is_directory ? Directory(below + entry.name + "/")
                                            : File(below + entry.name, entry.size);
      if (!go_on) return false;
    }
    return true;
  }

  bool File(const std::string& path, uint64_t size) {
    group_.paths.append(path.c_str(), path.size() + 1);  // with its zero byte
    group_.bytes += size;
    ++num_files_;
    if (group_.bytes < group_bytes_ && num_files_ - group_.first_file < kMaxFiles) return true;
    FileGroup full = std::exchange(group_, FileGroup());
    group_.root = root_;
    group_.first_file = num_files_;
    return sink_(std::move(full));
  }

  bool NoteUnreadable(const std::string& path) {
    ++totals_.unreadable;
    if (totals_.first_error.empty()) totals_.first_error = path + ": " + std::strerror(errno);
    return true;
  }

  const std::string& root_;
  const uint64_t group_bytes_;
  const std::function<bool(FileGroup&&)>& sink_;
  FileGroup group_;
  uint32_t num_files_ = 0;
  Totals totals_;
};

}  // namespace

Totals WalkTree(const std::string& root, uint64_t group_bytes,
                const std::function<bool(FileGroup&&)>& sink) {
  return Walk(root, group_bytes, sink).Run();
}

std::string ResolveDirectory(const std::string& given) {
  char* resolved = realpath(given.c_str(), nullptr);
  if (resolved == nullptr) throw UserError(given + ": " + std::strerror(errno));
  const std::string path = resolved;
  std::free(resolved);
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) throw UserError(given + ": " + std::strerror(errno));
  closedir(directory);
  return path;
}

}  // namespace code_search
