// The desktop's keyring, through the program that each desktop has for it: a native module would have to be installed with popfetch.
// It is asked by `service popfetch, account NAME`. The rule: locked passes by itself, missing does not, and neither is taken for the
// other.
import { errnoOf } from '../../errors.ts'
import { type Ending, NO_INPUT, runProgram } from '../../program.ts'

export type KeyringAnswer =
  | { readonly kind: 'found'; readonly bytes: Buffer }
  /** `passes`: it may be there the next time. */
  | { readonly kind: 'not had'; readonly how: string; readonly passes: boolean; readonly cause?: unknown }
  /** The program failed, and says why itself. */
  | { readonly kind: 'failed'; readonly ending: Ending }
  | { readonly kind: 'stopped' }

interface Asked {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  readonly limitBytes: number
}

/** Time for a person to unlock it. */
const LIMIT_MS = 30_000
const STDERR_BYTES = 4096

const LOCKED = 'the keyring is locked, and nobody is there to unlock it: sign in to the desktop, or use { file }'
const NO_SESSION = `there is no desktop session here (D-Bus): cron needs DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/${process.getuid?.() ?? 'UID'}/bus, or use { file }`
const NO_KEYRING = 'no keyring runs in this session: start one, such as gnome-keyring or KeePassXC, or use { file }'

/** What libsecret and glib say. */
const SAID: readonly (readonly [RegExp, string])[] = [
  [/autolaunch D-Bus|could not connect|DBUS_SESSION_BUS_ADDRESS|connection refused/i, NO_SESSION],
  [/org\.freedesktop\.secrets was not provided|ServiceUnknown|no such secret collection/i, NO_KEYRING],
  [/locked/i, LOCKED],
]

export async function fromKeyring(name: string, asked: Asked): Promise<KeyringAnswer> {
  return process.platform === 'darwin' ? await fromMac(name, asked) : await fromDesktop(name, asked)
}

async function fromDesktop(name: string, asked: Asked): Promise<KeyringAnswer> {
  const item = ['service', 'popfetch', 'account', name]
  const ending = await ran(['secret-tool', 'lookup', ...item], asked)
  if ('kind' in ending) {
    const isAbsent = ending.kind === 'not had' && errnoOf(ending.cause) === 'ENOENT'
    return isAbsent ? { ...ending, how: 'secret-tool is not installed: install libsecret-tools' } : ending
  }
  if (ending.code === 0) return { kind: 'found', bytes: ending.stdout }
  const said = ending.stderr.toString('latin1').trim()
  const known = SAID.find(([words]) => words.test(said))
  if (known !== undefined) return { kind: 'not had', how: known[1], passes: true }
  if (ending.code !== 1 || said !== '') return { kind: 'failed', ending }
  // It is as silent about an item that is locked, which a search shows all the same.
  const search = await ran(['secret-tool', 'search', ...item], asked)
  if ('kind' in search) return search
  if (search.stdout.includes('[/')) return { kind: 'not had', how: LOCKED, passes: true }
  const store = `secret-tool store --label=popfetch service popfetch account '${name}'`
  return { kind: 'not had', how: `it does not exist: ${store}`, passes: false }
}

/** The status of `security` for an item that is not there, and for a keychain that would have to ask. */
const MAC_MISSING = 44
const MAC_LOCKED = 36

async function fromMac(name: string, asked: Asked): Promise<KeyringAnswer> {
  const ending = await ran(['security', 'find-generic-password', '-s', 'popfetch', '-a', name, '-w'], asked)
  if ('kind' in ending) return ending
  if (ending.code === 0) return { kind: 'found', bytes: ending.stdout }
  if (ending.code === MAC_LOCKED) return { kind: 'not had', how: LOCKED, passes: true }
  if (ending.code !== MAC_MISSING) return { kind: 'failed', ending }
  const store = `security add-generic-password -s popfetch -a '${name}' -w`
  return { kind: 'not had', how: `it does not exist: ${store}`, passes: false }
}

async function ran(command: readonly string[], { env, signal, limitBytes }: Asked): Promise<Ending | KeyringAnswer> {
  const [program = ''] = command
  try {
    const ending = await runProgram({
      command,
      env,
      cwd: null,
      stdin: NO_INPUT,
      stdout: { keep: 'all', limitBytes },
      stderr: { keep: 'last', limitBytes: STDERR_BYTES },
      limitMs: LIMIT_MS,
      signal,
    })
    if (ending.ended === 'abort') return { kind: 'stopped' }
    return ending.ended === null ? ending : { kind: 'not had', how: `no answer: ${LOCKED}`, passes: true }
  } catch (cause) {
    return { kind: 'not had', how: `${program} cannot be run`, passes: false, cause }
  }
}
