// `popfetch config reference [KEY]`: what may be in a configuration, for people.
import { nearest } from '../../../config/values/nearest.ts'
import type { ReferenceKey, ReferenceSection } from '../../../config/reference/keys.ts'
import { display } from '../../../display.ts'
import { usageError } from '../../command-errors.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import type { Surroundings } from '../../surroundings.ts'
import { wrapped } from '../../terminal/wrapped.ts'
import type { ConfigInvocation } from './options.ts'

/** Rejects with ERR_USAGE for a key that does not exist. */
export async function printReference({ key, json }: ConfigInvocation, { output }: Surroundings): Promise<number> {
  const { reference, referenceOf, referenceWords } = await import('../../../config/reference/keys.ts')
  const sections = key === null ? reference() : referenceOf(key)
  if (key !== null && sections.length === 0) {
    const near = nearest(key, referenceWords())
    throw usageError(`no key is called ${display(key)}${near === null ? '' : `: did you mean ${near}?`}`)
  }
  const width = output.columns === Infinity ? 80 : Math.max(60, Math.min(output.columns, 100))
  if (json) output.object({ ok: true, sections })
  else output.answer(sections.map((section) => sectionText(section, width)).join('\n\n'))
  return EXIT_OK
}

function sectionText({ title, keys }: ReferenceSection, width: number): string {
  return [title, ...keys.map((key) => keyText(key, width))].join('\n\n')
}

function keyText({ path, values, usual, required, description }: ReferenceKey, width: number): string {
  const notes = [...(required ? ['required'] : []), ...(usual === null ? [] : [`default: ${usual}`])]
  const details = `${values}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`
  const lines = [`${description}.`, `Values: ${details}`].flatMap((text) => wrapped(text, width - 6))
  return [`  ${path}`, ...lines.map((line) => `      ${line}`)].join('\n')
}
