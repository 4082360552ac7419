import { NoSpaceError } from '../base/index.ts';
import { MappingRuns } from './mapping-runs.ts';
import { RunList } from './run-list.ts';
import type { ThinVisitor, ThinXmlDevice, ThinXmlSuperblock } from './visitor.ts';

const PAGE_BLOCKS = 1 << 16;

/** Blocks that move to another place, together. */
export interface BlockMove {
  readonly from: number;
  readonly to: number;
  readonly length: number;
}

/** What is in use of a pool: the first reading for {@link planShrink}. Takes a bit for each data block that stays, and 24 bytes a run of those that go. */
export class ShrinkSurvey implements ThinVisitor {
  readonly nrBlocks: number;
  /** What moves; in order of data blocks only when {@link planShrink} has sorted it. */
  readonly above = new RunList();
  readonly #used = new Map<number, Uint8Array>();

  /** @param nrBlocks - Data blocks that the pool is to have. */
  constructor(nrBlocks: number) {
    this.nrBlocks = nrBlocks;
  }

  superblockBegin(): void {}
  superblockEnd(): void {}
  defBegin(): void {}
  defEnd(): void {}
  deviceBegin(): void {}
  deviceEnd(): void {}
  ref(): void {}

  map(_originBegin: number, dataBegin: number, length: number): void {
    const end = dataBegin + length;
    if (end > this.nrBlocks) {
      const begin = Math.max(dataBegin, this.nrBlocks);
      this.above.push(begin, begin, end - begin);
    }
    for (let block = dataBegin; block < Math.min(end, this.nrBlocks); block++) {
      const index = Math.floor(block / PAGE_BLOCKS);
      let page = this.#used.get(index);
      if (page === undefined) {
        page = new Uint8Array(PAGE_BLOCKS / 8);
        this.#used.set(index, page);
      }
      const at = block - index * PAGE_BLOCKS;
      page[at >>> 3]! |= 1 << (at & 7);
    }
  }

  /** The first block from `from` on that is free (or used), or the end. */
  next(from: number, wanted: 'free' | 'used'): number {
    let block = from;
    while (block < this.nrBlocks) {
      const index = Math.floor(block / PAGE_BLOCKS);
      const page = this.#used.get(index);
      const pageEnd = (index + 1) * PAGE_BLOCKS;
      if (page === undefined) {
        if (wanted === 'free') return block;
        block = pageEnd;
        continue;
      }
      for (; block < pageEnd; block++) {
        const at = block - index * PAGE_BLOCKS;
        if (((page[at >>> 3]! >>> (at & 7)) & 1) === (wanted === 'used' ? 1 : 0)) return Math.min(block, this.nrBlocks);
      }
    }
    return this.nrBlocks;
  }
}

/**
 * Finds a place for all blocks beyond the new end: the first run to move goes to the first gap, cut where the gap ends, and so on.
 *
 * @throws {NoSpaceError} when there are not gaps enough.
 */
export function planShrink(survey: ShrinkSurvey): BlockMove[] {
  const moves: BlockMove[] = [];
  let gap = survey.next(0, 'free');
  let gapEnd = survey.next(gap, 'used');
  for (const { begin, end } of distinctRuns(survey.above)) {
    for (let from = begin; from < end; ) {
      if (gap === gapEnd) {
        gap = survey.next(gapEnd, 'free');
        gapEnd = survey.next(gap, 'used');
      }
      if (gap >= survey.nrBlocks) throw new NoSpaceError('Insufficient free space', 'data');
      const length = Math.min(end - from, gapEnd - gap);
      moves.push({ from, to: gap, length });
      from += length;
      gap += length;
    }
  }
  return moves;
}

/** Runs in order, without what they have in common. */
function distinctRuns(runs: RunList): { begin: number; end: number }[] {
  const order = Array.from({ length: runs.length }, (_, i) => i).sort((a, b) => runs.data[a]! - runs.data[b]!);
  const distinct: { begin: number; end: number }[] = [];
  for (const i of order) {
    const begin = runs.data[i]!;
    const end = begin + runs.count[i]!;
    const last = distinct.at(-1);
    if (last !== undefined && begin <= last.end) last.end = Math.max(last.end, end);
    else distinct.push({ begin, end });
  }
  return distinct;
}

/** Passes thin metadata on with data blocks as they are after the moves, and the new number of data blocks. */
export class ShrinkVisitor implements ThinVisitor {
  readonly #next: ThinVisitor;
  readonly #nrBlocks: number;
  readonly #moves: readonly BlockMove[];
  readonly #runs: MappingRuns;
  constructor(next: ThinVisitor, nrBlocks: number, moves: readonly BlockMove[]) {
    this.#next = next;
    this.#nrBlocks = nrBlocks;
    this.#moves = moves;
    this.#runs = new MappingRuns(next);
  }

  superblockBegin(superblock: ThinXmlSuperblock): void {
    this.#next.superblockBegin({ ...superblock, nrDataBlocks: this.#nrBlocks });
  }

  superblockEnd(): void {
    this.#next.superblockEnd();
  }

  defBegin(name: string): void {
    this.#next.defBegin(name);
  }

  defEnd(): void {
    this.#next.defEnd();
  }

  deviceBegin(device: ThinXmlDevice): void {
    this.#next.deviceBegin(device);
  }

  deviceEnd(): void {
    this.#next.deviceEnd();
  }

  ref(name: string): void {
    this.#next.ref(name);
  }

  map(originBegin: number, dataBegin: number, length: number, time: number): void {
    if (dataBegin + length <= this.#nrBlocks) {
      this.#next.map(originBegin, dataBegin, length, time);
      return;
    }
    const stays = Math.max(0, this.#nrBlocks - dataBegin);
    for (let i = 0; i < stays; i++) this.#runs.add(originBegin + i, dataBegin + i, time);
    let move = this.#moveOf(dataBegin + stays);
    for (let i = stays; i < length; i++) {
      const block = dataBegin + i;
      while (block >= this.#moves[move]!.from + this.#moves[move]!.length) move++;
      this.#runs.add(originBegin + i, this.#moves[move]!.to + block - this.#moves[move]!.from, time);
    }
    this.#runs.flush();
  }

  /** The last move that begins at or before a block. */
  #moveOf(block: number): number {
    let low = 0;
    let high = this.#moves.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#moves[middle]!.from <= block) low = middle;
      else high = middle;
    }
    return low;
  }
}
