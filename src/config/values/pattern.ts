// The paths that `include` may name.

/** A path in which one `*` may stand. */
export function isPattern(text: string): boolean {
  // `~` and `~/…` mean the home directory; of another user's (`~bob`) nothing is known here.
  return text !== '' && !text.includes('\0') && text.split('*').length <= 2 && !/^(?:~[^/]|[$"'`])/.test(text)
}
