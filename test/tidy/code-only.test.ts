import { expect, test } from 'vitest';
import { codeOnly } from './code-only.ts';

test.each([
  ['a // Buffer', 'a          '],
  ['a /* Buffer\n */ b', 'a          \n    b'],
  ["f('Buffer', \"it's\")", 'f(        ,       )'],
  ["'\\'Buffer' + b", '           + b'],
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are sources
  ['`Buffer ${a + `${b}`} Buffer` + c', '          a +    b            + c'],
  ['`${ { a: 1 } }` + b', '    { a: 1 }    + b'],
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: these were sources
  ['x = /Buffer[/]"/.test(a) / b', 'x =             .test(a) / b'],
  ['a / b / c; // 1', 'a / b / c;     '],
  ['return /"/g;', 'return    g;'],
])('`codeOnly()` blanks what is not code: %s', (source, code) => {
  expect(codeOnly(source).replace(/ +$/gm, '')).toBe(code.replace(/ +$/gm, ''));
  expect(codeOnly(source)).toHaveLength(source.length);
});
