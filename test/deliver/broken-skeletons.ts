// Skeletons with one mistake each, and the test of the contract that has to notice it. A new test in contract.ts needs a line
// here: skeleton.test.ts asks for one.
import fs from 'node:fs'
import path from 'node:path'
import type { Attempt, Receipt, SpoolPlace } from '../../src/deliver/destination.ts'
import type { FileSystem } from '../../src/deliver/disk/filesystem.ts'
import type { Message, Origin } from '../../src/message.ts'
import type { checks } from './contract.ts'
import { attempt, never } from './letters.ts'
import { type Progress, Skeleton } from './skeleton.ts'

export interface Mistake {
  readonly what: string
  readonly noticedBy: keyof typeof checks
  readonly skeleton?: new (...given: ConstructorParameters<typeof Skeleton>) => Skeleton
  /** Other calls to the disk. */
  readonly calls?: (real: FileSystem) => Partial<FileSystem>
  /** Its limits, whatever the suite wants. */
  readonly limitMs?: number
  /** Says that it takes no larger messages. */
  readonly mostBytes?: number
  /** The test does not fail but never ends. */
  readonly hangs?: true
}

const isDirectory = (fd: number): boolean => fs.fstatSync(fd).isDirectory()

export const MISTAKES: readonly Mistake[] = [
  {
    what: 'does not sync its files',
    noticedBy: 'durable',
    calls: (real) => ({ fsync: (fd) => (isDirectory(fd) ? real.fsync(fd) : undefined) }),
  },
  {
    what: 'does not sync its directory',
    noticedBy: 'durable',
    calls: (real) => ({ fsync: (fd) => (isDirectory(fd) ? undefined : real.fsync(fd)) }),
  },
  {
    what: 'delivers each message twice',
    noticedBy: 'once',
    skeleton: class extends Skeleton {
      override async deliver(tried: Attempt, message: Message, signal: AbortSignal): Promise<Receipt> {
        await super.deliver({ ...tried, intent: attempt().intent }, message, signal)
        return await super.deliver(tried, message, signal)
      }
    },
  },
  {
    what: 'overwrites one message with another',
    noticedBy: 'once',
    calls: (real) => ({
      rename: (from, to) => real.rename(from, path.join(path.dirname(to), 'message')),
    }),
  },
  {
    what: 'loses the end of a message',
    noticedBy: 'whole',
    skeleton: class extends Skeleton {
      override write(part: string, message: Message, progress: Progress): Promise<void> {
        const { body } = message
        const bytes = body.kind === 'memory' ? body.bytes.subarray(0, -2) : null
        return super.write(part, bytes === null ? message : { ...message, body: { kind: 'memory', bytes } }, progress)
      }
    },
  },
  {
    what: 'takes the fields of another destination for part of the message',
    noticedBy: 'whole',
    skeleton: class extends Skeleton {
      override write(part: string, message: Message, progress: Progress): Promise<void> {
        const { body, sizeBytes } = message
        if (body.kind === 'memory') return super.write(part, message, progress)
        const { prefixBytes } = body.form
        const file = { ...body, form: { ...body.form, prefixBytes: 0 } }
        return super.write(part, { ...message, sizeBytes: sizeBytes + prefixBytes, body: file }, progress)
      }
    },
  },
  {
    what: 'changes the message in memory',
    noticedBy: 'let_go',
    skeleton: class extends Skeleton {
      override async put(name: string, message: Message, progress: Progress): Promise<void> {
        await super.put(name, message, progress)
        if (message.body.kind === 'memory') message.body.bytes.fill('!')
      }
    },
  },
  {
    what: 'does not wait until the message is written',
    noticedBy: 'let_go',
    skeleton: class extends Skeleton {
      override deliver(tried: Attempt, message: Message, signal: AbortSignal): Promise<Receipt> {
        super.deliver(tried, message, signal).catch(() => {})
        return Promise.resolve({ text: 'soon' })
      }
    },
  },
  {
    what: 'does not know the file that its own spool asked for',
    noticedBy: 'spool',
    skeleton: class extends Skeleton {
      override readonly spool: SpoolPlace = {
        directory: this.root,
        mode: 0o600,
        lineEndings: 'crlf',
        fileName: ({ intent }) => intent,
        prefix: () => Buffer.alloc(0),
      }
    },
  },
  {
    what: 'has no recipient',
    noticedBy: 'recipients',
    skeleton: class extends Skeleton {
      override readonly recipients = []
    },
  },
  {
    what: 'gives receipts of any length',
    noticedBy: 'receipts',
    skeleton: class extends Skeleton {
      override receipt = (name: string): Receipt => ({ text: path.join(this.root, name) })
    },
  },
  {
    what: 'gives receipts that can act on a terminal',
    noticedBy: 'receipts',
    skeleton: class extends Skeleton {
      override receipt = (name: string): Receipt => ({ text: `${name}\u001b[2J` })
    },
  },
  {
    what: 'says temporary of what it cannot take back',
    noticedBy: 'failures',
    skeleton: class extends Skeleton {
      override remove = (): Promise<void> => Promise.resolve()
    },
  },
  {
    what: 'writes under the name that others look at',
    noticedBy: 'failures',
    calls: (real) => ({
      open: (file, flags, mode) => real.open(file.replace('.part', ''), flags, mode),
      rename: () => undefined,
    }),
  },
  {
    what: 'fails with what the system said',
    noticedBy: 'failures',
    skeleton: class extends Skeleton {
      override limited = <T>(work: Promise<T>): Promise<T> => work
    },
  },
  {
    what: 'is sure of attempts that it does not recall',
    noticedBy: 'kill',
    skeleton: class extends Skeleton {
      override recall = (): Promise<null> => Promise.resolve(null)
    },
  },
  {
    what: 'leaves half a message of a process that was killed',
    noticedBy: 'kill',
    calls: (real) => ({ unlink: (file) => (file.endsWith('.part') ? undefined : real.unlink(file)) }),
  },
  {
    what: 'recalls what never arrived',
    noticedBy: 'recall',
    skeleton: class extends Skeleton {
      override recall = () => Promise.resolve({ text: 'it is there', received: null })
    },
  },
  {
    what: 'says that it does not remember, and does',
    noticedBy: 'recall',
    skeleton: class extends Skeleton {
      override readonly remembers = false
    },
  },
  {
    what: 'counts messages in an order of its own',
    noticedBy: 'census',
    skeleton: class extends Skeleton {
      override async census(origins: readonly Origin[], signal: AbortSignal) {
        return (await super.census(origins, signal))?.toReversed() ?? null
      }
    },
  },
  {
    what: 'counts a copy as the message itself',
    noticedBy: 'census',
    skeleton: class extends Skeleton {
      override census(origins: readonly Origin[], signal: AbortSignal) {
        return super.census(
          origins.map((origin) => ({ ...origin, copy: 0 })),
          signal,
        )
      }
    },
  },
  { what: 'knows no time limit', noticedBy: 'time', limitMs: 2 ** 30, hangs: true },
  {
    what: 'takes a full disk for a refusal',
    noticedBy: 'room',
    skeleton: class extends Skeleton {
      override limited<T>(work: Promise<T>, signal: AbortSignal, what: string): Promise<T> {
        return super.limited(work, signal, what, () => 'refused')
      }
    },
  },
  { what: 'takes messages that are larger than it says', noticedBy: 'size', mostBytes: 1000 },
  {
    what: 'does not end when the signal is aborted',
    noticedBy: 'abort',
    skeleton: class extends Skeleton {
      override deliver(tried: Attempt, message: Message): Promise<Receipt> {
        return super.deliver(tried, message, never)
      }
    },
    hangs: true,
  },
  {
    what: 'makes visible what was given up',
    noticedBy: 'abort',
    skeleton: class extends Skeleton {
      override assertWanted = (): void => {}
    },
  },
  {
    what: 'begins although the signal is aborted',
    noticedBy: 'abort_before',
    skeleton: class extends Skeleton {
      override deliver(tried: Attempt, message: Message): Promise<Receipt> {
        return super.deliver(tried, message, never)
      }
    },
  },
  {
    what: 'tries whether it can write, and leaves what it wrote',
    noticedBy: 'ready',
    skeleton: class extends Skeleton {
      override async ready(signal: AbortSignal): Promise<void> {
        await super.ready(signal)
        fs.writeFileSync(path.join(this.root, 'probe.part'), '')
      }
    },
  },
  {
    what: 'leaves what a trial has written',
    noticedBy: 'probe',
    skeleton: class extends Skeleton {
      override async probe(signal: AbortSignal) {
        const probed = await super.probe(signal)
        fs.writeFileSync(path.join(this.root, 'probe.part'), '')
        return probed
      }
    },
  },
  {
    what: 'finds everything well in a trial',
    noticedBy: 'probe',
    skeleton: class extends Skeleton {
      override probe = () => Promise.resolve({ tls: null, findings: [], warnings: [] })
    },
  },
  {
    what: 'does not stop a trial when the signal is aborted',
    noticedBy: 'probe_disturbed',
    skeleton: class extends Skeleton {
      override probe = () => super.probe(never)
    },
    hangs: true,
  },
  {
    what: 'is always ready',
    noticedBy: 'down',
    skeleton: class extends Skeleton {
      override ready = (): Promise<void> => Promise.resolve()
    },
  },
  {
    what: 'does not stop looking when the signal is aborted',
    noticedBy: 'ready_disturbed',
    skeleton: class extends Skeleton {
      override ready = (): Promise<void> => super.ready(never)
    },
    hangs: true,
  },
]
