#include "node/kept_logs.h"

#include <sys/stat.h>
#include <unistd.h>

namespace manta::node {

void KeptLogs::WriterGone(const std::string& path) {
  struct stat status;
  if (lstat(path.c_str(), &status) != 0) return;
  const bool was_rotated = access(OldLog(path, 1).c_str(), F_OK) == 0;
  if (status.st_size == 0 && !was_rotated) {
    unlink(path.c_str());
    return;
  }
  kept_.push_back(path);
  if (kept_.size() <= kKept) return;
  unlink(kept_.front().c_str());
  for (int old = 1; old <= kOldLogs; ++old) unlink(OldLog(kept_.front(), old).c_str());
  kept_.pop_front();
}

void KeptLogs::WorkerGone(const WorkerLog& log) {
  WriterGone(log.out());
  WriterGone(log.err());
}

}  // namespace manta::node
