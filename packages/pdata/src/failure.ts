/** The text of an error, as the tools print it: the outermost one, and the root cause where there is one. */
export function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  let root: Error = error;
  while (root.cause instanceof Error) root = root.cause;
  return root === error || error.message.includes(root.message) ? error.message : `${error.message}: ${root.message}`;
}
