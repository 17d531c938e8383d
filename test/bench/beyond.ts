// What each more message costs, without what a process costs in any case: runs over a mailbox with few messages, taken from runs
// over one with many. Runs of the same round belong together.
import type { Usage } from './measure.ts'
import type { Row } from './table.ts'

/** `few` and `many`: the same contenders in the same order. */
export function beyond(few: readonly Row[], many: readonly Row[]): readonly Row[] {
  return many.map(({ name, usages, error }, at) => {
    const less = few[at]
    return {
      name,
      usages: usages.flatMap((usage, run) => difference(usage, less?.usages[run])),
      error: error ?? less?.error ?? null,
    }
  })
}

function difference(many: Usage, few: Usage | undefined): readonly Usage[] {
  if (few === undefined) return []
  return [{ ...many, seconds: many.seconds - few.seconds, cpuSeconds: many.cpuSeconds - few.cpuSeconds }]
}
