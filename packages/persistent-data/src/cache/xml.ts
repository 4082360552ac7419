/*
 * The XML of cache metadata. The tokenizer and writer under it are in `xml/`.
 */
export type { CacheVisitor, CacheXmlSuperblock } from './visitor.ts';
export { readCacheXml, readCacheXmlAsync } from './xml-reader.ts';
export { CacheXmlWriter } from './xml-writer.ts';
