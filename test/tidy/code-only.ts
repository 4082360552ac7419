const REGEX_MAY_FOLLOW = /(?:^|[=(,:;[!&|?{}+\-*%<>~^]|\b(?:return|typeof|case|in|of|yield|await))\s*$/;

/**
 * Blanks the comments, strings and regular expressions of a TypeScript source, so that a search finds code only.
 *
 * Every other character stays where it is, line ends included. What stands in the `${}` of a template is code.
 */
export function codeOnly(source: string): string {
  const out: string[] = [];
  /** Depth of braces inside each open `${`, innermost last. */
  const templates: number[] = [];
  let at = 0;

  const keep = (end: number): void => {
    out.push(source.slice(at, end));
    at = end;
  };
  const blank = (end: number): void => {
    out.push(source.slice(at, end).replace(/[^\n]/g, ' '));
    at = end;
  };
  const template = (): void => {
    const end = endOfTemplate(source, at + 1);
    if (source[end - 1] === '{') templates.push(0);
    blank(end);
  };

  while (at < source.length) {
    const c = source[at]!;
    if (source.startsWith('//', at)) blank(endAfter(source, '\n', at) - 1);
    else if (source.startsWith('/*', at)) blank(endAfter(source, '*/', at + 2));
    else if (c === "'" || c === '"') blank(endOfQuoted(source, c, at + 1));
    else if (c === '`') template();
    else if (c === '/' && REGEX_MAY_FOLLOW.test(lineBefore(out))) blank(endOfRegex(source, at + 1));
    else if (c === '}' && templates.at(-1) === 0) {
      templates.pop();
      template();
    } else {
      if (templates.length > 0 && c === '{') templates[templates.length - 1]! += 1;
      if (templates.length > 0 && c === '}') templates[templates.length - 1]! -= 1;
      keep(at + 1);
    }
  }
  return out.join('');
}

function lineBefore(out: string[]): string {
  return out.slice(-80).join('').trimEnd().split('\n').at(-1)!;
}

function endAfter(source: string, mark: string, from: number): number {
  const found = source.indexOf(mark, from);
  return found < 0 ? source.length + (mark === '\n' ? 1 : 0) : found + mark.length;
}

function endOfQuoted(source: string, quote: string, from: number): number {
  let at = from;
  while (at < source.length && source[at] !== quote) at += source[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** The end of a template's text: after the closing backtick, or after `${`. */
function endOfTemplate(source: string, from: number): number {
  let at = from;
  while (at < source.length && source[at] !== '`') {
    if (source.startsWith('${', at)) return at + 2;
    at += source[at] === '\\' ? 2 : 1;
  }
  return at + 1;
}

function endOfRegex(source: string, from: number): number {
  let at = from;
  let inClass = false;
  while (at < source.length && (inClass || source[at] !== '/') && source[at] !== '\n') {
    if (source[at] === '[') inClass = true;
    if (source[at] === ']') inClass = false;
    at += source[at] === '\\' ? 2 : 1;
  }
  return at + 1;
}
