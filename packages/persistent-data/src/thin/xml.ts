/*
 * The XML of thin metadata, and what stands between a dump and its consumers. The tokenizer and writer under it are in `xml/`.
 */
export { ThinHumanWriter } from './human-writer.ts';
export { MappingRuns } from './mapping-runs.ts';
export type { ThinVisitor, ThinXmlDevice, ThinXmlSuperblock } from './visitor.ts';
export { type ReadThinXmlOptions, readThinXml, readThinXmlAsync, type ThinXmlOverrides } from './xml-reader.ts';
export { ThinXmlWriter } from './xml-writer.ts';
