/* For LD_PRELOAD: each sync of a file or directory takes SLOW_SYNC_US microseconds longer, as on a disk that is slow to say so. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int slowly(const char *name, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  const char *us = getenv("SLOW_SYNC_US");
  int result = real(fd);
  if (us != NULL) usleep((useconds_t)atol(us));
  return result;
}

int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
