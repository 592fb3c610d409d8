// drop-pages.node: dropPages(ArrayBuffer) takes the pages of a buffer's memory away from this process, so
// that the next touch of each is a page fault. Returns how many pages were dropped; throws when the kernel
// refuses.
#define _GNU_SOURCE
#include <errno.h>
#include <node_api.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

static napi_value drop_pages(napi_env env, napi_callback_info info) {
  napi_value argument, result = NULL;
  size_t count = 1, bytes = 0;
  void *data = NULL;
  if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) != napi_ok ||
      napi_get_arraybuffer_info(env, argument, &data, &bytes) != napi_ok) {
    napi_throw_type_error(env, NULL, "expected an ArrayBuffer");
    return NULL;
  }
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  const uintptr_t from = ((uintptr_t)data + page - 1) & ~(page - 1);
  const uintptr_t to = ((uintptr_t)data + bytes) & ~(page - 1);
  if (to > from && madvise((void *)from, to - from, MADV_DONTNEED_LOCKED) != 0 &&
      madvise((void *)from, to - from, MADV_DONTNEED) != 0) {
    napi_throw_error(env, "EMADVISE", strerror(errno));
    return NULL;
  }
  napi_create_uint32(env, to > from ? (uint32_t)((to - from) / page) : 0, &result);
  return result;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "dropPages", NAPI_AUTO_LENGTH, drop_pages, NULL, &function);
  napi_set_named_property(env, exports, "dropPages", function);
  return exports;
}
