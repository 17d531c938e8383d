// The text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/, "text format details", 0.0.4). Pure. A text
// for ten thousand accounts has megabytes, so it is made in pieces, and none of it is kept.

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export type Labels = Readonly<Record<string, string>>

/** A series: its labels, and its value now. */
export type Sample = readonly [labels: Labels, value: number]

export interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly samples: Iterable<Sample>
}

/** A piece is a line or two. */
export function* familyText({ name, help, type, samples }: Family): Generator<string> {
  yield headOf(name, help, type)
  for (const [labels, value] of samples) yield `${name}${labelsText(labels)} ${valueText(value)}\n`
  yield '\n'
}

/** How often something took how long. */
export class Histogram {
  readonly #name: string
  readonly #help: string
  readonly #bounds: readonly number[]
  readonly #counts: number[]
  #sum = 0
  #count = 0

  /** `bounds`: the upper bounds of the buckets, ascending. */
  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = name
    this.#help = help
    this.#bounds = bounds
    this.#counts = bounds.map(() => 0)
  }

  observe(value: number): void {
    this.#sum += value
    this.#count++
    const at = this.#bounds.findIndex((bound) => value <= bound)
    if (at >= 0) this.#counts[at] = (this.#counts[at] ?? 0) + 1
  }

  /** Each bucket has what those below it have, as well. */
  text(): string {
    const name = this.#name
    let below = 0
    const buckets = this.#bounds.map((bound, at) => {
      below += this.#counts[at] ?? 0
      return `${name}_bucket{le="${bound}"} ${below}\n`
    })
    const all = [`${name}_bucket{le="+Inf"} ${this.#count}\n`, `${name}_sum ${valueText(this.#sum)}\n`]
    return [headOf(name, this.#help, 'histogram'), ...buckets, ...all, `${name}_count ${this.#count}\n\n`].join('')
  }
}

function headOf(name: string, help: string, type: string): string {
  return `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n`
}

function labelsText(labels: Labels): string {
  let text = ''
  for (const name in labels) text += `${text === '' ? '{' : ','}${name}="${escaped(labels[name] ?? '')}"`
  return text === '' ? '' : `${text}}`
}

function escaped(text: string): string {
  if (!/[\\"\n]/.test(text)) return text
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function valueText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : '-Inf'
}
