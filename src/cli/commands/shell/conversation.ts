// What a person types and what comes of it, one command after another, on a session that is signed in. The one rule: nothing
// is deleted that nobody asked to delete. So DELE needs `write`, and QUIT is sent only where it cannot delete more than that.
import type { HandVerb, Session } from '../../../pop3/session.ts'
import { display } from '../../../display.ts'
import { nearest } from '../../../config/values/nearest.ts'
import { counted } from '../../../status/words/amounts.ts'
import { ShownAnswer } from './shown-answer.ts'

export interface Conversation {
  readonly lines: AsyncIterable<string>
  readonly print: (line: string) => void
  /** False: the reader is gone. */
  readonly caughtUp: () => Promise<boolean>
  readonly write: boolean
  /** Lines of a long answer that are shown. */
  readonly most: number
}

interface HandCommand {
  readonly usage: string
  readonly does: string
  /** How many numbers follow it. */
  readonly least: number
  readonly most: number
}

const COMMANDS: Readonly<Record<HandVerb, HandCommand>> = {
  STAT: { usage: 'STAT', does: 'number of messages and their total size', least: 0, most: 0 },
  LIST: { usage: 'LIST [n]', does: 'the sizes of the messages', least: 0, most: 1 },
  UIDL: { usage: 'UIDL [n]', does: 'their UIDs', least: 0, most: 1 },
  TOP: { usage: 'TOP n lines', does: 'the header of a message, and that many lines of its body', least: 2, most: 2 },
  RETR: { usage: 'RETR n', does: 'a message; some servers mark it as read', least: 1, most: 1 },
  DELE: { usage: 'DELE n', does: 'mark a message for deletion (with --write)', least: 1, most: 1 },
  RSET: { usage: 'RSET', does: 'remove all marks', least: 0, most: 0 },
  NOOP: { usage: 'NOOP', does: 'nothing; keeps the session alive', least: 0, most: 0 },
  CAPA: { usage: 'CAPA', does: 'what the server can do', least: 0, most: 0 },
}

const QUIT = { usage: 'QUIT', does: 'end the session; deletes what is marked' }
const HELP = { usage: 'HELP', does: 'this list' }

const REFUSED: Readonly<Record<string, string>> = {
  USER: 'popfetch has already signed in: do not type a name or password here',
  PASS: 'popfetch has already signed in: do not type a name or password here',
  APOP: 'popfetch has already signed in: do not type a name or password here',
  AUTH: 'popfetch has already signed in: do not type a name or password here',
  STLS: 'TLS is set in the configuration (tls)',
}

/** Resolves when the session has ended, by QUIT or without it. Rejects when the session breaks; with ReaderGone in a long answer that
 *  nobody reads any more. */
export async function converse(session: Session, conversation: Conversation): Promise<void> {
  const { lines, print, write } = conversation
  const state = { marked: 0, read: 0, warned: false }
  for await (const line of lines) {
    const [typed = '', ...args] = line.trim().split(/[ \t]+/, 4)
    const verb = typed.toUpperCase()
    if (verb === '') continue
    if (verb === 'HELP' || verb === '?') {
      for (const text of helpLines()) print(text)
    } else if (verb === 'QUIT' || verb === 'EXIT') {
      if (args.length > 0) print(`expected ${QUIT.usage}`)
      else if (await quit(session, state, print)) return
    } else if (REFUSED[verb] !== undefined) print(REFUSED[verb])
    else if (!isHandVerb(verb)) print(unknown(typed))
    else if (verb === 'DELE' && !write)
      print('nothing is deleted here: popfetch shell --write ACCOUNT lets DELE and QUIT delete')
    else if (!fits(COMMANDS[verb], args)) print(`expected ${COMMANDS[verb].usage}, where n is a number`)
    else await send(session, verb, args, state, conversation)
  }
  await leave(session, state, print)
}

interface State {
  marked: number
  /** Messages that were looked at. */
  read: number
  warned: boolean
}

async function send(
  session: Session,
  verb: HandVerb,
  args: readonly string[],
  state: State,
  { print, most, caughtUp }: Conversation,
): Promise<void> {
  const shown = new ShownAnswer(most, print, caughtUp)
  const reply = await session.byHand(verb, args, shown)
  const left = shown.end()
  if (left > 0) print(`(${counted(left, 'more line')}: --raw shows all)`)
  print(`${reply.status === 'ok' ? '+OK' : '-ERR'} ${reply.text}`.trimEnd())
  if (reply.status !== 'ok') return
  if (verb === 'DELE') state.marked++
  if (verb === 'RSET') state.marked = 0
  if (verb === 'RETR' || verb === 'TOP') state.read++
}

/** False: it was not sent, and the conversation goes on. */
async function quit(session: Session, state: State, print: (line: string) => void): Promise<boolean> {
  if (dropsWhatWasRead(session, state) && !state.warned) {
    if (state.marked === 0) {
      await leave(session, state, print)
      return true
    }
    state.warned = true
    print(
      'at QUIT this server also deletes what was read (EXPIRE 0): type QUIT again to do that; the end of input does not',
    )
    return false
  }
  const reply = await session.quit()
  print(`${reply.status === 'ok' ? '+OK' : '-ERR'} ${reply.text}`.trimEnd())
  return true
}

/** The end of input is no order to delete. */
async function leave(session: Session, state: State, print: (line: string) => void): Promise<void> {
  if (state.marked > 0) print(`left without QUIT: ${counted(state.marked, 'message')} marked, none deleted`)
  else if (dropsWhatWasRead(session, state)) print('left without QUIT: this server deletes what was read (EXPIRE 0)')
  else await session.quit()
}

/** P129 (EXPIRE 0): QUIT drops what was retrieved, and by some servers what was only looked at. */
function dropsWhatWasRead({ capabilities }: Session, { read }: State): boolean {
  return read > 0 && capabilities.expireDays === 0
}

function isHandVerb(verb: string): verb is HandVerb {
  return Object.hasOwn(COMMANDS, verb)
}

function fits({ least, most }: HandCommand, args: readonly string[]): boolean {
  return args.length >= least && args.length <= most && args.every((arg) => /^\d{1,9}$/.test(arg))
}

function unknown(typed: string): string {
  const hint = nearest(typed.toUpperCase(), [...Object.keys(COMMANDS), 'QUIT', 'HELP'])
  return `${display(typed, 40)} is not a command here${hint === null ? '' : `: did you mean ${hint}?`}; HELP lists them`
}

function helpLines(): string[] {
  return [...Object.values(COMMANDS), QUIT, HELP].map(({ usage, does }) => `${usage.padEnd(12)} ${does}`)
}
