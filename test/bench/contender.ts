// One client at one case, as something that can be run again and again. Every run has a fresh Maildir and a fresh record of
// seen messages, and counts only when everything arrived. On disk nothing is removed before the case is over (disk.ts
// says why); in memory each run makes room for the next.
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Dovecot } from '../servers/dovecot.ts'
import type { Sink } from '../servers/postfix.ts'
import { mailboxNames, totalMessages, type Case } from './cases.ts'
import { settled } from './disk.ts'
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
  /** Where runs are kept: in memory or on disk. */
  readonly directory: string
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
  return destination === 'memory' || destination === 'disk' ? 'maildir' : destination
}

/** A client's name for an unusual destination says so: fetchmail has no Maildir. */
export function contender(client: Client, each: Case, scene: Scene): Contender {
  const wanted = kindOf(each)
  const kind = client.delivers.includes(wanted) ? wanted : 'smtp'
  const name = kind === wanted ? client.name : `${client.name} (to SMTP)`
  const expected = totalMessages(each.waiting)

  const destinationIn = (directory: string): Destination => {
    if (kind === 'maildir') return { kind, path: join(directory, 'Mail') }
    if (kind === 'smtp') return { kind, port: scene.sink.port }
    // Dovecot knows users in lower case.
    return { kind, port: scene.dovecot.imapPort, user: basename(directory).toLowerCase() }
  }
  const begin = async (): Promise<{ job: Job; command: Command }> => {
    const directory = await mkdtemp(join(scene.directory, `${client.name}-`))
    const destination = destinationIn(directory)
    if (destination.kind === 'maildir') await makeMaildir(destination.path)
    const { password, certificate } = scene.dovecot
    const caFile = each.tls ? certificate.caFile : null
    const job: Job = { users: mailboxNames(each.waiting), password, port: scene.port, caFile, destination, directory }
    return { job, command: await client.configure(job) }
  }
  const measured = async ({ destination }: Job, command: Command, more: number): Promise<Usage> => {
    const before = scene.sink.count()
    const usage = await measure(command, timeoutMs)
    const arrived = await countOf(destination, scene, before)
    const wanted = destination.kind === 'smtp' ? more : expected
    if (arrived !== wanted) throw new Error(`${name}: ${arrived} of ${wanted} messages arrived`)
    return usage
  }

  let prepared: { job: Job; command: Command } | null = null
  return {
    name,
    async prepare() {
      if (each.measured === 'first') return
      prepared = await begin()
      await measured(prepared.job, prepared.command, expected)
    },
    async run() {
      // Known messages are not delivered again.
      if (prepared !== null) return measured(prepared.job, prepared.command, 0)
      const { job, command } = await begin()
      if (each.destination === 'disk') await settled(scene.directory)
      const usage = await measured(job, command, expected)
      if (each.destination !== 'disk') await rm(job.directory, { recursive: true })
      const { destination } = job
      if (destination.kind === 'imap')
        await rm((await scene.dovecot.mailbox(destination.user)).maildir, { recursive: true })
      return usage
    },
    async [Symbol.asyncDispose]() {
      if (prepared !== null) await rm(prepared.job.directory, { recursive: true, force: true })
    },
  }
}

/** A command that is only timed. */
export function plainContender(name: string, directory: string, make: (directory: string) => Command): Contender {
  return {
    name,
    prepare: async () => void (await mkdir(directory, { recursive: true })),
    run: () => measure(make(directory), timeoutMs),
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
