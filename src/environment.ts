// What the environment may not do to popfetch (N024, hostile environment): Node obeys variables that switch off the check of
// certificates, weaken TLS, or show what goes over a connection, and no configuration can see them.
// One rule: such a variable stops everything that would speak to a server, with the words that mend it.
import { PopfetchError } from './errors.ts'

const OPTIONS: readonly (readonly [option: RegExp, why: string])[] = [
  [/^--tls-min-v1\.[01]$/, 'allows TLS versions that are not safe'],
  [/^--tls-cipher-list$/, 'changes how connections are encrypted'],
  [/^--tls-keylog$/, 'writes the keys of encrypted connections to a file'],
  [/^--trace-tls$/, 'prints what goes over encrypted connections'],
  [/^--security-revert$/, 'brings back a bug of Node that was fixed'],
  [/^--insecure-http-parser$/, 'accepts answers over HTTP that are not safe'],
  [/^--openssl-legacy-provider$/, 'enables ciphers that are not safe'],
  [/^--inspect(?:-brk|-wait)?$/, 'opens a debugger, which shows every secret, to this machine'],
]

/** Throws ERR_CONFIG when a variable of `env` takes protection away that people count on. */
export function refuseUnsafeEnvironment(env: Readonly<Record<string, string | undefined>>): void {
  const found = unsafeIn(env)
  if (found === null) return
  throw new PopfetchError('ERR_CONFIG', `starting: ${found}: unset it`, { scope: 'process', retry: 'never' })
}

function unsafeIn(env: Readonly<Record<string, string | undefined>>): string | null {
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
