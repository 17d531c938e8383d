// Runs a program that tells somebody. It gets the necessary environment and the event as variables. Its exit code says whether
// it succeeded.
import { displayBytes } from '../../display.ts'
import { NO_INPUT, NO_OUTPUT, runProgram } from '../../program.ts'

/** What the program inherits of the environment: enough to send mail or to open a window. */
const INHERITED = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'LANG',
  'TZ',
  'XDG_RUNTIME_DIR',
  'DBUS_SESSION_BUS_ADDRESS',
  'DISPLAY',
  'WAYLAND_DISPLAY',
] as const

const COMPLAINT_BYTES = 1000

type Environment = Readonly<Record<string, string | undefined>>

export function inherited(env: Environment): Environment {
  return Object.fromEntries(INHERITED.map((key) => [key, env[key]]))
}

export interface Limits {
  readonly env: Environment
  readonly limitMs: number
  readonly signal: AbortSignal
}

/** Null: the program ended with 0. Else why not, in words. Never rejects. */
export async function runFailure(command: readonly string[], { env, limitMs, signal }: Limits): Promise<string | null> {
  const outputs = { stdout: NO_OUTPUT, stderr: { keep: 'last', limitBytes: COMPLAINT_BYTES } } as const
  try {
    const ending = await runProgram({ command, env, cwd: null, stdin: NO_INPUT, ...outputs, limitMs, signal })
    if (ending.ended === 'abort') return 'interrupted'
    if (ending.ended !== null) return `it did not end within ${limitMs / 1000} s`
    if (ending.code === 0) return null
    return `it ended with ${ending.signal ?? ending.code}: ${displayBytes(ending.stderr, COMPLAINT_BYTES, 'start')}`
  } catch (error) {
    return `it cannot be started: ${error instanceof Error ? error.message : String(error)}`
  }
}
