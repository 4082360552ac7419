/**
 * A negative control for `sigkill.ts`, to be loaded before the victim: what a file is given stays in the process's memory until the next flush, and every
 * second flush is forgotten. What is acknowledged by it dies with the process.
 */

import { BLOCK_SIZE, FileDevice } from 'persistent-data/io';

const { read, write, flush, flushAsync } = FileDevice.prototype;
const kept = new WeakMap<FileDevice, Map<number, Uint8Array>>();
let nrFlushes = 0;

function keptOf(device: FileDevice): Map<number, Uint8Array> {
  const known = kept.get(device) ?? new Map<number, Uint8Array>();
  kept.set(device, known);
  return known;
}

function forEachBlock(
  begin: number,
  buffers: readonly Uint8Array[],
  visit: (block: number, bytes: Uint8Array) => void,
): void {
  let block = begin;
  for (const buffer of buffers) {
    for (let at = 0; at < buffer.byteLength; at += BLOCK_SIZE) visit(block++, buffer.subarray(at, at + BLOCK_SIZE));
  }
}

/** Answers whether there is anything to flush now. */
function writeKept(device: FileDevice): boolean {
  if (++nrFlushes % 2 === 0) return false;
  for (const [block, bytes] of keptOf(device)) write.call(device, block, [bytes]);
  keptOf(device).clear();
  return true;
}

FileDevice.prototype.read = function (begin, buffers) {
  read.call(this, begin, buffers);
  forEachBlock(begin, buffers, (block, bytes) => {
    const newer = keptOf(this).get(block);
    if (newer !== undefined) bytes.set(newer);
  });
};
FileDevice.prototype.write = function (begin, buffers) {
  forEachBlock(begin, buffers, (block, bytes) => keptOf(this).set(block, bytes.slice()));
};
FileDevice.prototype.flush = function () {
  if (writeKept(this)) flush.call(this);
};
FileDevice.prototype.flushAsync = async function () {
  if (writeKept(this)) await flushAsync.call(this);
};
