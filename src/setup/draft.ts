// How a configuration is made. This room holds what `popfetch init` and `popfetch import` know. Questions to a person and the
// writing of files are in cli/commands.
//
// `init` begins with a mail address and asks which server it has (discover.ts, by way of lookups.ts and the table of
// providers). `import` begins with the files of an old tool. Each tool is a folder (fetchmail/, getmail/, mpop/) with the
// grammar of its file, what its settings mean, and where it put mail. netrc.ts, ini.ts, doubts.ts and delivery-command.ts are
// what they share. All of them give the same plain data (imported.ts): accounts in popfetch's terms, remarks on settings
// without an equivalent, and the UIDLs that the old tool had seen. This file writes that down as the text of a configuration
// file. Every account under a name that is allowed, a destination that several share written once, remarks as comments. Pure.
// One rule: with `secrets: 'elsewhere'` no password is in the text.
import { nameFault } from '../config/accounts/account-name.ts'
import { kindWritten } from '../config/destinations/destinations.ts'
import { formatText } from '../config/document.ts'
import { EDITOR_LINE } from '../config/reference/json-schema.ts'
import type { Written } from '../config/values/written.ts'
import { display } from '../display.ts'
import type { Imported, ImportedAccount, ImportedSecret } from './imported.ts'
import { TRIAL_DESTINATION, TRIAL_NAME, TRIAL_WRITTEN, trialMarks } from './trial.ts'

export interface DraftOptions {
  /** The lines of the comment at the top. */
  readonly heading: readonly string[]
  /** Top-level keys that come first. */
  readonly settings: Written
  readonly secrets: 'written' | 'elsewhere'
  /** Beside the old tool: nothing is deleted, and mail goes into a Maildir of the trial (trial.ts). */
  readonly trial?: boolean
}

export interface Draft {
  readonly text: string
  /** The accounts, with the names that they have in the text. */
  readonly accounts: readonly { readonly name: string; readonly account: ImportedAccount }[]
  /** The files into which a person has to put the passwords that are not in the text. */
  readonly missing: readonly string[]
}

export function draft({ accounts, settings, remarks }: Imported, options: DraftOptions): Draft {
  const named = namedAccounts(accounts)
  const destinations = new DestinationNames()
  const missing: string[] = []
  const targetsOf = ({ deliver }: ImportedAccount): readonly Written[] =>
    deliver.map((target) => withoutPassword(target, options.secrets))
  // What only accounts in comments use is written there.
  for (const { account } of named)
    if (!account.off) for (const target of targetsOf(account)) destinations.nameOf(target)
  const blocks = named.map(({ name, account }) => {
    const notes = [...account.warnings, ...account.remarks]
    const place = `~/.config/popfetch/${name}.password`
    const secret = written(account.secret, options.secrets)
    if (secret === null) {
      missing.push(place)
      notes.push(
        account.secret.kind === 'missing'
          ? `no password was found: write it into ${place}, readable only by you`
          : `the password is not written here: put it into ${place}, readable only by you`,
      )
    }
    const targets = targetsOf(account).map((target) =>
      account.off && !destinations.has(target) ? target : destinations.nameOf(target),
    )
    const deliver = targets.length === 1 ? targets[0] : targets
    const isTried = options.trial === true && !account.off
    const after = { deliver, delete: account.keys['delete'] ?? 'never' }
    if (isTried) destinations.nameOf(TRIAL_DESTINATION, TRIAL_NAME)
    const block = formatText({
      [name]: {
        host: account.host,
        ...(account.port === usualPort(account.keys) ? {} : { port: account.port }),
        user: account.user,
        [account.secretKey]: secret ?? { file: place },
        deliver,
        ...account.keys,
        ...(isTried ? TRIAL_WRITTEN : null),
      },
    })
    const marks = isTried ? indented(trialMarks(after)) : ''
    return `${remarkLines(notes)}${account.off ? comments(block.trimEnd().split('\n'), 4000) : block}${marks}`
  })
  const parts = [
    `${EDITOR_LINE}\n${comments(options.heading)}${remarkLines(remarks)}`,
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
    case 'credential':
    case 'keyring':
      return { [secret.kind]: secret.name }
    case 'oauth':
      return { oauth: secret.client }
    case 'missing':
      return null
  }
}

function withoutPassword(target: Written, secrets: DraftOptions['secrets']): Written {
  return target['password'] === undefined || secrets === 'written'
    ? target
    : { ...target, password: { file: '~/.config/popfetch/smtp.password' } }
}

/** Gives every account a name that is allowed and that no other has. */
export function namedAccounts(accounts: readonly ImportedAccount[]): Draft['accounts'] {
  const taken = new FreeNames()
  return accounts.map((account) => {
    const letters = account.name
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/^-+/, '')
      .slice(0, 90)
    const wish = letters === '' ? 'mailbox' : nameFault(letters) === null ? letters : `${letters}-mail`
    return { name: taken.take(wish), account }
  })
}

class DestinationNames {
  readonly written = new Map<string, Written>()
  readonly #names = new Map<string, string>()
  readonly #free = new FreeNames()

  has(target: Written): boolean {
    return this.#names.has(JSON.stringify(target))
  }

  /** The same destination has the same name again. */
  nameOf(target: Written, wish: string | null = null): string {
    const content = JSON.stringify(target)
    const usual = wish ?? kindWritten(target)?.usualName ?? String(target['type'])
    const name = this.#names.get(content) ?? this.#free.take(usual)
    this.#names.set(content, name)
    this.written.set(name, target)
    return name
  }
}

/** `inbox`, `inbox-2`, `inbox-3` … It goes on where it stopped: all accounts may wish for one name. */
class FreeNames {
  readonly #taken = new Set<string>()
  readonly #last = new Map<string, number>()

  take(wish: string): string {
    let count = this.#last.get(wish) ?? 0
    let name: string
    do {
      count += 1
      name = count === 1 ? wish : `${wish}-${count}`
    } while (this.#taken.has(name))
    this.#last.set(wish, count)
    this.#taken.add(name)
    return name
  }
}

/** What more of them would say, nobody reads. */
const MOST_REMARKS = 100

function remarkLines(remarks: readonly string[]): string {
  const different = [...new Set(remarks)]
  const more = different.length - MOST_REMARKS
  return comments([...different.slice(0, MOST_REMARKS), ...(more > 0 ? [`and ${more} more`] : [])])
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
