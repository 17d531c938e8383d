// What a person sees: a terminal of some columns that obeys what popfetch sends to one, and nothing more. It scrolls without end.
import { cellsOf } from '../../../src/cli/terminal/width.ts'

const PART =
  // eslint-disable-next-line no-control-regex
  /\u001b\[(?<private>\??)(?<number>\d*)[\d;]*(?<command>[A-Za-z])|(?<control>[\r\n\b])|(?<text>[^\u001b\r\n\b]+)/gu

export class Emulator {
  readonly #columns: number
  #lines: string[][] = [[]]
  #row = 0
  #column = 0
  /** Of each line that was longer than the terminal, what fitted. */
  readonly broken: string[] = []
  #goesOn = false

  constructor(columns: number) {
    this.#columns = columns
  }

  /** The lines as they stand. */
  get lines(): readonly string[] {
    return this.#lines.map((cells) => cells.join('').trimEnd())
  }

  get text(): string {
    return this.lines.join('\n').trimEnd()
  }

  /** As they were before they were broken between words to fit. */
  get sentences(): readonly string[] {
    const whole: string[] = []
    let last = ''
    for (const line of this.lines.filter((each) => each !== '')) {
      const [word = ''] = line.trim().split(' ')
      const isRest = line.startsWith('  ') && last !== '' && cellsOf(last) + 1 + cellsOf(word) > this.#columns
      whole.push(isRest ? `${whole.pop() ?? ''} ${line.trim()}` : line)
      last = line
    }
    return whole
  }

  write(bytes: string): void {
    for (const { groups = {} } of bytes.matchAll(PART)) {
      if (groups['text'] !== undefined) for (const character of groups['text']) this.#put(character)
      else if (groups['control'] !== undefined) this.#control(groups['control'])
      else if (groups['private'] === '') this.#obey(groups['command'] ?? '', Number(groups['number'] || 1))
    }
  }

  #put(character: string): void {
    const cells = cellsOf(character)
    if (this.#column + cells > this.#columns) {
      if (!this.#goesOn) this.broken.push((this.#lines[this.#row] ?? []).join(''))
      this.#goesOn = true
      this.#column = 0
      this.#row++
    }
    const line = (this.#lines[this.#row] ??= [])
    for (let at = line.length; at < this.#column; at++) line[at] = ' '
    if (cells === 0) line[this.#column - 1] = `${line[this.#column - 1] ?? ''}${character}`
    else line[this.#column] = character
    if (cells === 2) line[this.#column + 1] = ''
    this.#column += cells
  }

  #control(control: string): void {
    if (control === '\r') this.#column = 0
    else if (control === '\b') this.#column = Math.max(0, this.#column - 1)
    else {
      this.#row++
      this.#goesOn = false
      this.#lines[this.#row] ??= []
    }
  }

  #obey(command: string, number: number): void {
    const line = (this.#lines[this.#row] ??= [])
    if (command === 'A') this.#row = Math.max(0, this.#row - number)
    else if (command === 'B') this.#row += number
    else if (command === 'C') this.#column += number
    else if (command === 'G') this.#column = number - 1
    else if (command === 'J') this.#lines = this.#lines.slice(0, this.#row + 1)
    else if (command === 'K') line.length = 0
  }
}
