#include "base/standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

namespace manta {

void OpenStandardDescriptors() {
  for (;;) {
    const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    if (fd > STDERR_FILENO) {
      close(fd);
      return;
    }
    fcntl(fd, F_SETFD, 0);  // programs that are executed have them, too
  }
}

}  // namespace manta
