import { type ByteSink, Literal, TextWriter } from '../xml/index.ts';
import type { ThinVisitor, ThinXmlDevice, ThinXmlSuperblock } from './visitor.ts';

/* What stands around the numbers of a mapping. */
const BEGIN = new Literal('    (');
const TO = new Literal('..');
const ARROW = new Literal(') -> (');
const TIME = new Literal('), ');
const LINE_END = new Literal('\n');

/**
 * Writes thin metadata for people, to the byte as `thin_dump -f human_readable` of version 1.x does. Unlike everywhere else the ends
 * of ranges belong to them. There is no way back: nothing is escaped.
 */
export class ThinHumanWriter implements ThinVisitor {
  readonly #text: TextWriter;

  /** @param sink - Takes the text in pieces of some 256 KiB; the last one from `superblockEnd`. */
  constructor(sink: ByteSink) {
    this.#text = new TextWriter(sink);
  }

  superblockBegin(superblock: ThinXmlSuperblock): void {
    const { uuid, time, transaction, flags = 0, version = 2, dataBlockSize, nrDataBlocks, metadataSnap } = superblock;
    const fields = [`"${uuid}"`, time, transaction, flags, version, dataBlockSize, nrDataBlocks];
    if (metadataSnap !== undefined) fields.push(metadataSnap);
    this.#text.text(`begin superblock: ${fields.join(', ')}\n`);
  }

  superblockEnd(): void {
    this.#text.text('end superblock\n');
    this.#text.flush();
  }

  defBegin(name: string): void {
    this.#text.text(`def: ${name}\n`);
  }

  defEnd(): void {
    this.#text.literal(LINE_END);
  }

  deviceBegin({ devId, mappedBlocks, transaction, creationTime, snapTime }: ThinXmlDevice): void {
    this.#text.text(
      `device: ${devId}\nmapped_blocks: ${mappedBlocks}\ntransaction: ${transaction}\n` +
        `creation time: ${creationTime}\nsnap time: ${snapTime}\n`,
    );
  }

  deviceEnd(): void {
    this.#text.literal(LINE_END);
  }

  map(originBegin: number, dataBegin: number, length: number, time: number): void {
    const text = this.#text;
    text.literal(BEGIN);
    text.decimal(originBegin);
    text.literal(TO);
    text.decimal(originBegin + length - 1);
    text.literal(ARROW);
    text.decimal(dataBegin);
    text.literal(TO);
    text.decimal(dataBegin + length - 1);
    text.literal(TIME);
    text.decimal(time);
    text.literal(LINE_END);
  }

  ref(name: string): void {
    this.#text.text(`    ref: ${name}\n`);
  }
}
