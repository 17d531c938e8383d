// The grammar of an .mpoprc: its accounts, each with all that it inherits. What the settings mean to popfetch is mpop.ts. Pure.

/** By mpop's names; a setting without an argument is ''. */
export type Settings = Readonly<Record<string, string | undefined>>

export interface MpopAccount {
  readonly name: string
  readonly settings: Settings
}

export interface MpopFile {
  readonly accounts: readonly MpopAccount[]
  /** Lines with `eval`, which a command would have to write. */
  readonly evalLines: readonly number[]
  readonly strangeLines: readonly number[]
}

const NAMES: ReadonlySet<string> = new Set(
  'host port source_ip proxy_host proxy_port socket timeout pipelining auth user password passwordeval ntlmdomain tls tls_starttls tls_trust_file tls_crl_file tls_fingerprint tls_key_file tls_cert_file tls_certcheck tls_force_sslv3 tls_min_dh_prime_bits tls_priorities tls_host_override delivery uidls_file only_new keep killsize skipsize filter received_header'.split(
    ' ',
  ),
)

export function mpopAccounts(text: string): MpopFile {
  const accounts = new Map<string, Record<string, string | undefined>>()
  const evalLines: number[] = []
  const strangeLines: number[] = []
  let defaults: Record<string, string | undefined> = {}
  // Settings before any heading belong to an account called default.
  let current: Record<string, string | undefined> | null = null
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const [, word = '', rest = ''] = /^\s*(\S+)\s*(.*?)\s*$/.exec(line) ?? []
    if (word === '' || word.startsWith('#')) continue
    if (word === 'defaults') current = defaults = {}
    else if (word === 'account') {
      const [name = '', parents = ''] = rest.split(':').map((part) => part.trim())
      const inherited = parents.split(/[\s,]+/).map((parent) => accounts.get(unquoted(parent)) ?? {})
      current = Object.assign({}, defaults, ...inherited) as Record<string, string | undefined>
      accounts.set(unquoted(name), current)
    } else if (word === 'eval') evalLines.push(index + 1)
    else if (NAMES.has(word)) {
      if (current === null) accounts.set('default', (current = {}))
      current[word] = unquoted(rest)
    } else strangeLines.push(index + 1)
  }
  return { accounts: [...accounts].map(([name, settings]) => ({ name, settings })), evalLines, strangeLines }
}

function unquoted(text: string): string {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text
}
