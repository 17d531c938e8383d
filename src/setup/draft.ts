// What was taken over from an old tool → the text of a configuration file: names, destinations that several share written
// once, remarks as comments. Pure. The one rule: with `secrets: 'elsewhere'` no password is in the text.
import { nameFault } from '../config/assemble.ts'
import { kindWritten } from '../config/destinations/destinations.ts'
import { formatText } from '../config/document.ts'
import type { Written } from '../config/values/written.ts'
import { display } from '../display.ts'
import type { Imported, ImportedAccount, ImportedSecret } from './imported.ts'

export interface DraftOptions {
  /** The comment at the top, a line each. */
  readonly heading: readonly string[]
  /** Keys that come first. */
  readonly settings: Written
  readonly secrets: 'written' | 'elsewhere'
}

export interface Draft {
  readonly text: string
  /** Each account under the name that it has in the text. */
  readonly accounts: readonly { readonly name: string; readonly account: ImportedAccount }[]
  /** Of passwords that are not in the text: where they are to be put. */
  readonly missing: readonly string[]
}

export function draft({ accounts, settings, remarks }: Imported, options: DraftOptions): Draft {
  const named = withNames(accounts)
  const destinations = new Destinations()
  const missing: string[] = []
  const blocks = named.map(({ name, account }) => {
    const notes = [...account.remarks]
    const place = `~/.config/popfetch/${name}.password`
    const secret = written(account.secret, options.secrets)
    if (secret === null) {
      missing.push(place)
      notes.push(
        account.secret.kind === 'missing'
          ? `no password was found: write it into ${place}, readable by you alone`
          : `the password is not written here: put it into ${place}, readable by you alone`,
      )
    }
    const deliver = account.deliver.map((target) => destinations.nameOf(withoutPassword(target, options.secrets)))
    const block = formatText({
      [name]: {
        host: account.host,
        ...(account.port === usualPort(account.keys) ? {} : { port: account.port }),
        user: account.user,
        [account.secretKey]: secret ?? { file: place },
        deliver: deliver.length === 1 ? deliver[0] : deliver,
        ...account.keys,
      },
    })
    return `${comments(notes)}${account.off ? comments(block.trimEnd().split('\n'), 4000) : block}`
  })
  const parts = [
    comments([...options.heading, ...remarks]),
    Object.keys(options.settings).length + Object.keys(settings).length === 0
      ? ''
      : formatText({ ...options.settings, ...settings }),
    `accounts:\n${indented(blocks.join('\n'))}`,
    destinations.written.size === 0 ? '' : formatText({ destinations: Object.fromEntries(destinations.written) }),
  ]
  return { text: parts.filter((part) => part !== '').join('\n'), accounts: named, missing }
}

function usualPort({ tls }: Written): number {
  return tls === 'starttls' || tls === 'none' ? 110 : 995
}

function written(secret: ImportedSecret, secrets: DraftOptions['secrets']): unknown {
  switch (secret.kind) {
    case 'text':
      return secrets === 'written' ? secret.text : null
    case 'command':
      return { command: secret.run }
    case 'file':
      return { file: secret.path }
    case 'env':
      return { env: secret.name }
    case 'missing':
      return null
  }
}

function withoutPassword(target: Written, secrets: DraftOptions['secrets']): Written {
  return target['password'] === undefined || secrets === 'written'
    ? target
    : { ...target, password: { file: '~/.config/popfetch/smtp.password' } }
}

/** Names that are allowed, each once. */
function withNames(accounts: readonly ImportedAccount[]): Draft['accounts'] {
  const taken = new Set<string>()
  return accounts.map((account) => {
    const letters = account.name
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/^-+/, '')
      .slice(0, 90)
    const wish = letters === '' ? 'mailbox' : nameFault(letters) === null ? letters : `${letters}-mail`
    const name = firstFree(wish, (candidate) => !taken.has(candidate))
    taken.add(name)
    return { name, account }
  })
}

class Destinations {
  readonly written = new Map<string, Written>()
  readonly #names = new Map<string, string>()

  /** The same destination has the same name again. */
  nameOf(target: Written): string {
    const content = JSON.stringify(target)
    const usual = kindWritten(target)?.usualName ?? String(target['type'])
    const name = this.#names.get(content) ?? firstFree(usual, (wish) => !this.written.has(wish))
    this.#names.set(content, name)
    this.written.set(name, target)
    return name
  }
}

function firstFree(wish: string, isFree: (name: string) => boolean): string {
  for (let count = 1; ; count++) {
    const name = count === 1 ? wish : `${wish}-${count}`
    if (isFree(name)) return name
  }
}

function comments(lines: readonly string[], limit = 400): string {
  return lines
    .map((line) => `# ${display(line, limit)}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('')
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}
