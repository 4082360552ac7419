import type { BlockDevice } from '../io/index.ts';
import { foldEras } from './fold.ts';
import { EraImage, type EraWriteset } from './image.ts';
import type { EraMetadata } from './metadata.ts';
import type { EraVisitor } from './visitor.ts';
import { EraXmlWriter } from './xml-writer.ts';

/** What to dump. */
export interface EraDumpOptions {
  /** Folds all writesets into the era array: what each block's era is. Default false. */
  readonly logical?: boolean;
  /** Called now and then with the array blocks read so far, of all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Gives all of an era device's metadata to a visitor, as `era_dump` of version 1.x does: archived writesets and the current one in order of eras,
 * then the era array. Reads each block once; memory does not depend on the number of blocks.
 *
 * @throws {CorruptionError} at the first block that is not believable; the visitor has then got no `superblockEnd`.
 */
export function dumpEra(source: BlockDevice | EraMetadata, visitor: EraVisitor, options: EraDumpOptions = {}): void {
  const image = new EraImage(source);
  const { dataBlockSize, nrBlocks, currentEra } = image.superblock;
  const writesets = image.writesets({ withCurrent: true });
  const { onProgress = () => undefined, logical = false } = options;
  const total = Math.ceil(nrBlocks / 1018) + writesets.length * Math.ceil(nrBlocks / 32576);
  let done = 0;
  const tell = (): void => onProgress(++done, total);
  visitor.superblockBegin({ uuid: '', blockSize: dataBlockSize, nrBlocks, currentEra });
  if (!logical) for (const writeset of writesets) dumpWriteset(image, writeset, visitor, tell);
  visitor.eraArrayBegin();
  if (logical) foldEras(image, writesets, (eras, begin, count) => visitor.eras(eras, 0, begin, count), { tell });
  else dumpEras(image, visitor, tell);
  visitor.eraArrayEnd();
  visitor.superblockEnd();
}

/** The XML of an era device, as `era_dump` of version 1.x prints it. For devices that fit into memory as text. */
export function dumpEraXml(source: BlockDevice | EraMetadata, options: EraDumpOptions = {}): string {
  const decoder = new TextDecoder();
  let text = '';
  const writer = new EraXmlWriter((bytes) => {
    text += decoder.decode(bytes, { stream: true });
  });
  dumpEra(source, writer, options);
  return text + decoder.decode();
}

function dumpWriteset(image: EraImage, writeset: EraWriteset, visitor: EraVisitor, tell: () => void): void {
  const reader = image.readBits(writeset);
  const { nrBlocks } = image.superblock;
  const nrBits = Math.min(writeset.nrBits, nrBlocks);
  visitor.writesetBegin(writeset.era, writeset.nrBits);
  const bitsPerBlock = 64 * reader.perBlock;
  for (let i = 0; i < reader.nrBlocks; i++) {
    const at = reader.load(i);
    const begin = i * bitsPerBlock;
    visitor.bits(reader.words, at, begin, Math.min(nrBits, begin + bitsPerBlock));
    tell();
  }
  visitor.writesetEnd();
}

function dumpEras(image: EraImage, visitor: EraVisitor, tell: () => void): void {
  const reader = image.readEras();
  for (let i = 0; i < reader.nrBlocks; i++) {
    const at = reader.load(i);
    visitor.eras(reader.words, at, i * reader.perBlock, reader.nrElements(i));
    tell();
  }
}
