// What the environment may not do to popfetch (N024, hostile environment): Node obeys variables that switch off the check of
// certificates, weaken TLS, or show what goes over a connection, and no configuration can see them. One rule: such a variable
// stops every command that would contact a server, and the message says how to correct it. At the end: a container that says
// so, and the modes of what is made there.
import { PopfetchError } from './errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

const OPTIONS: readonly (readonly [option: RegExp, why: string])[] = [
  [/^--tls-min-v1\.[01]$/, 'allows insecure TLS versions'],
  [/^--tls-cipher-list$/, 'changes how connections are encrypted'],
  [/^--tls-keylog$/, 'writes the keys of encrypted connections to a file'],
  [/^--trace-tls$/, 'prints what goes over encrypted connections'],
  [/^--security-revert$/, 'brings back a bug of Node that was fixed'],
  [/^--insecure-http-parser$/, 'accepts insecure HTTP answers'],
  [/^--openssl-legacy-provider$/, 'enables insecure ciphers'],
  [/^--inspect(?:-brk|-wait)?$/, 'opens a debugger, which shows every secret, to this machine'],
]

/** Throws ERR_CONFIG when a variable of `env` takes protection away that people count on. */
export function refuseUnsafeEnvironment(env: Environment): void {
  const found = unsafeIn(env)
  if (found === null) return
  throw new PopfetchError('ERR_CONFIG', `starting: ${found}: unset it`, { scope: 'process', retry: 'never' })
}

function unsafeIn(env: Environment): string | null {
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    return 'NODE_TLS_REJECT_UNAUTHORIZED=0 switches certificate checks off (for certificates of your own use ca or pin)'
  }
  if (env['NODE_DEBUG'] || env['NODE_DEBUG_NATIVE']) {
    return `${env['NODE_DEBUG'] ? 'NODE_DEBUG' : 'NODE_DEBUG_NATIVE'} prints what popfetch keeps secret`
  }
  for (const word of (env['NODE_OPTIONS'] ?? '').split(/[\s"]+/)) {
    // Node takes `_` for `-`, and a value behind `=`.
    const option = (word.split('=')[0] ?? '').replaceAll('_', '-')
    const why = OPTIONS.find(([form]) => form.test(option))?.[1]
    if (why !== undefined) return `NODE_OPTIONS has ${option}, which ${why}`
  }
  return null
}

/** Set by whoever runs us in a container, as our image does. */
export function isContainer(env: Environment): boolean {
  return env['POPFETCH_CONTAINER'] === '1'
}

/** What is made without a mode of its own is private (D009, N017), unless a container has UMASK, as those of a NAS do. */
export function umaskOf(env: Environment): number {
  return containerUmask(env) ?? 0o077
}

/** The mode of message files where the configuration has none: 0600, or what UMASK leaves of 0664. */
export function usualMailMode(env: Environment): number {
  return 0o600 | (0o664 & ~umaskOf(env))
}

/** Null: there is none, or it is no umask; becomeUser (cli/container.ts) has refused that. */
function containerUmask(env: Environment): number | null {
  const text = env['UMASK'] ?? ''
  return isContainer(env) && isUmask(text) ? Number.parseInt(text, 8) : null
}

export function isUmask(text: string): boolean {
  return /^0?[0-7]{1,3}$/.test(text)
}
