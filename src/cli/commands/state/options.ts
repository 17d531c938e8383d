// The words after `popfetch state` → an operation, or a usage error. Reading argv is options.ts; what each option may hold was
// checked there. Here: which words and options belong to which operation.
import type { Selection } from '../../../ledger/records.ts'
import type { StateOperation } from '../../command.ts'
import { usageError } from '../../usage.ts'

export const OPERATIONS = ['list', 'explain', 'forget', 'rename', 'export', 'backup'] as const

const flag = (describe: string) => ({ type: 'boolean', describe }) as const

export const STATE_OPTIONS = {
  held: flag('list: messages that are kept back'),
  refused: flag('list: messages that a destination refused'),
  open: flag('list: messages that are not delivered yet, refused ones too'),
  delivered: flag('list: messages that were delivered'),
  seen: flag('list: messages that the first poll skipped'),
  copy: {
    type: 'string',
    nargs: 1,
    requiresArg: true,
    describe: 'explain, forget: which of the messages that share a UIDL',
  },
  'all-messages': flag('forget: all messages of the account'),
  yes: flag('forget: more than one message'),
} as const

const SELECTIONS = ['held', 'refused', 'open', 'delivered', 'seen'] as const

/** Which options an operation knows, and what its words are called. */
const GRAMMAR: Readonly<
  Record<(typeof OPERATIONS)[number], { readonly usage: string; readonly options: readonly string[] }>
> = {
  list: { usage: 'ACCOUNT', options: SELECTIONS },
  explain: { usage: 'ACCOUNT UIDL', options: ['copy'] },
  forget: { usage: 'ACCOUNT UIDL...', options: ['copy', 'all-messages', 'yes'] },
  rename: { usage: 'OLD NEW', options: [] },
  export: { usage: '[ACCOUNT]', options: [] },
  backup: { usage: 'FILE', options: [] },
}

export interface StateWords {
  readonly operation: (typeof OPERATIONS)[number] | undefined
  readonly words: readonly string[]
  readonly held: boolean
  readonly refused: boolean
  readonly open: boolean
  readonly delivered: boolean
  readonly seen: boolean
  readonly copy: number | null
  readonly 'all-messages': boolean
  readonly yes: boolean
}

/** Throws ERR_USAGE. */
export function stateOperation(given: StateWords): StateOperation {
  const { operation, copy, yes } = given
  if (operation === undefined) throw usageError(`state needs one of ${OPERATIONS.join(', ')}`)
  const words = new Words(operation, given.words)
  refuseForeignOptions(operation, given)
  switch (operation) {
    case 'list':
      return { operation, account: words.only(1)[0], selection: selectionOf(given) }
    case 'explain': {
      const [account, uidl] = words.only(2)
      return { operation, account, uidl, copy }
    }
    case 'forget': {
      if (given['all-messages']) {
        if (copy !== null) throw usageError('--copy and --all-messages contradict each other')
        return { operation, account: words.only(1)[0], uidls: [], copy, yes }
      }
      const [account, ...uidls] = words.atLeast(2)
      return { operation, account, uidls: [...new Set(uidls)], copy, yes }
    }
    case 'rename': {
      const [from, to] = words.only(2)
      return { operation, from, to }
    }
    case 'export':
      return { operation, account: given.words.length === 0 ? null : words.only(1)[0] }
    case 'backup':
      return { operation, file: words.only(1)[0] }
  }
}

class Words {
  readonly #operation: (typeof OPERATIONS)[number]
  readonly #words: readonly string[]

  constructor(operation: (typeof OPERATIONS)[number], words: readonly string[]) {
    this.#operation = operation
    this.#words = words
    if (words.includes('')) throw this.#wrong()
  }

  only(count: 1 | 2): readonly [string, string] {
    if (this.#words.length !== count) throw this.#wrong()
    const [first = '', second = ''] = this.#words
    return [first, second]
  }

  atLeast(count: number): readonly [string, ...string[]] {
    const [first, ...rest] = this.#words
    if (first === undefined || this.#words.length < count) throw this.#wrong()
    return [first, ...rest]
  }

  #wrong(): Error {
    return usageError(`expected popfetch state ${this.#operation} ${GRAMMAR[this.#operation].usage}`)
  }
}

function refuseForeignOptions(operation: (typeof OPERATIONS)[number], given: StateWords): void {
  const set: readonly string[] = [
    ...SELECTIONS.filter((name) => given[name]),
    ...(given.copy === null ? [] : ['copy']),
    ...(given['all-messages'] ? ['all-messages'] : []),
    ...(given.yes ? ['yes'] : []),
  ]
  const foreign = set.find((name) => !GRAMMAR[operation].options.includes(name))
  if (foreign !== undefined) throw usageError(`--${foreign} does not belong to state ${operation}`)
}

function selectionOf(given: StateWords): Selection {
  const [selection = 'all', another] = SELECTIONS.filter((name) => given[name])
  if (another !== undefined) throw usageError(`--${selection} and --${another} contradict each other`)
  return selection
}
