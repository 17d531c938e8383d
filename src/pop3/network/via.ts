// A connection through a program, such as `ssh gate -W pop.example.org:110`. Its standard input and output are the connection,
// and TLS runs on top as configured. The one rule: when the program fails, that is told, with what it said, and not the mailbox
// (P020).
import type { Duplex } from 'node:stream'
import { display, displayLastLine } from '../../display.ts'
import { errnoOf, PopfetchError } from '../../errors.ts'
import { openConversation } from '../../program.ts'

export interface ViaOptions {
  readonly command: readonly string[]
  /** As it may be shown: its arguments may hold a secret. */
  readonly name: string
  readonly env: Readonly<Record<string, string>>
}

export interface Via {
  readonly stream: Duplex
  /** What the program's end means; null: it runs, or ended well and silently. Waits a second for it at most. */
  failure(): Promise<PopfetchError | null>
}

/** Of its standard error, for the error text. */
const WORDS_BYTES = 2048
const SHOWN = 300

/** Starts the program. Rejects with ERR_CONFIG when it is not there, with ERR_CONNECT when it cannot be started. */
export async function openVia({ command, name, env }: ViaOptions): Promise<Via> {
  try {
    const conversation = await openConversation({ command, env, cwd: '/', stderrBytes: WORDS_BYTES })
    return {
      stream: conversation.stream,
      failure: async () => {
        const end = await conversation.ending()
        if (end === null) return null
        const said = displayLastLine(end.stderr, SHOWN)
        if (end.code === 0 && said === '') return null
        const how = end.signal === null ? `exited with ${end.code}` : `was ended by ${end.signal}`
        return failed(`${name} ${how}${said === '' ? ' and said nothing' : ` and said "${said}"`}`)
      },
    }
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'EACCES' || errno === 'ENOTDIR')
      throw new PopfetchError(
        'ERR_CONFIG',
        `connecting through the program ${name}: it is not there, or not executable (${errno}): install it, or correct via`,
        { scope: 'account', retry: 'never', cause: error },
      )
    throw failed(`${name} cannot be started: ${errno ?? display(String(error), SHOWN)}`, error)
  }
}

function failed(text: string, cause?: unknown): PopfetchError {
  return new PopfetchError('ERR_CONNECT', `connecting through the program ${text}`, {
    scope: 'account',
    retry: 'soon',
    cause,
  })
}
