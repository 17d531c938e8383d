// Where an account delivers to: the first rule of `route` that fits, else `deliver`. Whether a rule fits is conditions.ts,
// which is loaded where there are rules: decoding headers takes a library.
import type { Account } from '../../config/schema.ts'
import type { Message } from '../../message.ts'

/** Names of all destinations that an account may deliver to. */
export function possibleNames({ route, deliver }: Account): readonly string[] {
  return [...new Set([...deliver, ...route.flatMap((rule) => rule.deliver)])]
}

/** Gives the names of the destinations of the first rule that fits a message, else of `deliver`; null: there are no
 *  rules. */
export async function router({ route, deliver }: Account): Promise<((message: Message) => readonly string[]) | null> {
  if (route.length === 0) return null
  const { fits } = await import('./conditions.ts')
  return (message) => route.find(({ when }) => fits(when, message))?.deliver ?? deliver
}
