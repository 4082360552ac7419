import type { ThinDevice } from '../thin/index.ts';
import { writeFresh } from './block-writer.ts';
import { writeZeros } from './data-device.ts';
import { UNMAPPED } from './mapping-cache.ts';
import type { PoolEngine } from './pool-engine.ts';
import type { VolumeState } from './volume-state.ts';

/** Mappings that are removed at once: some milliseconds, as each costs 20 µs. Requests of others are served before the next ones. */
const SLICE_BLOCKS = 128;

/** A run of neighbours up to this long is removed in one: parts of it would leave other nodes than the kernel's, which are compared with ours. */
const MAX_RUN_BLOCKS = 1024;

/** Half-open run of data blocks. */
interface DataRun {
  readonly begin: number;
  readonly end: number;
}

/** Whether blocks can be unmapped now: discards are neither switched off nor ignored for want of metadata space. */
export function canUnmap(engine: PoolEngine): boolean {
  return engine.discards !== 'ignore' && !engine.mode.isAtLeast('out_of_metadata_space');
}

/**
 * Unmaps virtual blocks of `begin..end`, of many only the first ones: answers where it stopped, and has the requests that wait tried again soon.
 *
 * With passdown every run is unmapped and its data blocks kept by a reference of ours, then all these references
 * are dropped: the kernel's order, which shows in the bytes. What the next commit finds free is given back to the host.
 */
export function unmapBlocks(engine: PoolEngine, volume: VolumeState, begin: number, end: number): number {
  const { metadata } = engine;
  const { thin } = volume;
  const to = sliceEnd(thin, begin, end);
  engine.noteFreed();
  engine.change(() => {
    if (engine.discards !== 'passdown') {
      thin.removeRange(begin, to);
      return;
    }
    const held: DataRun[] = [];
    for (let run = thin.findMappedRange(begin, to); run !== undefined; run = thin.findMappedRange(run.end, to)) {
      const data = { begin: run.dataBegin, end: run.dataBegin + run.end - run.begin };
      thin.removeRange(run.begin, run.end);
      metadata.incDataRange(data.begin, data.end);
      held.push(data);
    }
    for (const data of held) metadata.decDataRange(data.begin, data.end);
  });
  if (to - begin > SLICE_BLOCKS) volume.cache.clear();
  else for (let block = begin; block < to; block++) volume.cache.set(block, UNMAPPED, false);
  if (to < end) engine.retrySoon();
  return to;
}

/** Where a slice ends that begins at `begin`: with the volume's last mapping in the range, or with the run that makes it enough of them. */
function sliceEnd(thin: ThinDevice, begin: number, end: number): number {
  let left = SLICE_BLOCKS;
  if (end - begin <= left) return end;
  for (let at = begin; ; ) {
    const run = thin.findMappedRange(at, end, MAX_RUN_BLOCKS);
    if (run === undefined) return end;
    left -= run.end - run.begin;
    if (left <= 0) return run.end;
    at = run.end;
  }
}

/** Bytes of a volume that become zeros. */
export interface ZeroRequest {
  readonly offset: number;
  readonly length: number;
  /** Whole blocks may become unmapped instead. */
  readonly mayUnmap: boolean;
}

/** Makes a run of bytes zeros. Answers how many are done; fewer than all when the request has to wait: for space, or as it is long. */
export function zeroBytes(engine: PoolEngine, volume: VolumeState, request: ZeroRequest): number {
  const { blockBytes } = engine;
  const { offset, length } = request;
  // Under an origin an unmapped block shows what that has.
  const mayUnmap = request.mayUnmap && volume.origin === undefined;
  for (let done = 0; done < length; ) {
    const block = Math.floor((offset + done) / blockBytes);
    const within = offset + done - block * blockBytes;
    const whole = Math.floor((length - done) / blockBytes);
    if (within === 0 && whole > 0 && mayUnmap && canUnmap(engine)) {
      if (!engine.lookForMetadata()) return done;
      if (!canUnmap(engine)) continue;
      const end = unmapBlocks(engine, volume, block, block + whole);
      done += (end - block) * blockBytes;
      if (end < block + whole) return done;
      continue;
    }
    const part = Math.min(blockBytes - within, length - done);
    if (!zeroInBlock(engine, volume, { block, within, length: part, keepUnmapped: request.mayUnmap })) return done;
    done += part;
  }
  return length;
}

interface BlockZeros {
  readonly block: number;
  readonly within: number;
  readonly length: number;
  /** Leaves a block that shows zeros anyway as it is. */
  readonly keepUnmapped: boolean;
}

function zeroInBlock(engine: PoolEngine, volume: VolumeState, zeros: BlockZeros): boolean {
  const { data, blockBytes } = engine;
  const { block, within, length, keepUnmapped } = zeros;
  const slot = volume.locate(block);
  const at = volume.cache.offsets[slot]!;
  if (at === UNMAPPED) {
    const showsOrigin = volume.origin !== undefined && block * blockBytes < volume.origin.sizeBytes;
    if (keepUnmapped && !showsOrigin) return true;
  } else if (!volume.cache.isShared(slot)) {
    writeZeros(data, at + within, length);
    return true;
  }
  const bytes = length === blockBytes ? undefined : new Uint8Array(length);
  return writeFresh(engine, volume, { block, within, bytes });
}
