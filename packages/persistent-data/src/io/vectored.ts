/** The most buffers that one readv or writev takes (POSIX's IOV_MAX, as Linux and macOS have it). */
const MAX_BUFFERS = 1024;

/** `readvSync` or `writevSync` of an open file: returns the bytes transferred, which may be fewer than asked for. */
export type VectoredCall = (buffers: readonly Uint8Array[], positionBytes: number) => number;

/**
 * Transfers all of `buffers`, in as few calls as the system allows, continuing where a call stopped short. Empty buffers are
 * allowed.
 *
 * @param positionBytes - Where in the file the first buffer belongs.
 * @throws {Error} with the code `EOF` when a call transfers nothing: the file has become shorter.
 */
export function transferAll(call: VectoredCall, buffers: readonly Uint8Array[], positionBytes: number): void {
  let pending = buffers.length > MAX_BUFFERS ? buffers.slice(0, MAX_BUFFERS) : buffers;
  let taken = pending.length;
  let position = positionBytes;
  for (;;) {
    let wanted = 0;
    for (const buffer of pending) wanted += buffer.byteLength;
    while (wanted > 0) {
      const done = call(pending, position);
      if (done === 0) throw Object.assign(new Error('EOF: no byte was transferred'), { code: 'EOF' });
      position += done;
      wanted -= done;
      if (wanted > 0) pending = rest(pending, done);
    }
    if (taken === buffers.length) return;
    pending = buffers.slice(taken, taken + MAX_BUFFERS);
    taken += pending.length;
  }
}

/** What is left of `buffers` after their first `done` bytes. */
function rest(buffers: readonly Uint8Array[], done: number): Uint8Array[] {
  let skipped = done;
  let index = 0;
  while (skipped >= buffers[index]!.byteLength) {
    skipped -= buffers[index]!.byteLength;
    index += 1;
  }
  return [buffers[index]!.subarray(skipped), ...buffers.slice(index + 1)];
}
