// How wide text is on a terminal, in cells: Chinese and emoji take two, an accent that is on another letter none. Pure.
// Terminals differ for rare characters; where they do, a line is rather short than too long.

/** Most text is, and needs no look at its characters. */
const PLAIN = /^[ -~]*$/

// Both are made where they are needed, as in redact/readings.ts.
const wide = (): RegExp =>
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1aff0}-\u{1b2ff}\u{1f200}-\u{1f265}\u{1f300}-\u{1f64f}\u{1f900}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u
const standsOnAnother = (): RegExp => /[\p{Mn}\p{Me}]/u

/** The cells of text that is safe to print. */
export function cellsOf(text: string): number {
  if (PLAIN.test(text)) return text.length
  let cells = 0
  for (const character of text) cells += cellsOfOne(character)
  return cells
}

function cellsOfOne(character: string): number {
  if (standsOnAnother().test(character)) return 0
  return wide().test(character) ? 2 : 1
}

/** The text with blanks behind it, or in front of it, in this many cells. A longer one stays as it is. */
export function padded(text: string, cells: number, side: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, cells - cellsOf(text)))
  return side === 'left' ? text + blanks : blanks + text
}

/** The text in at most this many cells; what is cut off at its end is told by `…`. */
export function shortened(text: string, most: number): string {
  if (cellsOf(text) <= most) return text
  return most < 1 ? '' : `${beginning(text, most - 1)}…`
}

/** The same, cut in its middle: names often differ at their ends. */
export function shortenedInside(text: string, most: number): string {
  if (cellsOf(text) <= most) return text
  if (most < 1) return ''
  const behind = Math.floor((most - 1) / 2)
  const end = fitting(Array.from(text).toReversed(), behind).toReversed().join('')
  return `${beginning(text, most - 1 - behind)}…${end}`
}

function beginning(text: string, most: number): string {
  return fitting(Array.from(text), most).join('')
}

function fitting(characters: readonly string[], most: number): readonly string[] {
  let cells = 0
  const end = characters.findIndex((character) => {
    cells += cellsOfOne(character)
    return cells > most
  })
  return end === -1 ? characters : characters.slice(0, end)
}
