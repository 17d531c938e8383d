// The command line by which an old tool handed mail to a delivery agent → a destination that runs it. Pure.
// The one rule: nothing of a message becomes part of a command; the sender stays where it is harmless, in $SENDER.
import type { Written } from '../config/values/written.ts'

/** Words that mean to a shell what they say. */
const PLAIN = /^[\w@%+=:,./ -]+$/

/** `recipient`: what `%T` stands for; null: the tool had no such word. */
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
