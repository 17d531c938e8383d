// Fetches mail and hands each message to a web service of yours, exactly once. Run it with Node.js 24.15 or newer:
//
//   npm install popfetch
//   POP_HOST=pop.example.net POP_USER=alice POP_PASSWORD=… SERVICE=https://mail.example.org/in node to-a-service.ts
//
// It polls every five minutes until it is stopped, and keeps its ledger in ./state. POP_TLS=none, POP_PORT and ONCE=1 are for trying it
// out on this machine.
import { createPoller, defineDestination, undelivered } from 'popfetch'

const { POP_HOST = '', POP_PORT, POP_TLS, POP_USER = '', POP_PASSWORD = '', SERVICE = '', ONCE } = process.env
const service = new URL(SERVICE)

const toService = defineDestination({
  description: `service ${service.host}`,
  // The service recognises a second request with the same key, so no message is there twice, whatever happens.
  idempotent: true,
  concurrency: 8,
  timeoutMs: 60_000,

  async deliver({ key, origin }, message, signal) {
    const response = await fetch(service, {
      method: 'POST',
      headers: { 'Content-Type': 'message/rfc822', 'Idempotency-Key': key, 'X-Account': origin.account },
      body: new Uint8Array(await message.bytes()),
      signal,
    }).catch((cause: unknown) => {
      // The service cannot be reached: all messages wait on the server, and the service is left alone for a while.
      throw undelivered({ verdict: 'temporary', scope: 'destination', text: `cannot reach ${service.host}`, cause })
    })
    const answer = `${response.status} ${(await response.text()).slice(0, 200)}`
    // Only this receipt lets popfetch delete the message: the service has it, durably.
    if (response.ok) return { text: answer }
    const pauseMs = 1000 * Number(response.headers.get('retry-after') ?? 0)
    if (response.status === 413 || response.status === 422) throw undelivered({ verdict: 'refused', text: answer })
    throw undelivered({ verdict: 'temporary', scope: 'destination', text: answer, pauseMs })
  },
})

await using poller = await createPoller({
  accounts: {
    work: {
      host: POP_HOST,
      ...(POP_PORT === undefined ? {} : { port: Number(POP_PORT) }),
      ...(POP_TLS === 'none' ? { tls: 'none' as const } : {}),
      user: POP_USER,
      // Asked for at each sign-in: a vault or a database would do as well.
      password: () => POP_PASSWORD,
      deliver: 'service',
      delete: '30d',
      first: 'all',
    },
  },
  destinations: { service: toService },
  ledger: 'state/popfetch.db',
  log: { warn: console.warn, error: console.error },
})

// Called once the message is durable.
poller.on('message', ({ account, from, subject, outcome, deliveries }) => {
  console.log(`${account}: ${outcome}: ${from ?? '(no sender)'}: ${subject ?? '(no subject)'}`)
  for (const { error } of deliveries) if (error !== null) console.log(`  ${error}`)
})
poller.on('report', ({ account, outcome, error }) => {
  if (error !== null) console.log(`${account}: ${outcome}: ${error.message}`)
})

if (ONCE === undefined) {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  await poller.run({ signal: stop.signal })
} else {
  const [report] = await poller.poll()
  process.exitCode = report?.outcome === 'ok' ? 0 : 1
}
