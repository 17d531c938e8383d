// Run as a process of its own (process-wide.test.ts): says what of the process has changed once popfetch was imported, once it has
// polled, and once it is closed. Arguments: the module to import, a port, a folder.
import type * as tls from 'node:tls'
import type * as popfetch from '../../src/index.ts'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { runInNewContext } from 'node:vm'

const [, , from = '', port = '', folder = ''] = process.argv
const load = createRequire(import.meta.url)
const calls: string[] = []

/** What changes the whole process, whoever calls it. */
const CHANGING = [
  [load('node:v8'), ['setFlagsFromString', 'setHeapSnapshotNearHeapLimit']],
  [load('node:tls'), ['setDefaultCACertificates']],
  [load('node:dns'), ['setServers', 'setDefaultResultOrder']],
  [load('node:net'), ['setDefaultAutoSelectFamily', 'setDefaultAutoSelectFamilyAttemptTimeout']],
  [
    process,
    ['chdir', 'umask', 'setuid', 'setgid', 'setUncaughtExceptionCaptureCallback', 'emitWarning', 'exit', 'kill'],
  ],
  [process.stdout, ['write']],
  [process.stderr, ['write']],
] as unknown as readonly (readonly [Record<string, (...given: unknown[]) => unknown>, readonly string[]])[]

for (const [owner, names] of CHANGING) {
  for (const name of names) {
    const real = owner[name]
    if (real === undefined) throw new Error(`${name} is gone`)
    owner[name] = function (this: unknown, ...given: unknown[]): unknown {
      // Without an argument it only tells.
      if (name !== 'umask' || given.length > 0) calls.push(name)
      return Reflect.apply(real, this, given)
    }
  }
}
syncBuiltinESMExports()

function look(): object {
  const events = process.eventNames().map((name) => `${String(name)} ${process.listenerCount(name)}`)
  return {
    events: events.toSorted(),
    env: { ...process.env },
    cwd: process.cwd(),
    umask: process.umask(),
    title: process.title,
    exitCode: process.exitCode ?? null,
    // zod keeps what its copies share under names of its own.
    globals: Object.getOwnPropertyNames(globalThis)
      .filter((name) => !name.startsWith('__zod_'))
      .toSorted(),
    gc: runInNewContext('typeof gc') as unknown,
    stackTraceLimit: Error.stackTraceLimit,
    authorities: (load('node:tls') as typeof tls).getCACertificates('default').length,
    calls: [...calls],
  }
}

const before = look()
const { createPoller, defineDestination } = (await import(from)) as typeof popfetch
const imported = look()
const running = process.getActiveResourcesInfo()
const store = defineDestination({
  description: 'store',
  deliver: async (_, message) => ({ text: `${(await message.bytes()).length} bytes` }),
})
const account = {
  host: '127.0.0.1',
  port: Number(port),
  tls: 'none',
  user: 'alice',
  password: 'secret',
  deliver: 'store',
  first: 'all',
} as const
const poller = await createPoller({
  accounts: { work: account },
  destinations: { store },
  ledger: `${folder}/state.db`,
})
const reports = await poller.poll()
const polled = look()
await poller[Symbol.asyncDispose]()
const closed = look()
process.send?.({ before, imported, polled, closed, running, delivered: reports[0]?.delivered })
process.disconnect?.()
