// What `popfetch state` may be told: an operation, and the words and options that this operation takes.
import type { Selection, Waiting } from '../../../ledger/records.ts'
import type { Command } from '../../command.ts'
import { PASSWORD, passwordPlace, type CommonOptions, type PasswordPlace } from '../../common-options.ts'
import { choice, file, flag, oneOf, text, wholeNumber, type Values } from '../../option.ts'
import { parseDuration } from '../../../config/values/quantity.ts'
import { OLD_TOOLS, type OldTool } from '../../../setup/old-record.ts'
import { usageError } from '../../command-errors.ts'

const SELECTIONS = ['held', 'refused', 'open', 'delivered', 'seen'] as const

const STATE = {
  held: flag('list, retry: messages that are held'),
  refused: flag('list, retry: messages that a destination refused'),
  here: flag('retry: messages that wait for another machine; what it began is given up'),
  open: flag('list: messages that are not delivered yet, refused ones too'),
  delivered: flag('list: messages that were delivered'),
  seen: flag('list: messages that count as seen: skipped, or another program fetched them'),
  copy: wholeNumber(0, 'explain, forget: which of the messages that share a UIDL'),
  'all-messages': flag('forget: all messages of the account'),
  departed: flag('forget: everything of accounts that are no longer configured'),
  older: text('forget: with --departed, only those not configured for so long (30d)', 'TIME'),
  yes: flag('forget: more than one message'),
  destination: flag('rename: a destination, not an account'),
  as: choice(OLD_TOOLS, 'export: as the record of this program, which then fetches none of these messages'),
  output: file('export: write it to this file'),
  ...PASSWORD,
  ca: file('copy: trust these certificate authorities (PEM file)'),
  'key-file': file('copy: the state.key of FROM, where that is a database, for its sign-ins'),
  'without-sign-ins': flag('copy: leave the sign-ins of popfetch auth behind'),
} as const

type Given = Values<typeof STATE>

/** What each operation is asked for. UIDLs are as they were typed. */
export interface StateRequests {
  readonly list: { readonly account: string; readonly selection: Selection }
  /** Of every account. */
  readonly find: { readonly text: string }
  readonly explain: { readonly account: string; readonly uidl: string; readonly copy: number | null }
  readonly retry: {
    /** Without duplicates; empty: all. */
    readonly accounts: readonly string[]
    /** Empty: whatever waits, and what is left alone is tried again. */
    readonly only: readonly Waiting[]
  }
  readonly forget: {
    /** Instead of messages: all of the accounts that have not been configured for so long; null: messages are meant. */
    readonly departedMs: number | null
    readonly account: string
    /** Empty: all messages. */
    readonly uidls: readonly string[]
    readonly copy: number | null
    readonly yes: boolean
  }
  readonly rename: { readonly from: string; readonly to: string; readonly isDestination: boolean }
  /** Null: all accounts. */
  readonly export: { readonly account: string | null; readonly as: OldTool | null; readonly output: string | null }
  readonly backup: { readonly file: string }
  readonly restore: { readonly file: string }
  /** `from`: a path or a URL. */
  readonly copy: {
    readonly from: string
    readonly password: PasswordPlace | null
    readonly ca: string | null
    readonly key: string | null
    readonly withoutSignIns: boolean
  }
  readonly check: object
  readonly repair: object
  readonly upgrade: object
}

export type Operation = keyof StateRequests

type StateRequest = { readonly [Name in Operation]: { readonly operation: Name } & StateRequests[Name] }[Operation]

export type StateInvocation = CommonOptions & StateRequest

interface Grammar<Name extends Operation> {
  /** The words that follow the operation. */
  readonly usage: string
  readonly options: readonly (keyof Given)[]
  /** Throws ERR_USAGE. */
  readonly request: (words: Words, given: Given) => { readonly operation: Name } & StateRequests[Name]
}

/** The options of `retry`, each for those that wait so. */
const RETRIED = [
  ['refused', 'refused'],
  ['held', 'held'],
  ['here', 'elsewhere'],
] as const

const OPERATIONS: { readonly [Name in Operation]: Grammar<Name> } = {
  list: {
    usage: 'ACCOUNT',
    options: SELECTIONS,
    request: (words, given) => ({ operation: 'list', account: words.only(1)[0], selection: selectionOf(given) }),
  },
  find: {
    usage: 'TEXT',
    options: [],
    request: (words) => ({ operation: 'find', text: words.only(1)[0] }),
  },
  explain: {
    usage: 'ACCOUNT UIDL',
    options: ['copy'],
    request(words, { copy }) {
      const [account, uidl] = words.only(2)
      return { operation: 'explain', account, uidl, copy }
    },
  },
  retry: {
    usage: '[ACCOUNT...]',
    options: ['refused', 'held', 'here'],
    request: (words, given) => ({
      operation: 'retry',
      accounts: words.any,
      only: RETRIED.flatMap(([option, waiting]) => (given[option] ? [waiting] : [])),
    }),
  },
  forget: {
    usage: 'ACCOUNT UIDL..., or --departed',
    options: ['copy', 'all-messages', 'yes', 'departed', 'older'],
    request(words, { 'all-messages': all, copy, yes, departed, older }) {
      if (departed) {
        words.nothing()
        const other = all ? 'all-messages' : copy === null ? null : 'copy'
        if (other !== null) throw usageError(`--departed and --${other} cannot be combined`)
        const departedMs = older === null ? 0 : parseDuration(older)
        if (departedMs === null) throw usageError('--older must be a duration such as 12h or 30d')
        return { operation: 'forget', departedMs, account: '', uidls: [], copy, yes }
      }
      if (older !== null) throw usageError('--older requires --departed')
      if (all && copy !== null) throw usageError('--copy and --all-messages cannot be combined')
      const [account, ...uidls] = all ? [words.only(1)[0]] : words.atLeast(2)
      return { operation: 'forget', departedMs: null, account, uidls: [...new Set(uidls)], copy, yes }
    },
  },
  rename: {
    usage: 'OLD NEW',
    options: ['destination'],
    request(words, { destination: isDestination }) {
      const [from, to] = words.only(2)
      return { operation: 'rename', from, to, isDestination }
    },
  },
  export: {
    usage: '[ACCOUNT]',
    options: ['as', 'output'],
    request(words, { as, output }) {
      if (output !== null && as === null) throw usageError('--output needs --as')
      return { operation: 'export', account: words.none ? null : words.only(1)[0], as, output }
    },
  },
  backup: {
    usage: 'FILE',
    options: [],
    request: (words) => ({ operation: 'backup', file: words.only(1)[0] }),
  },
  restore: {
    usage: 'FILE',
    options: [],
    request: (words) => ({ operation: 'restore', file: words.only(1)[0] }),
  },
  copy: {
    usage: 'FROM',
    options: ['password-env', 'password-file', 'password-command', 'ca', 'key-file', 'without-sign-ins'],
    request: (words, given) => ({
      operation: 'copy',
      from: words.only(1)[0],
      password: passwordPlace(given),
      ca: given.ca,
      key: given['key-file'],
      withoutSignIns: given['without-sign-ins'],
    }),
  },
  check: {
    usage: '',
    options: [],
    request(words) {
      words.nothing()
      return { operation: 'check' }
    },
  },
  repair: {
    usage: '',
    options: [],
    request(words) {
      words.nothing()
      return { operation: 'repair' }
    },
  },
  upgrade: {
    usage: '',
    options: [],
    request(words) {
      words.nothing()
      return { operation: 'upgrade' }
    },
  },
}

const NAMES = Object.keys(OPERATIONS) as readonly Operation[]

export const command: Command<StateRequest> = {
  usage: '[operation] [argument...]',
  describe: 'Inspect, copy and repair the ledger: what came, what is waiting, what was refused, and why',
  options: [{ heading: 'Options for state:', options: STATE }],
  examples: [
    ['popfetch state find invoice', 'Find a message'],
    ['popfetch state explain work "<7@shop.example>"', 'Show the story of a message, and what happens next'],
  ],
  exits: [0, 64, 74, 75, 78],
  notes: `  list ACCOUNT            print its known messages, or those of one kind
  find TEXT               find messages of any account by From, Subject,
                          Message-ID or UIDL
  explain ACCOUNT UIDL    print the story of one message, and what happens next
  retry [ACCOUNT...]      make waiting, refused and held messages due at the next
                          poll (--refused, --held: only those), and try paused
                          destinations again. --here: only those that wait for
                          another machine, as if it had never begun them
  forget ACCOUNT UIDL...  treat messages as new: the next poll fetches them, even
                          if they were delivered
  forget --departed       forget everything of accounts and destinations that are
                          no longer in the configuration (--older 30d: for so long)
  rename OLD NEW          keep what is known of an account that you renamed; with
                          --destination: of a destination
  export [ACCOUNT]        print everything as JSON lines; --as TOOL: as the record
                          of fetchmail, getmail or mpop, to go back
  backup FILE             copy the ledger, even while a poll runs
  restore FILE            replace the ledger with such a copy, and keep the old one
                          beside it. Stop a running popfetch first
  copy FROM               fill the ledger, which must be empty, with all of another
                          one: a file or the URL of a PostgreSQL database, and its
                          sign-ins. FROM is not used from then on (78). Stop a
                          running popfetch first
  check                   check the ledger for damage (74)
  repair                  save what can be read of a damaged ledger into a new one,
                          print what is missing, and keep the damaged one beside
                          it. Stop a running popfetch first
  upgrade                 remove from the ledger what this version no longer needs
                          and older versions do; a copy for going back stays
                          beside it. Stop a running popfetch first

Write a UIDL as it was printed or as the server has it, after -- if it begins with
a hyphen. A Message-ID works as well. With --json, list and find print one object
per line.`,
  completes: { words: NAMES, accounts: true },
  request(given) {
    const [named, ...words] = given.words
    const values = given.options(STATE)
    if (named === undefined) throw usageError(`state needs one of ${NAMES.join(', ')}`)
    const operation = oneOf(NAMES, 'state OPERATION', named)
    const { usage, options, request } = OPERATIONS[operation]
    const expected = new Words(words, `expected popfetch state ${operation} ${usage}`)
    refuseForeignOptions(operation, options, values)
    return request(expected, values)
  },
}

/** The words of an operation, as many as it takes. Throws ERR_USAGE with `expected` where they are not. */
class Words {
  readonly #words: readonly string[]
  readonly #expected: string

  constructor(words: readonly string[], expected: string) {
    this.#words = words
    this.#expected = expected
    if (words.includes('')) throw usageError(expected)
  }

  get none(): boolean {
    return this.#words.length === 0
  }

  nothing(): void {
    if (!this.none) throw usageError(this.#expected)
  }

  /** As many as there are, each once. */
  get any(): readonly string[] {
    return [...new Set(this.#words)]
  }

  only(count: 1 | 2): readonly [string, string] {
    if (this.#words.length !== count) throw usageError(this.#expected)
    const [first = '', second = ''] = this.#words
    return [first, second]
  }

  atLeast(count: number): readonly [string, ...string[]] {
    const [first, ...rest] = this.#words
    if (first === undefined || this.#words.length < count) throw usageError(this.#expected)
    return [first, ...rest]
  }
}

function refuseForeignOptions(operation: Operation, own: readonly string[], given: Given): void {
  const set = Object.entries(given).flatMap(([name, value]) => (value === false || value === null ? [] : [name]))
  const foreign = set.find((name) => !own.includes(name))
  if (foreign !== undefined) throw usageError(`--${foreign} is not an option of state ${operation}`)
}

function selectionOf(given: Given): Selection {
  const [selection = 'all', another] = SELECTIONS.filter((name) => given[name])
  if (another !== undefined) throw usageError(`--${selection} and --${another} cannot be combined`)
  return selection
}
