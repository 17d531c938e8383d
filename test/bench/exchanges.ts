// How often popfetch waits for the server at a poll that finds nothing. A proxy between it and Dovecot counts that; its delay
// is long enough that it sees together what is sent together. Over TLS, as accounts are: only then are the server's
// capabilities taken from memory.
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { FIRST_POLL, LATER_POLL } from './cases.ts'
import type { Scene } from './contender.ts'
import { measure } from './measure.ts'
import { makeMaildir, popfetch } from './peers.ts'
import { startProxy } from './proxy.ts'
import type { Sample } from './target.ts'

const ROUND_TRIP_MS = 50
const TIMEOUT_MS = 60_000

/** An empty mailbox, polled for the first time and once more. */
export async function countExchanges({ dovecot, directory }: Scene): Promise<readonly Sample[]> {
  const { user } = await dovecot.mailbox('empty')
  const { certificateFile, keyFile, caFile } = dovecot.certificate
  await using proxy = await startProxy(dovecot.pop3Port, ROUND_TRIP_MS, directory, [certificateFile, keyFile])
  const own = await mkdtemp(join(directory, 'exchanges-'))
  const destination = { kind: 'maildir', path: join(own, 'Mail') } as const
  await makeMaildir(destination.path)
  const { password } = dovecot
  const job = { users: [user], password, port: proxy.port, caFile, destination, directory: own, home: own }
  const command = await popfetch.configure(job)
  const samples: Sample[] = []
  for (const [poll, name] of [FIRST_POLL, LATER_POLL].entries()) {
    await measure(command, TIMEOUT_MS)
    const exchanges = [await proxy.exchanges(poll + 1)]
    samples.push({ name, seconds: [], peakMegabytes: [], standstillMs: [], exchanges })
  }
  return samples
}
