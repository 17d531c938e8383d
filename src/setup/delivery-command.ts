// From the command line by which an old tool handed mail to a delivery agent to a destination that runs it. Pure.
// One rule: nothing of a message becomes part of a command; the sender stays in $SENDER, where it does no harm.
import type { Written } from '../config/values/written.ts'

/** Only characters that a shell gives no meaning of its own. */
const PLAIN = /^[\w@%+=:,./ -]+$/

/** `recipient`: what `%T` stands for; null: the old tool knew no `%T`. */
export function commandDestination(line: string, recipient: string | null): Written {
  const trimmed = line.trim()
  const addressed =
    recipient === null
      ? trimmed
      : trimmed.replace(/'%T'|"%T"|%T/g, PLAIN.test(recipient) ? recipient : quoted(recipient))
  const withSender = addressed.replace(/'%F'|"%F"|%F/g, '"$SENDER"')
  const run = PLAIN.test(withSender) ? withSender.split(/ +/) : ['/bin/sh', '-c', withSender]
  return { type: 'command', run }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
