// The titles of tests, as they are written in their files.

/** The code of a file, without its comments of whole lines. */
export function codeOf(source: string): string {
  return source.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '')
}

/** The texts behind `test`, `it`, `describe` and their `each`. */
export function titlesOf(source: string): readonly string[] {
  const title = /(?:\b(?:test|it|describe)(?:\.\w+)*\(|\]\)\(|\)\(|as const\)\()\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g
  return [...codeOf(source).matchAll(title)].map(([, , text = '']) => text)
}
