// Signs in and says what is waiting: fetches, marks and deletes nothing (`popfetch check`). Never asks for a message, since
// for some servers that alone is a mark (P129).
import type { Account } from '../config/schema.ts'
import { asPopfetchError } from '../errors.ts'
import type { AccountRecord } from '../ledger/ledger.ts'
import type { Session } from '../pop3/session.ts'
import { Detours } from './detours.ts'
import { compare } from './listing.ts'
import { type CheckReport, reportError } from './report.ts'
import type { RunRequest } from './run.ts'
import { connect, secretOf } from './sign-in.ts'

/** Never rejects: what went wrong is in the report. */
export async function checkAccount(account: Account, run: RunRequest, nowMs: () => number): Promise<CheckReport> {
  const startMs = nowMs()
  const findings: { name: string; value: string }[] = []
  const counts = { waiting: 0, new: 0, waitingBytes: 0 }
  const report = (rest: Pick<CheckReport, 'outcome' | 'error'>): CheckReport => ({
    account: account.name,
    ...counts,
    ...rest,
    durationMs: Math.max(0, Math.round(nowMs() - startMs)),
    findings,
  })
  try {
    const record = await recordOf(account, run)
    const password = await secretOf(account, run)
    await using session = await connect(account, { ...run, detours: new Detours(record.facts, nowMs()) })
    findings.push(...beforeSignIn(session))
    await session.signIn(account.auth, { user: account.user, password })
    findings.push({ name: 'signed in with', value: session.signedInWith ?? '' })
    const listing = await session.list()
    findings.push(...afterSignIn(session, listing.hasUidls))
    const { plan } = await compare(listing, {
      ...run,
      account,
      record,
      session,
      exactSizes: record.facts['sizes'] !== 'hints',
      nowMs: nowMs(),
      agedMs: null,
      fetched: 0,
      sessionLimit: Infinity,
      skippedToo: false,
    })
    counts.waiting = plan.listed
    counts.waitingBytes = listing.totalBytes
    counts.new = plan.fetch.length
    await session.quit()
    return report({ outcome: 'ok', error: null })
  } catch (error) {
    return report({ outcome: 'failed', error: reportError(asPopfetchError(error)) })
  }
}

/** Of an account that was never polled: nothing is written for it. */
async function recordOf(account: Account, { ledger }: RunRequest): Promise<AccountRecord> {
  const { name, host, port, user } = account
  const known = (await ledger.accounts()).find((record) => record.name === name)
  return (
    known ?? {
      name,
      identity: { host, port, user },
      started: false,
      known: 0,
      facts: {},
      told: null,
      lastPollMs: null,
      lastSuccessMs: null,
      failures: 0,
      refusals: 0,
      secretMark: null,
      pausedUntilMs: 0,
      error: null,
    }
  )
}

function beforeSignIn({ greeting, tlsFacts, capabilities }: Session): CheckReport['findings'] {
  return [
    { name: 'greeting', value: greeting },
    ...(tlsFacts === null
      ? [{ name: 'TLS', value: 'none' }]
      : [
          { name: 'TLS', value: `${tlsFacts.protocol}, ${tlsFacts.cipher}` },
          {
            name: 'certificate',
            value: `${tlsFacts.subject}; valid to ${tlsFacts.validTo}; issued by ${tlsFacts.issuer}`,
          },
          { name: 'SHA-256', value: tlsFacts.fingerprint },
        ]),
    { name: 'capabilities before sign-in', value: capabilities.lines.join(', ') },
  ]
}

function afterSignIn({ capabilities }: Session, hasUidls: boolean): CheckReport['findings'] {
  const { names, loginDelaySeconds, expireDays } = capabilities
  return [
    { name: 'capabilities after sign-in', value: capabilities.lines.join(', ') },
    { name: 'PIPELINING', value: names.has('PIPELINING') ? 'yes' : 'no' },
    { name: 'UIDL', value: hasUidls ? 'yes' : 'no' },
    { name: 'TOP', value: names.has('TOP') ? 'yes' : 'not announced' },
    ...(loginDelaySeconds === null ? [] : [{ name: 'LOGIN-DELAY', value: `${loginDelaySeconds} s` }]),
    ...(expireDays === null ? [] : [{ name: 'EXPIRE', value: `${expireDays} days` }]),
  ]
}
