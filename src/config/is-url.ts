// By itself, for those who need no more of url.ts to tell the two apart.

/** Whether a text in `deliver` means a URL, not a name. */
export function isUrl(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]*:/.test(text)
}
