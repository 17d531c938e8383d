// One client at one case, as something that can be run again and again. Its home stays the same, and so does the path of its
// files: what it keeps for its next start is there, as it is in daily use, and a run before the first one makes it. All else is
// fresh: every run has a new Maildir and a new record of seen messages, and counts only when everything arrived. On disk nothing
// is removed before the case is over (disk.ts says why); in memory each run makes room for the next.
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Dovecot } from '../servers/dovecot.ts'
import type { Sink } from '../servers/postfix.ts'
import { mailboxNames, totalMessages, type Case } from './cases.ts'
import type { Disk } from './disk.ts'
import { measure, type Command, type Usage } from './measure.ts'
import { makeMaildir, type Client, type Destination, type Job } from './peers.ts'

export interface Contender extends AsyncDisposable {
  readonly name: string
  /** What comes before the first run and is not measured. */
  prepare(): Promise<void>
  /** Measures one run, checks it and cleans up. */
  run(): Promise<Usage>
}

export interface Scene {
  readonly dovecot: Dovecot
  readonly sink: Sink
  /** The way to Dovecot for this case. */
  readonly port: number
  /** In memory: homes, and runs unless they are on disk. */
  readonly directory: string
  /** Where runs are kept; null: in memory. */
  readonly disk: Disk | null
  /** For the client, beside what every program gets. */
  readonly environment: Readonly<Record<string, string>>
}

// Ten minutes: getmail6 needs several for five thousand messages.
const timeoutMs = 600_000

/** A client without Maildirs forwards instead; one without SMTP cannot, and several at once want several mailboxes. */
export function canDo(client: Client, each: Case): boolean {
  return (
    (kindOf(each) === 'maildir' || client.delivers.includes(kindOf(each))) &&
    each.waiting.mailboxes >= client.leastMailboxes
  )
}

function kindOf({ destination }: Case): Destination['kind'] {
  return destination === 'smtp' || destination === 'imap' ? destination : 'maildir'
}

/** A client's name for an unusual destination says so: fetchmail has no Maildir. */
export async function contender(client: Client, each: Case, scene: Scene): Promise<Contender> {
  const wanted = kindOf(each)
  const kind = client.delivers.includes(wanted) ? wanted : 'smtp'
  const name = kind === wanted ? client.name : `${client.name} (to SMTP)`
  const expected = totalMessages(each.waiting)
  const home = await mkdtemp(join(scene.directory, 'home-'))
  const place = join(scene.disk?.directory ?? scene.directory, client.name)

  let runs = 0
  const destinationNow = (): Destination => {
    if (kind === 'maildir') return { kind, path: join(place, 'Mail') }
    if (kind === 'smtp') return { kind, port: scene.sink.port }
    // Dovecot knows users in lower case.
    return { kind, port: scene.dovecot.imapPort, user: `${client.name}-${runs}`.toLowerCase() }
  }
  const begin = async (): Promise<{ job: Job; command: Command }> => {
    runs++
    await mkdir(place)
    const destination = destinationNow()
    if (destination.kind === 'maildir') await makeMaildir(destination.path)
    const { password, certificate } = scene.dovecot
    const caFile = each.tls ? certificate.caFile : null
    const users = mailboxNames(each.waiting)
    const job: Job = { users, password, port: scene.port, caFile, destination, directory: place, home }
    return { job, command: { environment: scene.environment, home, ...(await client.configure(job)) } }
  }
  const measured = async ({ destination }: Job, command: Command, more: number): Promise<Usage> => {
    const before = scene.sink.count()
    const usage = await measure(command, timeoutMs)
    const arrived = await countOf(destination, scene, before)
    const wanted = destination.kind === 'smtp' ? more : expected
    if (arrived !== wanted) throw new Error(`${name}: ${arrived} of ${wanted} messages arrived`)
    return usage
  }
  const fresh = async (): Promise<Usage> => {
    await scene.disk?.renew()
    const { job, command } = await begin()
    await scene.disk?.settled()
    const usage = await measured(job, command, expected)
    if (scene.disk === null) await rm(place, { recursive: true })
    else await rename(place, `${place}-${runs}`)
    const { destination } = job
    if (destination.kind === 'imap')
      await rm((await scene.dovecot.mailbox(destination.user)).maildir, { recursive: true })
    return usage
  }

  let prepared: { job: Job; command: Command } | null = null
  return {
    name,
    async prepare() {
      if (each.measured === 'first') return void (await fresh())
      prepared = await begin()
      await measured(prepared.job, prepared.command, expected)
      await measured(prepared.job, prepared.command, 0)
    },
    // Known messages are not delivered again.
    run: () => (prepared === null ? fresh() : measured(prepared.job, prepared.command, 0)),
    async [Symbol.asyncDispose]() {
      await rm(home, { recursive: true, force: true })
      if (scene.disk === null) await rm(place, { recursive: true, force: true })
    },
  }
}

/** A command that is only timed. */
export function plainContender(name: string, directory: string, make: (directory: string) => Command): Contender {
  return {
    name,
    async prepare() {
      await mkdir(directory, { recursive: true })
      await measure(make(directory), timeoutMs)
    },
    run: () => measure(make(directory), timeoutMs),
    async [Symbol.asyncDispose]() {},
  }
}

/** The program against nobody: the first of its polls is not measured. */
export function alone(poll: () => Promise<Usage>): Contender {
  return {
    name: 'popfetch',
    prepare: async () => void (await poll()),
    run: poll,
    async [Symbol.asyncDispose]() {},
  }
}

/** How many have arrived; in a sink, since there were `before`. */
async function countOf(destination: Destination, { dovecot, sink }: Scene, before: number): Promise<number> {
  if (destination.kind === 'maildir') return await countMaildir(destination.path)
  return destination.kind === 'smtp' ? sink.count() - before : await dovecot.remaining(destination.user)
}

async function countMaildir(path: string): Promise<number> {
  const lists = await Promise.all(['new', 'cur'].map((part) => readdir(join(path, part))))
  return lists.flat().length
}
