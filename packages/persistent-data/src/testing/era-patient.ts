import { ERA_SUPERBLOCK } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { type Patient, valueWord } from './node-damage.ts';
import { type BlockUse, RawImage } from './raw-image.ts';

/** Trees of era metadata. `writesets`: that of archived writesets. `eras`, `bits`: those of the era array and of bitsets. */
export type EraTree = 'writesets' | 'eras' | 'bits' | 'counts';

const word = (name: Parameters<typeof ERA_SUPERBLOCK.word>[0]): number => ERA_SUPERBLOCK.word(name);

/**
 * Sound era metadata, looked through once by a plain walk that shares no code with the library: what each block in use is, for doing damage to it.
 */
export class EraPatient implements Patient {
  readonly device: BlockDevice;
  readonly image: RawImage;
  /** What each block in use is used as. */
  readonly uses = new Map<number, BlockUse>();
  readonly nodes: Readonly<Record<EraTree, number[]>> = { writesets: [], eras: [], bits: [], counts: [] };
  /** Blocks of the era array, and of bitsets. */
  readonly eraBlocks: number[] = [];
  readonly bitBlocks: number[] = [];
  readonly bitmaps: number[] = [];

  /** @param device - Holds sound era metadata, and is not changed while this is in use. */
  constructor(device: BlockDevice) {
    this.device = device;
    this.image = new RawImage(device);
    this.#superblock(0);
    const base = this.image.load(0);
    const map = word('metadataSpaceMapRoot');
    const nrBitmaps = Math.ceil(this.image.u64(base, map) / 16320);
    const index = this.image.u64(base, map + 4);
    this.uses.set(index, 'index');
    for (let i = 0; i < nrBitmaps; i++) this.bitmaps.push(this.image.u64(this.image.load(index), 4 + 4 * i));
    for (const bitmap of this.bitmaps) this.uses.set(bitmap, 'bitmap');
    this.#walk(this.image.u64(base, map + 6), 'counts', () => undefined);
  }

  useOf(block: number): BlockUse {
    return this.uses.get(block) ?? 'node';
  }

  /** The place of value `i` of the node at `base`, in words. */
  valueWord(base: number, i: number): number {
    return valueWord(this.image, base, i);
  }

  get allNodes(): readonly number[] {
    return Object.values(this.nodes).flat();
  }

  get blocks(): readonly number[] {
    return [...this.uses.keys()];
  }

  #superblock(block: number): void {
    const { image } = this;
    this.uses.set(block, 'eraSuperblock');
    const base = image.load(block);
    const isLive = block === 0;
    const current = image.u64(base, word('currentWritesetRoot'));
    this.#walk(image.u64(base, word('writesetTreeRoot')), 'writesets', (node, value) => {
      this.#array(image.u64(node, value + 1), 'bits', this.bitBlocks);
    });
    this.#array(image.u64(base, word('eraArrayRoot')), 'eras', this.eraBlocks);
    if (isLive && current !== 0) this.#array(current, 'bits', this.bitBlocks);
    const snapshot = image.u64(base, word('metadataSnap'));
    if (isLive && snapshot !== 0) this.#superblock(snapshot);
  }

  #array(root: number, name: EraTree, blocks: number[]): void {
    this.#walk(root, name, (node, value) => {
      const block = this.image.u64(node, value);
      if (this.uses.has(block)) return;
      this.uses.set(block, 'array');
      blocks.push(block);
    });
  }

  /** Calls back with the place of each value of the leaves: the word offset of the node, and that of the value in it. */
  #walk(block: number, name: EraTree, visit: (node: number, value: number) => void): void {
    if (this.uses.has(block)) return;
    this.uses.set(block, 'node');
    this.nodes[name].push(block);
    const base = this.image.load(block);
    const isLeaf = this.image.u32(base, 1) === 2;
    for (let i = 0; i < this.image.u32(base, 4); i++) {
      const value = this.valueWord(base, i);
      if (isLeaf) visit(base, value);
      else this.#walk(this.image.u64(base, value), name, visit);
    }
  }
}
